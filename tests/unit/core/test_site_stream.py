from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from console.core.site_api.edits import Listed
from console.core.site_api.focus import MOST_ROWS, every_s, range_of
from console.core.site_api.framing import framed
from console.core.site_api.judged import judged_of
from console.core.site_api.quantised import Ints, Quantised, Scale, planes
from console.core.site_api.scales import aggregate_scale, column_scale, fitted
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.events import AlertState, CheckResult, Event, Finding
from console.model.incidents import Incident, Note, Sign, incident_id
from console.model.levels import Level, Severity
from console.model.metrics import Metric, RollUp
from console.model.reading import ColumnPart, EventsPart, InOrder, JobsPart, TopologyPart
from console.model.snapshot import Frame, Snapshot
from tests.support.fleets import NOW, small_site
from tests.support.streams import Server

NAN = float("nan")


def gauge(topology, values, metric="temp_c", at=NOW, level="gpu"):
    values = np.array(values, dtype=np.float32)
    return ColumnPart(metric, InOrder(level, topology.version, len(values)), values, same_time(at, len(values)))


def body(record):
    raw = record.data
    assert int.from_bytes(raw[:4], "big") == len(raw) - 4
    return msgspec.msgpack.decode(zlib.decompress(raw[5:]) if raw[4] else raw[5:])


def kinds(records):
    return Counter(record.kind for record in records)


def columns(records, metric=None):
    found = [body(record) for record in records if record.kind == "column"]
    return [each for each in found if metric is None or each["metric"] == metric]


def test_a_value_moves_when_it_is_more_than_three_quarters_of_a_quantum_away():
    sent = Quantised(Scale(1.0, 0.0))
    sent.take(np.array([50.0], dtype=np.float32))
    assert sent.take(np.array([50.74], dtype=np.float32)) is None
    assert sent.take(np.array([50.76], dtype=np.float32)) is not None
    assert sent.told().tolist() == [51.0]
    assert sent.take(np.array([50.3], dtype=np.float32)) is None


def test_exact_numbers_move_with_the_smallest_change_and_fractions_go_as_they_are():
    sent = Quantised(Scale(exact=True))
    sent.take(np.array([7.0, 9.0], dtype=np.float32))
    assert sent.take(np.array([8.0, 9.0], dtype=np.float32))["dtype"] == "i1"
    members = sent.take(np.array([8.5, 9.0], dtype=np.float32))
    assert (members["dtype"], members["full"]) == ("f4", True)
    assert sent.take(np.array([8.5, 9.0], dtype=np.float32)) is None
    assert sent.take(np.array([8.0, 9.0], dtype=np.float32))["full"]


@pytest.mark.parametrize(
    ("values", "dtype"), [([100], "i1"), ([200], "i2"), ([2e5], "i4"), ([2e9], "f4"), ([-4], "f4")]
)
def test_the_smallest_type_that_holds_the_numbers_is_taken(values, dtype):
    assert Quantised(Scale()).take(np.array(values, dtype=np.float32))["dtype"] == dtype


def test_what_mostly_came_or_went_is_told_whole():
    sent = Ints()
    sent.take(np.arange(10, dtype=np.int32))
    assert sent.take(np.full(10, -1, dtype=np.int32))["full"]
    few = np.full(10, -1, dtype=np.int32)
    few[3] = 4
    assert not sent.take(few)["full"]


def test_low_bytes_come_before_high_ones():
    assert planes(np.array([0x0102, 0x0304], dtype=np.int16)) == bytes([2, 4, 1, 3])


def test_a_sites_own_metric_is_told_as_finely_as_its_numbers_need():
    own = Metric("my_ratio", "ratio", "mine", {"my_ratio": RollUp.MEAN})
    scale = fitted(column_scale(own), own, np.array([0.5, NAN], dtype=np.float32), present=None)
    assert scale.quantum == pytest.approx(0.5 / 2000)
    assert fitted(column_scale(own), own, np.array([0.4], dtype=np.float32), present=scale) is scale
    temp = BUILTIN["temp_c"]
    assert fitted(column_scale(temp), temp, np.array([0.5], dtype=np.float32), present=None) == column_scale(temp)


def test_sums_are_told_in_steps_of_their_size_and_counters_exactly():
    power = BUILTIN["power_w"]
    assert aggregate_scale(power, RollUp.SUM, Level.SITE, 100_000).quantum == 5 * 10_000
    assert aggregate_scale(power, RollUp.SUM, Level.RACK, 4).quantum == 5
    assert aggregate_scale(BUILTIN["ecc_dbe"], RollUp.SUM, Level.SITE, 100_000) == Scale(1.0, 0.0, exact=True)
    assert column_scale(BUILTIN["xid"]).exact


def test_edits_keep_runs_and_say_what_a_row_was_before():
    listed = Listed(lambda row: row["id"], dict)
    rows = [{"id": name, "x": 0} for name in "abcd"]
    listed.take(rows)
    changed = {"id": "c", "x": 1}
    edits, places = listed.take([*rows[:2], changed, {"id": "e", "x": 0}, rows[3]])
    assert edits == [[0, 2], [2, changed], [-1, {"id": "e", "x": 0}], [3, 1]]
    assert places == [0, 1, 2, -1, 3]
    assert listed.take(list(listed.told)) is None
    assert listed.take([])[0] == []


def site_of_many():
    return small_site(halls=2, racks=4, nodes=16, gpus=8)  # 1,024 GPUs: more than few rows


def test_each_column_is_told_once_in_a_sweep_and_little_where_nothing_is_new():
    topology = site_of_many()
    server = Server(topology, sweep_s=20.0)
    names = ["temp_c", "power_w", "util_pct", "ecc_sbe"]
    random = np.random.default_rng(1)
    told, sizes = Counter(), []
    for second in range(41):
        values = {name: np.rint(random.normal(50, 9, topology.gpus)).clip(0, 99) for name in names}
        values["ecc_sbe"] = np.full(topology.gpus, 3.0)
        records = server.step(*(gauge(topology, values[name], name, server.at + 1) for name in names))
        if second:
            told.update(each["metric"] for each in columns(records))
            sizes += [len(record.data) for record in records if record.kind == "column" and b"ecc_sbe" in record.data]
            assert len(columns(records)) <= 1
    assert all(2 <= told[name] <= 3 for name in names), told
    assert max(sizes) < 130


def test_a_code_that_changed_does_not_wait_for_its_turn():
    topology = site_of_many()
    server = Server(topology, sweep_s=600.0)
    codes = np.zeros(topology.gpus)
    server.step(gauge(topology, codes, "xid", NOW), gauge(topology, codes + 40, "temp_c", NOW))
    server.step(dt=6)
    codes[17] = 79
    records = server.step(gauge(topology, codes, "xid", server.at + 1))
    assert [each["metric"] for each in columns(records)] == ["xid"]
    codes[18] = 79
    assert not columns(server.step(gauge(topology, codes, "xid", server.at + 1)))
    assert columns(server.step(dt=5))


def test_gpus_that_fall_silent_are_told_at_once():
    topology = site_of_many()
    server = Server(topology, sweep_s=600.0)
    values = np.full(topology.gpus, 50.0)
    server.step(gauge(topology, values), gauge(topology, values, "power_w"))
    values[[3, 900]] = NAN
    server.step(gauge(topology, values, at=server.at), dt=2)
    assert "silent" not in kinds(server.step(gauge(topology, values, at=server.at)))  # power still speaks
    records = server.step(gauge(topology, values, "power_w", server.at))
    (silent,) = [body(record) for record in records if record.kind == "silent"]
    assert silent["count"] == 2
    told = server.encoder.columns.told()
    assert np.flatnonzero(np.isnan(told["power_w"])).tolist() == [3, 900]


def test_after_an_outage_columns_do_not_wait_for_their_turns():
    topology = site_of_many()
    server = Server(topology, sweep_s=600.0)
    values = np.full(topology.gpus, 50.0)

    def told(values):
        return gauge(topology, values, at=server.at + 1), gauge(topology, values, "power_w", server.at + 1)

    server.step(*told(values))
    assert "silent" in kinds(server.step(*told(np.full(topology.gpus, NAN)), dt=2))
    heard = [each["metric"] for _ in range(11) for each in columns(server.step(*told(values)))]
    assert sorted(heard) == ["power_w", "temp_c"]


def test_after_a_new_topology_everything_is_told_anew_soon():
    server = Server(site_of_many(), sweep_s=60.0)
    server.step(
        gauge(server.merger.topology, np.full(1024, 50.0)), gauge(server.merger.topology, np.full(1024, 5), "power_w")
    )
    other = small_site(halls=2, racks=4, nodes=17, gpus=8)
    records = server.step(TopologyPart(other))
    assert kinds(records)["topology"] == 1
    assert all(
        each["full"] for record in records if record.kind == "aggregates" for each in body(record)["fields"].values()
    )
    heard = [each for _ in range(11) for each in columns(server.step())]
    assert {each["metric"] for each in heard} == {"temp_c", "power_w"}
    assert all(each["full"] for each in heard[:2])


def test_sites_and_halls_are_told_each_second_racks_each_five():
    server = Server(small_site())
    seen = Counter()
    for _ in range(11):
        seen.update(body(record)["level"] for record in server.step() if record.kind == "aggregates")
    assert seen == {"site": 10, "hall": 10, "rack": 2}


def test_a_quick_run_of_snapshots_tells_no_more_than_one_a_second():
    server = Server(small_site())
    seen = Counter()
    for _ in range(41):
        seen.update(body(record)["level"] for record in server.step(dt=0.1) if record.kind == "aggregates")
    assert seen["site"] == 4


def test_a_beat_comes_where_nothing_else_does():
    server = Server(small_site())
    server.encoder.aggregates.due = lambda site, now: iter(())
    assert kinds(server.step()) == {"beat": 1}
    assert [len(server.step()) for _ in range(6)] == [0, 0, 0, 0, 1, 0]


def test_the_opening_is_made_once_a_sequence_number_and_ends_with_it():
    server = Server(small_site())
    assert server.encoder.opening() == []
    server.step(gauge(server.merger.topology, np.full(48, 50.0)))
    first = server.encoder.opening()
    assert server.encoder.opening() is first
    assert [record.seq for record in first[:-1]] == [0] * (len(first) - 1)
    assert first[0].kind == "topology"
    assert (first[-1].kind, first[-1].seq) == ("beat", server.encoder.seq)
    server.step()
    again = server.encoder.opening()
    assert [record for record in again if record.kind in ("topology", "jobs", "judged", "column")] == [
        record for record in first if record.kind in ("topology", "jobs", "judged", "column")
    ]  # what did not change is not encoded again


def test_focus_is_shared_bounded_and_the_more_seldom_the_larger():
    topology = small_site(halls=1, racks=10, nodes=10, gpus=10)  # 1,000 GPUs
    server = Server(topology)
    server.step(gauge(topology, np.arange(1000) / 10))
    record = server.encoder.focus(server.snapshot, "muc1/h1/r002")
    assert record.seq == 0
    assert server.encoder.focus(server.snapshot, "muc1/h1/r002") is record
    told = body(record)
    assert (told["start"], told["stop"], set(told["columns"])) == (100, 200, {"temp_c"})
    assert server.encoder.focus(server.snapshot, "muc1/h1/r9") is None
    assert server.encoder.focus(server.snapshot, "muc1/h1") is not None
    server.step(dt=1.0)
    assert server.encoder.focus(server.snapshot, "muc1/h1") is None
    assert server.encoder.focus(server.snapshot, "muc1/h1/r002") is not None
    server.step(dt=1.0)
    assert server.encoder.focus(server.snapshot, "muc1/h1") is not None
    assert every_s(slice(0, 1000)) < 2 < every_s(slice(0, 1025))


def test_of_a_place_of_many_gpus_the_nodes_are_told():
    topology = small_site(halls=1, racks=1, nodes=513, gpus=8)
    server = Server(topology)
    values = np.arange(topology.gpus) % 80
    server.step(gauge(topology, values), gauge(topology, np.full(513, 900.0), "host_power_w", level="node"))
    assert topology.gpus > MOST_ROWS
    assert range_of(server.frame, "muc1") == (Level.NODE, slice(0, 513))
    assert range_of(server.frame, "muc1/h1/r001/n0001") == (Level.GPU, slice(0, 8))
    assert range_of(server.frame, "muc1/h1/r001/n0001/g3") == (Level.GPU, slice(3, 4))
    told = body(server.encoder.focus(server.snapshot, "muc1"))
    assert (told["level"], set(told["columns"]), set(told["fields"])) == (
        "node",
        {"host_power_w"},
        {"temp_c_max", "temp_c_avg"},
    )


def test_a_place_of_too_many_nodes_has_no_focus():
    server = Server(small_site(halls=1, racks=1, nodes=MOST_ROWS + 1, gpus=1))
    server.step()
    assert server.encoder.focus(server.snapshot, "muc1") is None


def test_stale_values_are_missing_in_a_range():
    topology = small_site()
    server = Server(topology)
    server.step(gauge(topology, np.full(48, 50.0)), stale_after_s=5.0)
    server.step(dt=6)
    told = body(server.encoder.focus(server.snapshot, "muc1/h1/r001/n0001"))
    assert told["columns"]["temp_c"]["data"] == b"\xff" * 4


def test_jobs_wait_ten_seconds_and_then_say_what_changed():
    from console.model.jobs import Job, JobState

    topology = small_site()
    server = Server(topology)
    rows = tuple(Job(str(i), "train", "ada", JobState.RUNNING, 1, 1) for i in range(4))
    held = np.repeat(np.arange(4, dtype=np.int32), 12)
    server.step(JobsPart(rows, gpu_job=held, version=1, at=server.at))
    assert not kinds(
        server.step(JobsPart(rows[1:], gpu_job=np.where(held > 0, held - 1, -1), version=1, at=server.at))
    )["jobs"]
    (told,) = [body(record) for record in server.step(dt=10) if record.kind == "jobs"]
    assert told["edits"] == [[1, 3]]
    assert "gpu_job" not in told  # who keeps a job keeps its GPUs, whatever its new place


def test_events_are_numbered_and_told_once():
    server = Server(small_site())
    events = [Event(NOW + i, "muc1", "muc1", "note", Severity.INFO, f"event {i}") for i in range(3)]
    server.step(EventsPart(tuple(events[:1])))
    records = server.step(EventsPart(tuple(events[1:])))
    (told,) = [body(record) for record in records if record.kind == "events"]
    assert [event["seq"] for event in told["events"]] == [2, 3]
    assert not kinds(server.step())["events"]
    (whole,) = [body(record) for record in server.encoder.opening() if record.kind == "events"]
    assert [event["seq"] for event in whole["events"]] == [1, 2, 3]


def incident(key="check:hot", site="muc1", state=None):
    sign = Sign(key, site, Severity.WARNING, "hot", "it is hot", site, NOW, (f"{site}/h1",), 3)
    return Incident(incident_id(site, key, NOW), state or AlertState.FIRING, sign, NOW, NOW, NOW, Severity.WARNING)


def test_incidents_and_notes_go_at_once_and_findings_now_and_then():
    server = Server(small_site())
    finding = Finding("d", "f", "muc1", Level.NODE, "k", "muc1/h1", Severity.WARNING, "words")
    note = Note("1", "muc1", "node:muc1/n0001", "ada", NOW, "fan replaced")
    server.step(findings=(finding,))
    more = {"incidents": (incident(),), "notes": (note,)}
    (told,) = [body(record) for record in server.step(findings=(), **more) if record.kind == "judged"]
    assert told.keys() & {"incidents", "notes", "findings"} == {"incidents", "notes"}
    (later,) = [body(record) for record in server.step(dt=5, findings=(), **more) if record.kind == "judged"]
    assert later["findings"] == {"full": False, "edits": []}
    assert "incidents" not in later


def test_the_words_of_an_incident_wait_and_its_state_does_not():
    server = Server(small_site())
    first = incident()
    server.step(incidents=(first,))
    server.step(incidents=(replace(first, seen_at=NOW + 1),))
    words = replace(first, sign=replace(first.sign, text="it is hotter"))

    def told(*incidents, dt=1.0):
        records = [body(record) for record in server.step(incidents=incidents, dt=dt) if record.kind == "judged"]
        return [each["incidents"]["edits"] for each in records if "incidents" in each]

    assert told(words) == []
    taken = replace(words, state=AlertState.ACKNOWLEDGED)
    ((edit,),) = told(taken)
    assert (edit[0], edit[1]["state"], edit[1]["sign"]["text"]) == (0, "acknowledged", "it is hotter")
    assert told(replace(taken, seen_at=NOW + 9)) == []
    assert told(replace(taken, seen_at=NOW + 10), dt=5) != []
    assert told() == [[]]


def test_what_is_judged_of_a_site_is_its_own_part():
    sites = [small_site("muc1"), small_site("bcn1")]
    frames = [Server(each).merger.frame(NOW) for each in sites]
    check = CheckResult(
        "hot",
        Severity.CRITICAL,
        5,
        1,
        96,
        NOW,
        ("bcn1/h1", "muc1/h1"),
        "5 are hot",
        by_site=(("bcn1", 5, 0), ("muc1", 0, 1)),
    )
    snapshot = Snapshot(
        1, Frame(NOW, "europe", BUILTIN, tuple(frames)), checks=(check,), incidents=(incident(), incident(site="bcn1"))
    )
    judged = judged_of(snapshot, "muc1", "serve1")
    assert [each.site for each in judged.incidents] == ["muc1"]
    assert (judged.checks[0].matches, judged.checks[0].severity, judged.checks[0].paths) == (
        0,
        Severity.OK,
        ("muc1/h1",),
    )
    assert judged.nodes[0] == 12


def test_after_a_fault_everything_is_told_anew(monkeypatch):
    server = Server(small_site())
    server.step(gauge(server.merger.topology, np.full(48, 50.0)))
    whole = server.encoder._words.due
    monkeypatch.setattr(server.encoder._words, "due", lambda *args, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        server.step()
    monkeypatch.setattr(server.encoder._words, "due", whole)
    assert {"topology", "aggregates", "jobs", "judged"} <= kinds(server.step()).keys()


def test_half_a_character_of_somebodys_system_does_not_end_the_stream():
    record = framed(1, "x", {"notices": ["disk \udcff full"], "\udcff": (1, 2)})
    assert body(record) == {"seq": 1, "type": "x", "notices": ["disk ? full"], "?": [1, 2]}


def test_a_small_record_is_plain_and_begins_with_its_number_and_type():
    record = framed(7, "beat", {"at": 1.0})
    assert record.data[4] == 0
    assert record.data[5:].startswith(b"\x83\xa3seq\x07\xa4type\xa4beat")
    assert framed(7, "x", {"data": bytes(1000)}).data[4] == 1
