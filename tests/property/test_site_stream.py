"""Whatever a site's sources say, who listens to its stream holds what was told, and that is near the truth."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.remap import row_count
from console.core.site_api.framing import framed
from console.core.site_api.scales import column_scale
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.errors import BadPayload
from console.model.jobs import Job, JobState
from console.model.reading import ColumnPart, InOrder, JobsPart, NamedKeys, NodeReportsPart, TopologyPart
from console.model.scheduling import NodeReason, NodeState
from tests.support.fleets import NOW, small_site
from tests.support.streams import Listener, Server

FEW = settings(deadline=None, max_examples=40)
METRICS = (
    "temp_c",
    "power_w",
    "xid",
    "ecc_sbe",
    "sm_active_ratio",
    "mem_used_bytes",
    "host_power_w",
    "cdu_flow_lpm",
    "pue",
)
SITES = [small_site(), small_site(nodes=2), small_site(halls=1, gpus=8), small_site(halls=1, racks=1, nodes=1, gpus=0)]


PLACES = st.integers(0, len(SITES) - 1)


def column_of(draw: Any, metric: str, topology: Any, at: float) -> ColumnPart | None:
    known = BUILTIN[metric]
    rows = row_count(topology, known.level)
    if not rows:
        return None
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    top = 10**10 if known.unit == "count" else min(known.high, known.heat[1] * 3)
    told = (known.low + (top - known.low) * random.random(rows) ** draw(st.integers(1, 30))).astype(np.float32)
    if known.unit in ("count", "code"):
        told = np.rint(told)
    told[random.random(rows) < draw(st.sampled_from((0.0, 0.1, 1.0)))] = np.nan
    told.flags.writeable = False
    return ColumnPart(metric, InOrder(known.level, topology.version, rows), told, same_time(at, rows))


def jobs_of(draw: Any, topology: Any, at: float) -> JobsPart:
    names = draw(st.lists(st.integers(1, 12), max_size=6, unique=True))
    jobs = tuple(
        Job(
            str(name),
            "train",
            "ada",
            draw(st.sampled_from(JobState)),
            2,
            1,
            time_limit_s=draw(st.sampled_from((60.0, float("inf")))),
        )
        for name in names
    )
    held = np.random.default_rng(draw(st.integers(0, 99))).integers(-1, len(jobs), topology.gpus)
    return JobsPart(jobs, gpu_job=held.astype(np.int32), version=topology.version, at=at)


def reports_of(draw: Any, topology: Any, at: float) -> NodeReportsPart:
    nodes = len(topology.nodes)
    states = (NodeState("IDLE"), NodeState("MIXED", ("DRAIN",)))
    codes = np.array(draw(st.lists(st.integers(-1, 1), min_size=nodes, max_size=nodes)), dtype=np.int32)
    counts = np.full(nodes, draw(st.integers(-1, 8)), dtype=np.int16)
    reasons = {row: NodeReason("bad fan", 1.0, "ada") for row in draw(st.sets(st.integers(0, nodes - 1), max_size=2))}
    return NodeReportsPart(NamedKeys("node", tuple(topology.nodes)), states, codes, counts, counts, reasons, at)


def near(server: Server) -> None:
    """Check that what was told is within three quarters of a quantum of the truth; exact metrics to the bit."""
    told = server.encoder.columns.told()
    for name, values in told.items():
        truth = server.frame.columns[name].current(server.at)
        assert np.array_equal(np.isnan(values), np.isnan(truth)), name
        scale = column_scale(BUILTIN[name])
        there = ~np.isnan(truth)
        far = np.abs(values[there].astype(np.float64) - truth[there])
        slack = 0.0 if scale.exact else 0.75 * scale.quantum
        assert (far <= slack + 1e-6 * np.abs(truth[there])).all(), name


@given(data=st.data())
@FEW
def test_who_listens_holds_what_was_told(data: st.DataObject) -> None:
    server = Server(SITES[data.draw(PLACES)], sweep_s=data.draw(st.sampled_from((1.0, 4.0))))
    always, late = Listener(), Listener()
    missed: list[Any] = []
    server.step()
    for each in (always, late):
        each.hear(server.encoder.opening())
    for _ in range(data.draw(st.integers(1, 6))):
        moves = [TopologyPart(SITES[data.draw(PLACES)])] if data.draw(st.booleans()) else []
        records = server.step(*moves, dt=data.draw(st.sampled_from((0.0, 1.0))))
        topology, at = server.merger.topology, server.at + 1
        told = [column_of(data.draw, name, topology, at) for name in data.draw(st.sets(st.sampled_from(METRICS)))]
        parts: list[Any] = [part for part in told if part is not None]
        if topology.gpus and data.draw(st.booleans()):
            parts.append(jobs_of(data.draw, topology, at))
        if data.draw(st.booleans()):
            parts.append(reports_of(data.draw, topology, at))
        records += server.step(*parts, stale_after_s=data.draw(st.sampled_from((2.0, 60.0))))
        always.hear(records)
        missed += records
        if data.draw(st.booleans()):
            late.hear(missed)  # a ring still had what it missed
            missed = []
        always.holds_what(server)
    late.hear(missed)
    late.holds_what(server)
    anew = Listener()
    anew.hear(server.encoder.opening())
    anew.holds_what(server)
    always.hear(server.encoder.opening())  # it was dropped, and is told everything anew
    always.holds_what(server)
    for each in (always, late, anew):
        _same_words(server, each)


def _same_words(server: Server, listener: Listener) -> None:
    ours, theirs = server.frame, listener.merger.frame(server.at)
    if server.encoder._jobs._seen is ours.jobs:
        assert theirs.jobs.rows == ours.jobs.rows
        if len(ours.jobs.gpu_job):
            assert np.array_equal(theirs.jobs.gpu_job, ours.jobs.gpu_job)
    for voice, report in server.encoder._words._reports.items():
        said = theirs.reports[voice]
        assert report.told is not None
        assert np.array_equal(said.codes, report.told.codes)
        assert (said.states, said.reasons, said.at) == (report.told.states, report.told.reasons, report.told.at)
    assert listener.decoder.seq == server.encoder.seq


@given(data=st.data())
@FEW
def test_what_is_told_is_near_the_truth(data: st.DataObject) -> None:
    topology = SITES[0]
    server = Server(topology, sweep_s=1.0)
    for _ in range(data.draw(st.integers(1, 6))):
        at = server.at + 1
        told = [column_of(data.draw, name, topology, at) for name in METRICS]
        server.step(*(part for part in told if part is not None), dt=1.0)
        server.step(dt=4.0 if data.draw(st.booleans()) else 5.0)
        near(server)


def sound_records() -> list[bytes]:
    server, records = Server(SITES[0]), []
    topology = SITES[0]
    at = NOW + 1
    rows = {"gpu": topology.gpus, "node": len(topology.nodes)}
    first = [
        ColumnPart(
            name, InOrder(level, 1, rows[level]), np.full(rows[level], 40, dtype=np.float32), same_time(at, rows[level])
        )
        for name, level in (("temp_c", "gpu"), ("xid", "gpu"), ("host_power_w", "node"))
    ]
    jobs = (Job("1", "a", "b", JobState.RUNNING, 1, 1), Job("2", "a", "b", JobState.PENDING, 1, 1))
    held = np.zeros(topology.gpus, dtype=np.int32)
    server.step(*first, JobsPart(jobs, gpu_job=held, version=1, at=at), dt=0.0)
    records += server.encoder.opening()
    more = np.full(topology.gpus, 70, dtype=np.float32)
    later = JobsPart(jobs[1:], gpu_job=held, version=1, at=at + 20)
    records += server.step(ColumnPart("temp_c", first[0].keys, more, same_time(at + 20, len(more))), later, dt=20.0)
    focused = server.encoder.focus(server.snapshot, "muc1/h1")
    return [record.data[4:] for record in (*records, focused) if record is not None]


RECORDS = sound_records()


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_damaged_records_are_bad_payload(data: st.DataObject) -> None:
    listener = Listener()
    place = data.draw(st.integers(0, len(RECORDS) - 1))
    bad = bytearray(RECORDS[place])
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(bad)) | st.just(len(bad)))
    feed_or_bad(listener, [*RECORDS[:place], bytes(bad[:cut]), *RECORDS[place + 1 :]])


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_members_of_the_wrong_kind_are_bad_payload(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(RECORDS) - 1))
    raw = RECORDS[place]
    body = msgspec.msgpack.decode(zlib.decompress(raw[1:]) if raw[0] else raw[1:])
    spoil(data.draw, body)
    head = {name: body.pop(name, None) for name in ("seq", "type")}
    if not isinstance(head["seq"], int) or not isinstance(head["type"], str):
        return
    changed = framed(head["seq"], head["type"], body).data[4:]
    feed_or_bad(Listener(), [*RECORDS[:place], changed, *RECORDS[place + 1 :]])


def spoil(draw: Any, body: Any) -> None:
    """Put junk in place of something somewhere in a body."""
    while True:
        keys = list(body) if isinstance(body, dict) else list(range(len(body)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = body[key]
        if not isinstance(inner, dict | list) or draw(st.booleans()):
            body[key] = draw(JUNK)
            return
        body = inner


def feed_or_bad(listener: Listener, records: list[bytes]) -> None:
    with suppress(BadPayload):
        for record in records:
            for part in listener.decoder.feed(record):
                listener.merger.apply(part, source="api", stale_after_s=60, received_at=NOW)
    listener.merger.frame(NOW)


@pytest.mark.parametrize("record", [b"", b"\7abc", b"\1abc", b"\0", b"\0\xc1", b"\0\x93\1\2\3"])
def test_no_record_at_all_is_bad_payload(record: bytes) -> None:
    with pytest.raises(BadPayload, match="record of the stream"):
        list(Listener().decoder.feed(record))
