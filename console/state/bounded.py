"""A connection to PostgreSQL that waits for no answer for ever: a server that hangs is told from one that is slow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Generator


class BoundedConnection(psycopg.Connection[Any]):
    """Gives a statement up, and itself with it, after `answer_s`; the server's own limits are lower and come first."""

    answer_s = 30.0

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Consume a generator of psycopg's within the time; raises OperationalError where the server says nothing."""
        try:
            return super().wait(_bounded(gen, time.monotonic() + self.answer_s), *arguments, **named)
        except _NoAnswerError:
            self.close()
            words = f"the server did not answer within {self.answer_s:g} s"
            raise psycopg.OperationalError(words) from None


class _NoAnswerError(Exception):
    """Nothing came in time."""


def _bounded(gen: Generator[Any, Any, Any], until: float) -> Generator[Any, Any, Any]:
    """Yield what psycopg's generator waits for, until it is late: it is asked several times a second."""
    try:
        waits_for = next(gen)
        while True:
            ready = yield waits_for
            if not ready and time.monotonic() > until:
                raise _NoAnswerError
            waits_for = gen.send(ready)
    except StopIteration as end:
        return end.value


def connect(answer_s: float, arguments: Any, named: Any) -> BoundedConnection:
    """Return a connection; raises psycopg's errors."""
    connection = BoundedConnection.connect(*arguments, **named)
    connection.answer_s = answer_s
    return connection
