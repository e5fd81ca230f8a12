from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from console.core.site_api.framing import Record, framed
from console.model.errors import NoDataError
from console.model.events import Event
from console.model.levels import Severity
from console.serve.client import Client
from console.serve.encode_thread import EncodeThread
from console.serve.event_log import EVENTS_KEPT, EventLog
from console.serve.ring import Ring
from console.serve.stream_limits import StreamLimits
from tests.support.serving import Records

if TYPE_CHECKING:
    from concurrent.futures import Future

LIMITS = StreamLimits(lag_bytes=1000, slice_bytes=128)
WAIT_S = 10.0


def client_of(ring: Ring, *opening: bytes) -> Client:
    return Client("c1", "ada", ring, opening, ring.end, LIMITS)


def taken(client: Client) -> list[dict[str, Any]]:
    """Take all that there is to send."""
    data = b""
    while (piece := client.next()) is not None:
        assert len(piece) <= LIMITS.slice_bytes
        data += bytes(piece)
    return Records().feed(data)


def record(seq: int, size: int = 0) -> Record:
    return framed(seq, "column", {"data": bytes(size)} if size else {})


def ring_of(*records: Record) -> Ring:
    ring = Ring(most_bytes=100_000, most_s=1e9)
    ring.append(records, 0.0)
    return ring


def test_the_opening_comes_before_what_happened_meanwhile() -> None:
    ring = ring_of(record(1))
    client = client_of(ring, record(0).data, framed(1, "beat", {}).data)
    ring.append([record(2)], 1.0)
    assert [each["seq"] for each in taken(client)] == [0, 1, 2]


def test_what_is_long_goes_in_slices_and_a_farewell_waits_for_its_end() -> None:
    ring = ring_of()
    noise = bytes(range(256)) * 2
    client = client_of(ring, framed(0, "topology", {"body": noise}).data)
    first = client.next()
    assert first is not None
    client.bid_farewell("the server ends", "https://other")
    pieces = [bytes(first)]
    while (piece := client.next()) is not None:
        pieces.append(bytes(piece))
    told = Records().feed(b"".join(pieces))
    assert [each["type"] for each in told] == ["topology", "bye"]
    assert told[0]["body"] == noise
    assert (told[1]["leader"], told[1]["seq"], client.ended) == ("https://other", 0, True)


def test_the_newest_word_for_this_client_takes_the_place_of_the_one_before() -> None:
    client = client_of(ring_of())
    client.give(framed(0, "range", {"start": 1}).data)
    client.give(framed(0, "range", {"start": 2}).data)
    assert [each["start"] for each in taken(client)] == [2]
    client.give(framed(0, "range", {"start": 3}).data)
    client.look_at("muc1/h2")
    assert taken(client) == []


def test_who_falls_behind_is_told_how_much_it_lost_and_is_let_go_of() -> None:
    ring = ring_of()
    client = client_of(ring)
    noise = [framed(seq, "column", {"data": seq.to_bytes(2, "big") * 20}) for seq in range(1, 40)]
    ring.append(noise, 1.0)
    assert client.lag_bytes > LIMITS.lag_bytes
    (told,) = taken(client)
    assert (told["type"], told["count"], client.ended, client.dropped) == ("dropped", 39, True, 39)
    client.bid_farewell("too late", "")
    assert client.next() is None


def test_the_newest_is_encoded_and_what_it_overtook_is_not() -> None:
    seen: list[int] = []
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def encode(item: int) -> None:
        seen.append(item)
        begun.set()
        go_on.wait(WAIT_S)
        if item == 3:
            done.set()
            raise ValueError("one fault ends nothing")

    thread: EncodeThread[int] = EncodeThread(encode, most_questions=2)
    thread.start()
    thread.offer(1)
    assert begun.wait(WAIT_S)
    thread.offer(2)
    thread.offer(3)
    answers: list[Future[Any]] = [thread.ask(lambda: list(seen)), thread.ask(lambda: 1 // 0)]
    with pytest.raises(NoDataError, match="too many"):
        thread.ask(lambda: None).result(0)
    go_on.set()
    assert done.wait(WAIT_S)
    assert answers[0].result(WAIT_S) == [1, 3]
    with pytest.raises(ZeroDivisionError):
        answers[1].result(WAIT_S)
    assert thread.close(WAIT_S)
    with pytest.raises(NoDataError, match="the server ends"):
        thread.ask(lambda: None).result(0)


def test_what_waits_at_the_end_is_refused() -> None:
    thread: EncodeThread[int] = EncodeThread(lambda item: None, most_questions=2)
    waiting = thread.ask(lambda: None)
    assert thread.close(WAIT_S)
    with pytest.raises(NoDataError, match="the server ends"):
        waiting.result(0)


def event(number: int) -> Event:
    return Event(float(number), "muc1", "muc1", "door", Severity.INFO, f"e{number}")


def test_events_are_numbered_once_while_the_list_moves_on() -> None:
    log, events = EventLog(), [event(number) for number in range(6)]
    log.take(tuple(events[:3]))
    log.take(tuple(events[:3]))
    log.take(tuple(events[1:5]))
    log.take(tuple(events[4:]))
    page = log.after(0, 100)
    assert [(seq, each.text) for seq, each in page.entries] == [(i + 1, f"e{i}") for i in range(6)]
    assert (page.oldest, page.last) == (1, 6)
    assert [seq for seq, _ in log.after(4, 1).entries] == [5]
    assert log.after(6, 10).entries == ()


def test_an_event_log_is_bounded_and_says_where_it_begins() -> None:
    log = EventLog()
    log.take(tuple(event(number) for number in range(EVENTS_KEPT + 5)))
    page = log.after(0, 2)
    assert (page.oldest, page.last, [seq for seq, _ in page.entries]) == (6, EVENTS_KEPT + 5, [6, 7])
    assert log.after(EVENTS_KEPT + 3, 10).entries[0][0] == EVENTS_KEPT + 4
