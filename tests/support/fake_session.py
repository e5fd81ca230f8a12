"""A session without an engine: snapshots and views are handed out when the test says so."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from console.engine.log_stream import LogStream
from console.model.views import Align, Split, Table, TableColumn, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.model.incidents import Deed
    from console.model.place import Place, Size
    from console.model.snapshot import Snapshot
    from console.model.views import View

    Maker = Callable[[Snapshot | None, Place, Size], View]


class FakeSession:
    """What the screen asks is kept; a view is made at once, or when `release` is called while `holding`."""

    def __init__(self, snapshot: Snapshot | None, panels: Mapping[str, Maker]) -> None:
        self.snapshot = snapshot
        self.panels = dict(panels)
        self.asked: list[tuple[str, Place, Size, Snapshot | None]] = []
        self.voices: dict[str, Future[Any]] = {}
        self.stream = LogStream(("ssh", "slurm"))
        self.asked_of: list[str] = []
        self.deeds: list[Deed] = []
        self.keep_error: Exception | None = None
        self.silent = False
        self.refreshed: list[str] = []
        self.focused: list[str] = []
        self.started = self.closed = False
        self.holding = False
        self._held: list[Callable[[], None]] = []
        self._callbacks: dict[object, Callable[[Snapshot], object]] = {}

    def start(self) -> None:
        self.started = True

    def close(self, timeout_s: float = 2.0) -> None:
        self.closed = True

    def latest(self) -> Snapshot | None:
        return self.snapshot

    def subscribe(self, callback: Callable[[Snapshot], object]) -> Callable[[], None]:
        token = object()
        self._callbacks[token] = callback
        return lambda: self._callbacks.pop(token, None) and None

    def publish(self, snapshot: Snapshot) -> None:
        """Publish as the engine does: from another thread."""
        self.snapshot = snapshot
        callbacks = list(self._callbacks.values())
        thread = threading.Thread(target=lambda: [callback(snapshot) for callback in callbacks])
        thread.start()
        thread.join()

    def view(
        self, panel_id: str, place: Place, size: Size, *, requester: str = "", snapshot: Snapshot | None = None
    ) -> Future[View]:
        self.asked.append((panel_id, place, size, snapshot))
        future: Future[View] = Future()

        def make() -> None:
            try:
                future.set_result(self.panels[panel_id](snapshot or self.snapshot, place, size))
            except Exception as error:
                future.set_exception(error)

        if self.holding:
            self._held.append(make)
        else:
            make()
        return future

    def release(self) -> None:
        """Answer what was asked while holding."""
        held, self._held = self._held, []
        for make in held:
            make()

    def run(self, function: Callable[[], Any], *, key: Any = None) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)
        return future

    def records(self, row_id: str) -> dict[str, Future[Any]]:
        """The voices that the test put in `voices`."""
        self.asked_of.append(row_id)
        return dict(self.voices)

    def follow(self, row_id: str) -> LogStream:
        """The stream that the test fills."""
        self.asked_of.append(row_id)
        return self.stream

    def keep(self, deed: Deed) -> Future[str]:
        """Answered at once, with the error that the test put in `keep_error`; kept in `deeds`."""
        self.deeds.append(deed)
        future: Future[str] = Future()
        if self.keep_error is not None:
            future.set_exception(self.keep_error)
        elif not self.silent:
            future.set_result(f"{deed.subject}: {deed.kind.value}")
        return future

    def refresh(self, site: str = "", source: str = "") -> None:
        self.refreshed.append(site)

    def focus(self, path: str) -> None:
        self.focused.append(path)

    def statistics(self) -> dict[str, dict[str, float]]:
        return {"compute": {"p99_s": 0.01}}


def listing(snapshot: Snapshot | None, place: Place, size: Size) -> View:
    """A panel that lists what is below the place: its children by name, sortable."""
    from console.ui.objects import children

    if snapshot is None:
        return Text((), title="loading")
    ids = children(snapshot.frame, place.path)
    names = [each.rpartition("/")[2] for each in ids]
    temps = np.arange(len(ids), dtype=np.float64) + 40
    order = list(range(len(ids)))
    if place.sort == "-temp":
        order.reverse()
    table = Table(
        (
            TableColumn("id", "name", [names[i] for i in order], width=8, weight=1),
            TableColumn("temp", "temp", temps[order], "temp", Align.RIGHT),
        ),
        ids=[ids[i] for i in order],
        title=f"LIST of {place.path or 'fleet'} by {place.metric}",
        total=len(ids),
        sort=place.sort or "temp",
    )
    about = Text(((),), title=f"selected {place.selected}")
    return Split((*_parts(table), *_parts(about, 3)))


def _parts(view: View, fixed: int = 0) -> tuple[Any, ...]:
    from console.model.views import Part

    return (Part(view, fixed=fixed),)


def states(snapshot: Snapshot | None, place: Place, size: Size) -> View:
    """A panel of rows that are no objects and keep their order."""
    names = [check.name for check in snapshot.checks] if snapshot else []
    column = TableColumn("name", "check", names, width=12, weight=1)
    return Table((column,), ids=[f"check:{name}" for name in names], title="STATES", enter=False)


def broken(snapshot: Snapshot | None, place: Place, size: Size) -> View:
    """A panel that fails."""
    raise ValueError("bad [red]panel[/red]")
