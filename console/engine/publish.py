"""Hands the newest snapshot to whoever wants it: at once, by callback, or by waiting for a condition."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from console.model.errors import NoDataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.snapshot import Snapshot

log = logging.getLogger("console.engine")


class Publisher:
    """The newest snapshot and its subscribers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._latest: Snapshot | None = None
        self._subscribers: dict[object, Callable[[Snapshot], object]] = {}
        self._closed = False

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot, None before the first."""
        return self._latest

    def publish(self, snapshot: Snapshot) -> None:
        """Make a snapshot the newest and tell everybody; a subscriber that raises is logged and dropped."""
        with self._changed:
            self._latest = snapshot
            subscribers = list(self._subscribers.items())
            self._changed.notify_all()
        for token, callback in subscribers:
            try:
                callback(snapshot)
            except Exception:  # one listener must not silence the others
                log.exception("a subscriber failed and hears no more")
                self._forget(token)

    def subscribe(self, callback: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Call back with each new snapshot, from the compute thread; return what ends it."""
        token = object()
        with self._changed:
            self._subscribers[token] = callback
        return lambda: self._forget(token)

    def _forget(self, token: object) -> None:
        with self._changed:
            self._subscribers.pop(token, None)

    def wait(self, predicate: Callable[[Snapshot], bool], timeout_s: float) -> Snapshot:
        """Return the first snapshot that satisfies `predicate`; raises NoDataError after `timeout_s` or at the end."""

        def settled() -> bool:
            return self._closed or (self._latest is not None and predicate(self._latest))

        with self._changed:
            in_time = self._changed.wait_for(settled, timeout_s)
            if self._closed:
                raise NoDataError("the session is closed")
            if not in_time or self._latest is None:
                raise NoDataError(f"no such data within {timeout_s:g} s")
            return self._latest

    def close(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._closed = True
            self._subscribers.clear()
            self._changed.notify_all()
