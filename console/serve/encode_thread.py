"""The one thread that encodes: the newest snapshot first, then what streams ask of it; bounded, and never the loop."""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from console.model.errors import NoDataError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("console.serve")

Item = TypeVar("Item")
Result = TypeVar("Result")


class EncodeThread(Generic[Item]):
    """Calls `encode` with the newest item (one that is overtaken is left out), and questions in their order."""

    def __init__(self, encode: Callable[[Item], None], *, most_questions: int) -> None:
        self._encode = encode
        self._most_questions = most_questions
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._questions: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="gigadeck-encode", daemon=True)

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        return len(self._questions)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, item: Item) -> None:
        """Have an item encoded, in place of one that still waits; from any thread, never blocks."""
        with self._changed:
            self._item = item
            self._changed.notify()

    def ask(self, function: Callable[[], Result]) -> Future[Result]:
        """Run a short function on the thread; its future raises NoDataError where too many wait, or after the end."""
        future: Future[Result] = Future()
        with self._changed:
            if self._ended or len(self._questions) >= self._most_questions:
                reason = "the server ends" if self._ended else "the server is busy: too many streams are being opened"
                future.set_exception(NoDataError(reason))
            else:
                self._questions.append((function, future))
                self._changed.notify()
        return future

    def close(self, timeout_s: float) -> bool:
        """End the thread; return whether it ended in time. What still waits is refused."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._refuse_rest()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._item is not None or self._questions)
                if self._ended:
                    return
                item, self._item = self._item, None
                question = self._questions.popleft() if item is None else None
            if item is not None:
                self._encode_guarded(item)
            if question is not None:
                _answer(*question)

    def _encode_guarded(self, item: Item) -> None:
        try:
            self._encode(item)
        except Exception:  # a fault in one encoding must not end all streams
            log.exception("a snapshot could not be encoded")

    def _refuse_rest(self) -> None:
        with self._changed:
            rest = list(self._questions)
            self._questions.clear()
        for _, future in rest:
            if future.set_running_or_notify_cancel():
                future.set_exception(NoDataError("the server ends"))


def _answer(function: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:  # whoever asked is told
        future.set_exception(error)
