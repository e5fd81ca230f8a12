"""The one way of data to the screen: the newest snapshot, and one view in flight of the panel that is visible."""

from __future__ import annotations

import contextlib
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from textual.message import Message

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from console.model.place import Place, Size
    from console.model.snapshot import Snapshot
    from console.model.views import View
    from console.ui.setup import SessionLike

REQUESTER = "screen"


class SnapshotArrived(Message):
    """A newer snapshot is there; neighbouring ones merge, the handler takes the newest."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, SnapshotArrived)


@dataclass(frozen=True, eq=False)
class Wish:
    """A view that the screen wants; `snapshot` is the one to draw (None before the first)."""

    panel: str
    place: Place
    size: Size
    snapshot: Snapshot | None


class ViewLanded(Message):
    """A wish was answered, by a view or an error (a cancelled one has neither)."""

    def __init__(self, wish: Wish, view: View | None = None, error: BaseException | None = None) -> None:
        super().__init__()
        self.wish = wish
        self.view = view
        self.error = error


class Answered(Message):
    """Something asked of the engine was done; `settle` hands the result, or the error, to who wanted it."""

    def __init__(self, future: Future[Any], take: Callable[[Any, BaseException | None], None]) -> None:
        super().__init__()
        self._future = future
        self._take = take

    def settle(self) -> None:
        """Call with (result, None) or (None, error); a cancelled one (asked again meanwhile) is passed over."""
        if not self._future.cancelled():
            error = self._future.exception(timeout=0)
            self._take(None if error is not None else self._future.result(timeout=0), error)


class Feed:
    """Asks for views and passes snapshots on; every method but the callbacks runs on the screen's loop.

    `tell` hands a message to the screen and may be called from any thread.
    """

    def __init__(self, session: SessionLike, tell: Callable[[Message], object]) -> None:
        self._session = session
        self._tell = tell
        self._unsubscribe: Callable[[], None] = lambda: None
        self._flight: Wish | None = None
        self._wanted: Wish | None = None
        self._stopped = False
        self.asked = 0

    def start(self) -> None:
        """Begin to hear of snapshots."""
        self._unsubscribe = self._session.subscribe(lambda _: self.hand_over(SnapshotArrived()))

    def hand_over(self, message: Message) -> None:
        """Pass a message to the screen from any thread; one that comes after the screen's end is dropped."""
        if not self._stopped:
            with contextlib.suppress(RuntimeError):  # the loop ended between the two
                self._tell(message)

    def ask(self, future: Future[Any], take: Callable[[Any, BaseException | None], None]) -> None:
        """Have `take` called on the screen's loop when a future is done."""
        future.add_done_callback(lambda done: self.hand_over(Answered(done, take)))

    def stop(self) -> None:
        """Hear of nothing any more."""
        self._stopped = True
        self._unsubscribe()
        self._flight = self._wanted = None

    def want(self, wish: Wish) -> None:
        """Ask for a view, now or when the one in flight has landed; only the newest wish is kept."""
        self._wanted = wish
        self._pump()

    def landed(self, message: ViewLanded) -> bool:
        """Take note of an answer; return whether it is the one that is waited for."""
        if message.wish is not self._flight:
            return False
        self._flight = None
        self._pump()
        return message.view is not None or message.error is not None

    def _pump(self) -> None:
        """Start the newest wish; one of another panel does not wait for a panel that may hang."""
        if self._wanted is None or (self._flight is not None and self._flight.panel == self._wanted.panel):
            return
        wish, self._wanted = self._wanted, None
        self._flight = wish
        self.asked += 1
        future = self._session.view(
            wish.panel, wish.place, wish.size, requester=f"{REQUESTER}:{wish.panel}", snapshot=wish.snapshot
        )
        future.add_done_callback(lambda done: self.hand_over(_answer(wish, done)))


def _answer(wish: Wish, future: Future[Any]) -> ViewLanded:
    try:
        return ViewLanded(wish, view=future.result(timeout=0))
    except CancelledError:
        return ViewLanded(wish)
    except Exception as error:
        return ViewLanded(wish, error=error)
