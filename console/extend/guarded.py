"""Plugin objects behind their ports: loaded at first use, counted, and disabled when they fail or overrun too often."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from console.model.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.model.events import Finding
    from console.model.place import Place, Size
    from console.model.ports import DetectorState, StateColumn
    from console.model.snapshot import Frame, Snapshot
    from console.model.views import View

STRIKES = 3
OVERRUN_S = 1.0

Result = TypeVar("Result")


class Guard:
    """The record of one plugin: three failures in a row, or three overruns in a row, and it is called no more."""

    def __init__(self, plugin: str, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.plugin = plugin
        self.reason = ""
        self.errors = 0
        self.overruns = 0
        self._failures_in_a_row = 0
        self._overruns_in_a_row = 0
        self._timer = timer
        self._lock = threading.Lock()

    @property
    def disabled(self) -> bool:
        """Whether the plugin is called no more."""
        return bool(self.reason)

    def disable(self, reason: str) -> None:
        """Call it no more; the first reason stays."""
        with self._lock:
            self.reason = self.reason or reason

    def call(self, what: str, function: Callable[[], Result]) -> Result:
        """Return the function's result; raises PluginError for whatever it raises, and when disabled."""
        if self.disabled:
            raise PluginError(self.plugin, self.reason)
        started = self._timer()
        try:
            result = function()
        except Exception as error:
            self._failed(what, error)
            raise PluginError(self.plugin, f"{what} failed: {_words(error)}") from error
        self._returned(what, self._timer() - started)
        return result

    def _failed(self, what: str, error: Exception) -> None:
        with self._lock:
            self.errors += 1
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= STRIKES:
                self.reason = self.reason or f"{what} failed {STRIKES} times in a row: {_words(error)}: disabled"

    def _returned(self, what: str, took_s: float) -> None:
        with self._lock:
            self._failures_in_a_row = 0
            if took_s <= OVERRUN_S:
                self._overruns_in_a_row = 0
                return
            self.overruns += 1
            self._overruns_in_a_row += 1
            if self._overruns_in_a_row >= STRIKES:
                self.reason = self.reason or f"{what} took over {OVERRUN_S:g} s {STRIKES} times in a row: disabled"


def _words(error: Exception) -> str:
    return error.message if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"


class _Lazy:
    def __init__(self, guard: Guard, load: Callable[[], Any]) -> None:
        self._guard = guard
        self._load = load
        self._loaded: Any = None

    def disable(self, reason: str) -> None:
        """Call the plugin no more."""
        self._guard.disable(reason)

    def _object(self) -> Any:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded


class GuardedPanel(_Lazy):
    """A panel that is imported when it is first drawn; satisfies the Panel port."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return the plugin's view; raises PluginError."""
        view: View = self._guard.call("view", lambda: self._object().view(snapshot, place, size))
        return view


class GuardedDetector(_Lazy):
    """A detector that is imported when it first runs; satisfies the Detector port."""

    @property
    def state_columns(self) -> tuple[StateColumn, ...]:
        """The memory that the plugin's detector wants; raises PluginError."""
        columns: tuple[StateColumn, ...] = self._guard.call(
            "state_columns", lambda: tuple(self._object().state_columns)
        )
        return columns

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        """Return the plugin's findings; raises PluginError."""
        found: tuple[Finding, ...] = self._guard.call("update", lambda: self._object().update(frame, state))
        return found
