"""Whatever bytes a server sends, reading them ends in parts or in BadPayload, and says nothing that is not so."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.site_api.packing import MediaType, block, pack
from console.emulator.wire import site_api
from console.emulator.wire.feed import Feed
from console.model.errors import BadPayload
from console.sources.site_bodies import Faults, WireBlock
from console.sources.site_events import EventCursor
from console.sources.site_jobs import read_jobs
from console.sources.site_topology import read_topology
from tests.support.toy_world import ToyWorld

FAULTS = Faults("muc1", "api")
FEW = settings(deadline=None, max_examples=150)
DTYPES = {"uint8": np.uint8, "int32-le": np.int32, "float32-le": np.float32}


@cache
def bodies() -> dict[str, Any]:
    feed = Feed(ToyWorld(nodes=3, gpus=2, blind=()), lambda: 5000.0, 1.0)
    sample = feed.sample("muc1")
    log, events = feed.events("muc1", 0, 10)
    return {
        "topology": site_api.topology_body(sample, MediaType.MSGPACK),
        "jobs": site_api.jobs_body(sample, MediaType.MSGPACK),
        "events": site_api.events_body(sample, log, 0, events),
    }


def read(what: str, data: bytes) -> object:
    if what == "topology":
        return read_topology(FAULTS, "muc1", data, 0)
    if what == "events":
        return EventCursor(FAULTS, "muc1", "muc1").take(data)
    _, topology = read_topology(FAULTS, "muc1", pack(bodies()["topology"], MediaType.MSGPACK), 0)
    return read_jobs(FAULTS, topology, data, 0.0)


@pytest.mark.parametrize("what", ["topology", "jobs", "events"])
@given(data=st.data())
@FEW
def test_damaged_bytes_are_bad_payload_or_still_consistent(what: str, data: st.DataObject) -> None:
    whole = bytearray(pack(bodies()[what], MediaType.MSGPACK))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    try:
        got = read(what, bytes(whole[:cut]))
    except BadPayload:
        return
    if what == "topology":
        _consistent(got)


def _consistent(got: Any) -> None:
    _, topology = got
    assert len(topology.nodes) == len(topology.node_gpus) - 1
    assert topology.gpus == topology.node_gpus[-1] == len(topology.uuid_high)
    for node in range(len(topology.nodes)):
        assert topology.node_gpus[node] <= topology.node_gpus[node + 1]
    for domain in topology.domains.values():
        assert domain.starts[-1] == len(domain.members)
        for row in domain.members.tolist():
            domain.of(row)
    assert all(0 <= row < len(topology.nodes) for row in topology.aliases.values())


WORDS = st.text(max_size=8) | st.binary(max_size=8)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("what", ["topology", "jobs", "events"])
@given(data=st.data())
@FEW
def test_a_member_of_another_kind_is_bad_payload(what: str, data: st.DataObject) -> None:
    body = bodies()[what]
    name = data.draw(st.sampled_from(sorted(body)))
    changed = msgspec.msgpack.encode({**body, name: data.draw(JUNK)})
    try:
        got = read(what, changed)
    except BadPayload:
        return
    if what == "topology":
        _consistent(got)


@given(
    encoding=st.sampled_from(sorted(DTYPES)),
    values=st.lists(st.integers(0, 255), max_size=20),
)
@FEW
def test_a_block_is_read_back_as_it_was_written(encoding: str, values: list[int]) -> None:
    array = np.array(values, dtype=DTYPES[encoding])
    wire = msgspec.msgpack.decode(pack(block(array, MediaType.MSGPACK), MediaType.MSGPACK), type=WireBlock)
    back = FAULTS.block(wire, encoding, "x")
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    assert back.flags.writeable  # its own copy: the body can go
