"""Answers requests for views: the panel runs on the plugin worker, its wishes for history are filled by compute."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, get_args

from console.engine.fill import Lookup, fill_history, wants_history
from console.engine.worker import Call
from console.model.errors import ConsoleError, PluginError, TargetError
from console.model.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.engine.worker import PluginWorker
    from console.model.place import Place, Size
    from console.model.ports import Panel
    from console.model.snapshot import Snapshot

VIEW_TYPES = get_args(View)

log = logging.getLogger("console.engine")


class ViewService:
    """The panels of a session; the newest request of a requester takes the place of one that still waits."""

    def __init__(
        self,
        panels: Mapping[str, Panel],
        worker: PluginWorker,
        *,
        latest: Callable[[], Snapshot],
        post: Callable[[Callable[[], None]], None],
        look_up: Lookup,
    ) -> None:
        self._panels = panels
        self._worker = worker
        self._latest = latest
        self._post = post
        self._look_up = look_up
        self._failing: set[str] = set()

    def request(
        self, panel_id: str, place: Place, size: Size, *, requester: str = "", snapshot: Snapshot | None = None
    ) -> Future[View]:
        """Return the view to come; PluginError or TargetError comes through the future, a replaced one is cancelled."""
        future: Future[View] = Future()
        if panel_id not in self._panels:
            future.set_exception(TargetError(f"no panel named {panel_id}; there are: {', '.join(self._panels)}"))
            return future

        def make() -> object:
            if future.cancelled():
                raise CancelledError
            view: object = self._panels[panel_id].view(snapshot or self._latest(), place, size)
            if not isinstance(view, VIEW_TYPES):
                raise PluginError(panel_id, f"view() returned {type(view).__name__}, not a view value")
            return view

        def done(view: Any, error: BaseException | None) -> None:
            self._deliver(panel_id, future, view, error)

        self._worker.submit(requester or panel_id, Call(panel_id, "view", make, done))
        return future

    def _deliver(self, panel_id: str, future: Future[View], view: Any, error: BaseException | None) -> None:
        if isinstance(error, CancelledError):
            future.cancel()
        elif error is not None:
            settle(future, error=self._told(panel_id, error))
        elif wants_history(view):
            self._post(lambda: self._fill(panel_id, future, view))
        else:
            self._failing.discard(panel_id)
            settle(future, result=view)

    def _fill(self, panel_id: str, future: Future[View], view: View) -> None:
        try:
            settle(future, result=fill_history(view, self._look_up))
            self._failing.discard(panel_id)
        except Exception as error:
            settle(future, error=self._told(panel_id, error))

    def _told(self, panel_id: str, error: BaseException) -> ConsoleError:
        """Return the error for the asker; the traceback of the first of a row goes to the log."""
        if panel_id not in self._failing:
            self._failing.add(panel_id)
            log.warning("panel %s failed", panel_id, exc_info=None if isinstance(error, ConsoleError) else error)
        if isinstance(error, ConsoleError):
            return error
        return PluginError(panel_id, f"view failed: {type(error).__name__}: {error}")


def settle(future: Future[Any], *, result: Any = None, error: BaseException | None = None) -> None:
    """End a future that its owner may have cancelled, or that the closing session may have ended already."""
    if future.done() or not (future.running() or future.set_running_or_notify_cancel()):
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
