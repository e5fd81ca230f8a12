from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.link.answers import Answer
from console.model.builtin_metrics import BUILTIN
from console.model.errors import SourceError
from console.sources.site_bodies import Faults
from console.sources.site_connection import Connection
from console.sources.site_control import STREAM_TYPE, head_of
from console.sources.site_inbox import Inbox
from console.sources.site_stream import StreamDecoder
from tests.support.fake_serve import FakeServe, record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

FAULTS = Faults("muc1", "src")
NUMBERED = range(1, 6)


def a_stream() -> bytes:
    """Return the bytes of an opening and of a few records after it."""
    of = FakeServe()
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    of.listeners.append(queue)
    said = [of.hello(), *of.opening()]
    for temp_c in (70, 71):
        of.warm(temp_c)
    of.tell("noise", data=b"x" * 300)
    while not queue.empty():
        said.append(queue.get_nowait())
    return b"".join(said)


STREAM = a_stream()


class Link:
    """Answers with bytes in the pieces that a test cuts."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    @asynccontextmanager
    async def stream(self, path: str, params: Any = (), *, accept: str = "", idle_s: float = 0.0) -> AsyncIterator[Any]:
        yield Answer({"content-type": STREAM_TYPE}, "identity", self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


class Server:
    shown = "the server"

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.link = Link(pieces)

    def path(self, what: str) -> str:
        return f"/{what}"


async def taken(pieces: Sequence[bytes]) -> tuple[Connection, Inbox]:
    inbox = Inbox(1 << 20)
    connection = Connection(Server(pieces), FAULTS, "muc1", inbox, resume=None)  # type: ignore[arg-type]
    await asyncio.wait({connection._task})
    await connection.aclose()
    return connection, inbox


def told(inbox: Inbox) -> list[str]:
    """Return every part of what is in an inbox, as text that can be compared."""
    decoder = StreamDecoder(FAULTS, "muc1", "muc1", BUILTIN)
    words = []
    while (data := inbox.take()) is not None:
        for part in decoder.feed(data):
            values = getattr(part, "values", None)
            words.append(f"{type(part).__name__} {getattr(part, 'metric', '')} {np.asarray(values).tolist()}")
    return words


WHOLE = told(asyncio.run(taken([STREAM]))[1])


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(each % (len(data) + 1) for each in places), len(data)]
    return [data[low:high] for low, high in pairwise(edges)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 1 << 16), max_size=12))
def test_wherever_the_line_cuts_the_bytes_the_parts_are_the_same(places: list[int]) -> None:
    connection, inbox = asyncio.run(taken(cut(STREAM, places)))
    assert connection.seq == NUMBERED[-1]
    assert told(inbox) == WHOLE
    assert "71.0" in WHOLE[-1]


def test_byte_by_byte_too() -> None:
    _, inbox = asyncio.run(taken([STREAM[i : i + 1] for i in range(len(STREAM))]))
    assert told(inbox) == WHOLE


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(STREAM)), st.binary(min_size=1, max_size=40), st.lists(st.integers(0, 1 << 16), max_size=3))
def test_bytes_that_are_changed_or_missing_end_in_a_source_error_or_in_nothing_worse(
    at: int, other: bytes, places: list[int]
) -> None:
    connection, inbox = asyncio.run(taken(cut(STREAM[:at] + other + STREAM[at + len(other) :], places)))
    assert isinstance(connection.error, SourceError)
    with suppress(SourceError):
        told(inbox)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**63 - 1),
    st.text(st.characters(codec="ascii"), max_size=60),
    st.booleans(),
    st.dictionaries(st.text(max_size=5), st.binary(max_size=300), max_size=20),
)
def test_number_and_type_of_a_record_are_told_without_reading_it(
    seq: int, kind: str, zipped: bool, members: dict[str, bytes]
) -> None:
    more = {f"m{name}": value for name, value in members.items()}
    head = head_of(FAULTS, record(seq, kind, zipped=zipped, **more)[4:])
    assert (head.seq, head.type) == (seq, kind)
