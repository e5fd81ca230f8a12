from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.site_api.framing import Record
from console.serve.ring import Ring

MOST = 200
batches = st.lists(st.lists(st.integers(1, 90), max_size=4), min_size=1, max_size=25)


def filled(ring: Ring, sizes: list[list[int]]) -> list[Record]:
    """Append records a second apart; the data of each say its number."""
    records: list[Record] = []
    ring.begin(0)
    for at, batch in enumerate(sizes):
        new = [
            Record(len(records) + 1 + i, "x", b"%03d" % (len(records) + 1 + i) + b"." * n) for i, n in enumerate(batch)
        ]
        records += new
        ring.append(new, float(at))
    return records


@settings(deadline=None, max_examples=60)
@given(batches, st.integers(0, 110), st.integers(1, 300))
def test_who_goes_on_gets_each_record_behind_its_number_once_and_in_order(
    sizes: list[list[int]], after: int, most: int
) -> None:
    ring = Ring(most_bytes=MOST, most_s=10.0)
    records = filled(ring, sizes)
    position = ring.position_after(after)
    if position is None:
        assert after > len(records) or ring.lost(after)
        return
    assert position == after
    assert ring.lag_bytes(position) == sum(len(record.data) for record in records[after:])
    got = b""
    while (chunk := ring.read(position, most)) is not None:
        assert chunk.end > position
        assert len(chunk.data) <= most or chunk.end == position + 1
        got += chunk.data
        position = chunk.end
    assert got == b"".join(record.data for record in records[after:])
    assert position == ring.end == len(records)


@settings(deadline=None, max_examples=60)
@given(batches)
def test_a_ring_never_keeps_more_than_it_may(sizes: list[list[int]]) -> None:
    ring = Ring(most_bytes=MOST, most_s=10.0)
    records = filled(ring, sizes)
    assert ring.memory_bytes <= MOST
    kept = len(records) - ring.lost(0)
    assert ring.memory_bytes == sum(len(record.data) for record in records[len(records) - kept :])
    for position in range(ring.lost(0)):
        assert ring.read(position, 10) is None
        assert ring.position_after(position) is None


def test_what_is_old_goes_and_who_has_all_of_it_has_missed_nothing() -> None:
    ring = Ring(most_bytes=10_000, most_s=10.0)
    ring.begin(7)
    assert ring.position_after(7) == 0
    assert ring.position_after(6) is None
    ring.append([Record(8, "x", b"eight")], 0.0)
    ring.append([], 10.0)
    assert ring.position_after(7) == 0
    ring.append([], 10.1)
    assert ring.position_after(7) is None
    assert ring.position_after(8) == 1
    assert ring.memory_bytes == 0


def test_all_who_read_the_same_share_its_bytes() -> None:
    ring = Ring(most_bytes=10_000, most_s=10.0)
    ring.append([Record(1, "x", b"one"), Record(2, "x", b"two")], 0.0)
    first, second = ring.read(0, 100), ring.read(0, 100)
    assert first is not None
    assert second is not None
    assert first.data is second.data
    assert first.data == b"onetwo"
