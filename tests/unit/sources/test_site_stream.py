from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.core.site_api.framing import framed
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.disagreements import Disagreement, Statement
from console.model.errors import BadPayload
from console.model.events import Alert, AlertState, CheckResult, Event, Finding, SiteHits
from console.model.incidents import Acknowledgement, Incident, MemoryStatus, Note, SharedView, Sign
from console.model.jobs import Job, JobState
from console.model.levels import Level, Severity
from console.model.metrics import MetricTable
from console.model.reading import (
    AggregatePart,
    AlertsPart,
    ColumnPart,
    EventsPart,
    FactsPart,
    InOrder,
    JobsPart,
    JudgedPart,
    NamedKeys,
    NodeReportsPart,
    ReservationsPart,
    SomeRows,
    TopologyPart,
)
from console.model.scheduling import NodeReason, NodeState, Reservation
from console.model.snapshot import SourceState, SourceStatus
from console.sources.site_stream import MOST_RECORD_BYTES, split
from tests.support.fleets import NOW, small_site
from tests.support.streams import FAULTS, Listener, Server, of_type

NAN = float("nan")


def gauge(values, metric="temp_c", level="gpu", at=NOW):
    values = np.array(values, dtype=np.float32)
    return ColumnPart(metric, InOrder(level, 1, len(values)), values, same_time(at, len(values)))


def attached(server, **more):
    listener = Listener(**more)
    listener.hear(server.encoder.opening())
    return listener


def some_server(*parts, **more):
    server = Server(small_site(), **more)
    server.step(gauge(np.arange(48) + 30.0), gauge(np.full(48, 700.0), "power_w"), *parts)
    return server


def names(server):
    return NamedKeys("node", tuple(server.merger.topology.nodes))


def test_a_record_is_taken_when_it_is_whole():
    one, two = framed(1, "beat", {"at": 1.0}).data, framed(2, "beat", {"at": 2.0}).data
    both = one + two
    for cut in range(len(both) + 1):
        records, rest = split(both[:cut])
        more, end = split(rest + both[cut:])
        assert [*records, *more] == [one[4:], two[4:]]
        assert end == b""
    part = one[:-1]
    assert split(part)[1] is part


@pytest.mark.parametrize("length", [0, MOST_RECORD_BYTES + 1, 2**32 - 1])
def test_a_record_that_cannot_be_is_bad_payload(length):
    with pytest.raises(BadPayload, match="bytes long") as caught:
        split(length.to_bytes(4, "big") + b"abc", FAULTS)
    assert (caught.value.site, caught.value.source) == ("muc1", "api")


def test_the_opening_makes_the_same_site():
    server = some_server(gauge(np.full(12, 900.0), "host_power_w", "node"), gauge([2.5, 3.5], "cdu_flow_lpm", "cdu"))
    listener = attached(server)
    frame = listener.merger.frame(NOW)
    assert frame.topology.nodes == server.frame.topology.nodes
    assert frame.columns["temp_c"].values.tolist() == (np.arange(48) + 30.0).tolist()
    assert frame.columns["cdu_flow_lpm"].values == pytest.approx([2.5, 3.5], abs=0.04)
    assert frame.data_at == server.frame.data_at
    assert listener.decoder.topology is of_type(listener.parts, TopologyPart)[0].topology
    assert listener.decoder.seq == server.encoder.seq


def test_columns_are_arrays_that_nobody_writes():
    (temps, *_) = of_type(attached(some_server()).parts, ColumnPart)
    assert temps.values.dtype == np.float32
    assert not temps.values.flags.writeable
    assert temps.values.flags.owndata


def test_aggregates_come_for_site_halls_and_racks_with_their_counts():
    server = some_server()
    listener = attached(server)
    told = {(part.keys.level, part.field): part for part in of_type(listener.parts, AggregatePart)}
    assert told["hall", "temp_c_max"].keys.names == ("h1", "h2")
    assert told["rack", "temp_c_avg"].count.tolist() == [12.0] * 4
    assert told["site", "gpu_power_w_sum"].values == pytest.approx([48 * 700], rel=0.002)
    parts = listener.hear(server.step(gauge(np.full(48, 81.0), at=server.at + 1)))
    now = {(part.keys.level, part.field): part for part in of_type(parts, AggregatePart)}
    assert now["site", "temp_c_max"].values.tolist() == [81.0]
    assert now["site", "gpu_power_w_sum"].values.tolist() == told["site", "gpu_power_w_sum"].values.tolist()
    assert now["hall", "temp_c_max"].keys is told["hall", "temp_c_max"].keys  # joins are kept by the keys object


def test_what_is_looked_at_comes_by_itself_and_only_what_changed_of_it():
    server = some_server(sweep_s=600)
    listener = attached(server)
    values = np.arange(48) + 30.0
    values[13] = 99.0
    server.step(gauge(values, at=server.at + 1))
    (part,) = listener.hear([server.encoder.focus(server.snapshot, "muc1/h1/r002")])
    assert isinstance(part.keys, SomeRows)
    assert (part.metric, part.keys.rows[[0, -1]].tolist(), part.full) == ("temp_c", [12, 23], False)
    assert listener.merger.frame(NOW).columns["temp_c"].values[[12, 13, 14]].tolist() == [42.0, 99.0, 44.0]
    server.step()
    assert listener.hear([server.encoder.focus(server.snapshot, "muc1/h1/r002")]) == []


def test_of_many_gpus_the_nodes_that_are_looked_at_come():
    server = Server(small_site(halls=2, racks=1, nodes=520, gpus=8))
    temps = np.full(8320, 50.0)
    server.step(gauge(temps), gauge(np.full(1040, 900.0), "host_power_w", "node"))
    listener = attached(server)
    temps[4160:4168] = 77.0
    server.step(gauge(temps, at=server.at + 1), gauge(np.full(1040, 950.0), "host_power_w", "node", at=server.at + 1))
    parts = listener.hear([server.encoder.focus(server.snapshot, "muc1/h2")])
    assert {part.field for part in of_type(parts, AggregatePart)} == {"temp_c_max", "temp_c_avg"}
    frame = listener.merger.frame(server.at)
    assert frame.rollups["temp_c"].maxima[Level.NODE][[519, 520, 521]].tolist() == [50.0, 77.0, 50.0]
    assert frame.columns["host_power_w"].values[[519, 520]].tolist() == [900.0, 950.0]


def test_a_value_that_goes_back_while_its_column_came_by_is_told():
    server = some_server(sweep_s=1.0)
    listener = attached(server)
    for top in (99.0, 42.0, 99.0):
        values = np.arange(48) + 30.0
        values[13] = top
        listener.hear(server.step(gauge(values, at=server.at + 1), dt=5))
        listener.hear([server.encoder.focus(server.snapshot, "muc1/h1/r002")])
        assert listener.merger.frame(NOW).columns["temp_c"].values[13] == top


def test_silent_gpus_are_missing_in_every_metric():
    server = some_server(sweep_s=600)
    listener = attached(server)
    temps, power = np.arange(48) + 30.0, np.full(48, 700.0)
    temps[7] = power[7] = NAN
    listener.hear(server.step(gauge(temps, at=server.at + 1), gauge(power, "power_w", at=server.at + 1), dt=2))
    frame = listener.merger.frame(NOW)
    assert np.flatnonzero(~frame.reporting).tolist() == [7]
    listener.holds_what(server)


def test_our_own_name_stands_in_place_of_the_servers():
    sign = Sign("check:hot", "muc1", Severity.WARNING, "hot", "text", "muc1/h1", NOW, ("muc1/h1/r001",))
    one = Incident("muc1-1", AlertState.ACKNOWLEDGED, sign, NOW, NOW, NOW, Severity.CRITICAL,
                   acknowledgement=Acknowledgement("ada", NOW, Severity.WARNING, "mine"))  # fmt: skip
    note = Note("1", "muc1", "node:muc1/n0001", "ada", NOW, "fan replaced")
    event = Event(NOW, "muc1", "muc1/h1", "note", Severity.INFO, "words", "prom")
    server = Server(small_site())
    server.step(gauge(np.arange(48)), EventsPart((event,)), incidents=(one,), notes=(note,))
    listener = attached(server, site="north")
    judged = of_type(listener.parts, JudgedPart)[-1].judged
    (incident,) = judged.incidents
    assert (incident.site, incident.sign.path, incident.sign.paths) == ("north", "north/h1", ("north/h1/r001",))
    assert incident.acknowledgement == one.acknowledgement
    assert (judged.notes[0].site, judged.notes[0].subject) == ("north", "node:north/n0001")
    assert of_type(listener.parts, EventsPart)[0].events == (replace(event, site="north", path="north/h1"),)
    assert listener.merger.topology.site == "north"


def everything(site="muc1"):
    sign = Sign(
        "check:hot", site, Severity.WARNING, "hot", "text", site, NOW, (site,), 3, False, 4, Level.NODE, ("7",), ("x",)
    )
    return {
        "incidents": (
            Incident(f"{site}-1", AlertState.FIRING, sign, NOW, NOW, NOW, Severity.CRITICAL, 0.0, 2, keeper="s"),
        ),
        "findings": (Finding("d", "f", site, Level.GPU, "k", site, Severity.CRITICAL, "t", ("e",), NOW, "prom"),),
        "checks": (
            CheckResult("hot", Severity.WARNING, 1, 2, 3, NOW, (site,), "t", Level.NODE, 1, 2, Severity.CRITICAL,
                        ("7",),
                        ((site, 1, 2),), True, "title", (SiteHits(site, NOW, (site,), ("7",)),)),
        ),
        "sources": (
            SourceStatus(site, "prom", "prometheus", "http://x", SourceState.SLOW, NOW, 15.0, 45.0, NOW, NOW, "e", 1,
                         NOW,
                         5.0, 0.1, 0.2, 10, 20, 1.0, 2.0, 3, -0.5, ("w",), {"a": "b"}),
        ),
        "notes": (Note("1", site, f"node:{site}/n1", "ada", NOW, "text"),),
        "views": (SharedView("mine", "ada", NOW, "{}"),),
        "memories": (MemoryStatus(site, "own", "/var/lib/x", "full", "serve1"),),
        "notices": ("the disk is full",),
    }  # fmt: skip


def test_everything_that_was_judged_arrives_as_it_was():
    from console.model.disagreements import Disagreements

    rows = (
        Disagreement(
            "drained", "muc1", "muc1/h1", Severity.WARNING, "t", NOW, (Statement("slurm", "DRAIN", NOW, True),)
        ),
    )
    found = Disagreements(rows, {"drained": 1}, 12, 2, NOW, (("muc1", 1, 2),), 1, ("muc1/h1",))
    server = Server(small_site())
    given = everything()
    server.step(disagreements=found, **given)
    judged = of_type(attached(server).parts, JudgedPart)[-1].judged
    assert (judged.keeper, judged.at, judged.memory) == ("serve1", server.at, given["memories"][0])
    for name in ("incidents", "findings", "checks", "sources", "notes", "views", "notices"):
        assert getattr(judged, name) == given[name], name
    assert (judged.disagreements, judged.disagreement_counts, judged.nodes) == (rows, (("drained", 1),), (12, 2, 1))


def test_what_changed_of_what_was_judged_is_put_into_the_rest():
    server = Server(small_site())
    given = everything()
    server.step(**given)
    listener = attached(server)
    more = (*given["notes"], Note("2", "muc1", "site:muc1", "bob", NOW, "second"))
    parts = listener.hear(server.step(**{**given, "notes": more}))
    judged = of_type(parts, JudgedPart)[-1].judged
    assert judged.notes == more
    assert judged.incidents == given["incidents"]
    parts = listener.hear(server.step(**{**given, "notes": more[1:], "incidents": ()}))
    judged = of_type(parts, JudgedPart)[-1].judged
    assert (judged.notes, judged.incidents, judged.views) == (more[1:], (), given["views"])


def test_words_of_a_newer_server_are_no_fault():
    server = some_server()
    opening = server.encoder.opening()
    listener = Listener()
    listener.hear(opening)
    note = {"id": "9", "site": "muc1", "subject": "site:muc1", "author": "ada", "at": 1.0, "text": "t", "colour": "red"}
    finding = {**dict.fromkeys(("detector", "fault", "key", "text"), "x"), "site": "muc1", "path": "muc1",
               "level": "row",
               "severity": "dire"}  # fmt: skip
    lists = {"notes": {"full": True, "rows": [note]}, "findings": {"full": True, "rows": [finding]}}
    (part,) = listener.hear(
        [
            framed(server.encoder.seq + 1, "judged", {"at": 2.0, "mood": "good", **lists}),
            framed(server.encoder.seq + 2, "weather", {"sun": 1}),
        ]
    )
    assert part.judged.notes[0].text == "t"
    assert part.judged.findings[0].severity is Severity.UNKNOWN
    assert listener.decoder.seq == server.encoder.seq + 2


def test_a_record_that_is_missing_is_noticed_and_a_beginning_goes_on_from_anywhere():
    server = some_server()
    listener = attached(server)
    first, second = server.step(), server.step()
    with pytest.raises(BadPayload, match="came after record"):
        listener.hear(second)
    listener.hear([*server.encoder.opening(), *server.step()])
    assert listener.decoder.seq == server.encoder.seq
    assert first


def test_metrics_and_fields_that_we_do_not_know_are_passed_over():
    server = some_server()
    few = MetricTable([BUILTIN["temp_c"]])
    listener = attached(server, metrics=few)
    assert {part.metric for part in of_type(listener.parts, ColumnPart)} == {"temp_c"}
    assert {part.field for part in of_type(listener.parts, AggregatePart)} == {"temp_c_max", "temp_c_avg"}
    listener.hear(server.step(gauge(np.full(48, 9.0), "power_w")))


def test_each_voice_keeps_its_name():
    server = some_server()
    keys = names(server)
    reports = NodeReportsPart(
        keys, (NodeState("IDLE", ("DRAIN",)),), np.zeros(12, dtype=np.int32), np.full(12, 4, dtype=np.int16),
        np.full(12, 2, dtype=np.int16), {3: NodeReason("bad fan", NOW, "ada")}, NOW,
    )  # fmt: skip
    alert = Alert("a1", AlertState.FIRING, Severity.WARNING, "NodeDown", "muc1", "", NOW, origin="am",
                  labels=(("instance", "n0002"),), text="down", silenced_by=("bob",), heard_at=NOW)  # fmt: skip
    server.step(reports, source="slurm-a")
    server.step(FactsPart("driver", keys, ("570", *["580"] * 11), NOW), source="ssh")
    server.step(ReservationsPart((Reservation("maint", ("n0001",), NOW, 0.0, ("MAINT",)),), NOW), source="slurm-b")
    server.step(AlertsPart((alert,)), source="am")
    frame = attached(server).merger.frame(NOW)
    ours = server.frame
    assert list(frame.reports) == ["slurm-a"]
    assert frame.reports["slurm-a"].report(3) == ours.reports["slurm-a"].report(3)
    assert list(frame.facts) == [("ssh", "driver")]
    assert frame.facts["ssh", "driver"].texts == ("570", "580")
    assert frame.fact_domains["driver"].of(0) == ("570",)
    assert frame.reservations == ours.reservations
    assert frame.alerts == ours.alerts
    assert frame.alerts[0].path == "muc1/h1/r001/n0002"


def test_an_alert_and_a_reservation_that_are_over_go_away():
    server = some_server()
    alert = Alert("a1", AlertState.FIRING, Severity.WARNING, "NodeDown", "muc1", "", NOW, origin="am", heard_at=NOW)
    server.step(AlertsPart((alert,)), source="am")
    server.step(ReservationsPart((Reservation("maint", ("n0001",)),)), source="slurm")
    listener = attached(server)
    assert listener.merger.frame(NOW).alerts
    listener.hear(server.step(AlertsPart((replace(alert, heard_at=NOW + 9),)), source="am"))
    assert listener.merger.frame(NOW).alerts[0].heard_at == NOW + 9
    listener.hear(server.step(AlertsPart(()), source="am"))
    listener.hear(server.step(ReservationsPart(()), source="slurm"))
    frame = listener.merger.frame(NOW)
    assert frame.alerts == ()
    assert not any(frame.reservations.values())


def test_of_reports_only_what_changed_is_told():
    server = some_server()
    keys, states = names(server), (NodeState("IDLE"), NodeState("DOWN"))
    counts = np.full(12, 4, dtype=np.int16)
    reasons = {row: NodeReason(f"reason {row}", NOW) for row in range(12)}
    server.step(
        NodeReportsPart(keys, states, np.zeros(12, dtype=np.int32), counts, counts, reasons, NOW), source="slurm"
    )
    listener = attached(server)
    codes = np.zeros(12, dtype=np.int32)
    codes[5] = 1
    later = NodeReportsPart(keys, states, codes, counts, counts, dict(reasons), NOW + 30)
    records = server.step(later, source="slurm", dt=10)
    assert sum(len(each.data) for each in records if each.kind == "reports") < 150
    listener.hear(records)
    report = listener.merger.frame(NOW).reports["slurm"]
    assert report.report(5).state == NodeState("DOWN")
    assert (report.reasons, report.at) == (reasons, NOW + 30)


def job(name, **more):
    return Job(name, "train", "ada", JobState.RUNNING, 4, 2, **more)


def test_jobs_arrive_with_all_that_is_known_of_them():
    rows = (
        job("1", time_limit_s=float("inf"), tasks=3, words="RUNNING+SIGNALING", array="9", restarts=1, exit_code=2,
            exit_signal=9, requeue=True, output="/x", comment="c", features="f", reservation="r"),
        job("2", time_limit_s=60.0, requeue=False),
    )  # fmt: skip
    part = JobsPart(rows, node_lists=(("n0001", "n0002"), ("n0002",)), gpu_masks=((-1, 3), (12,)), at=NOW)
    server = some_server()
    server.step(part, source="slurm")
    jobs = attached(server).merger.frame(NOW).jobs
    ours = server.frame.jobs
    assert jobs.rows == rows
    assert jobs.gpu_job.tolist() == ours.gpu_job.tolist()
    assert jobs.gpu_job[:8].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert (jobs.node_starts.tolist(), jobs.node_rows.tolist()) == (ours.node_starts.tolist(), ours.node_rows.tolist())


def test_a_time_that_cannot_be_costs_no_list():
    rows = (job("1", start_at=-5.0, end_at=float("nan"), submit_at=1e15),)
    server = some_server()
    server.step(JobsPart(rows, node_lists=(("n0001",),), at=NOW), source="slurm")
    (told,) = attached(server).merger.frame(NOW).jobs.rows
    assert (told.start_at, told.end_at, told.submit_at) == (0.0, 0.0, 0.0)


def test_a_job_that_changed_keeps_its_gpus_and_one_that_ends_frees_them():
    server = some_server()
    held = np.repeat(np.arange(4, dtype=np.int32), 12)
    rows = tuple(job(str(i)) for i in range(4))
    server.step(JobsPart(rows, gpu_job=held, version=1, at=NOW))
    listener = attached(server)
    changed = (job("new"), rows[1], replace(rows[3], comment="late"))
    now = np.array([-1] * 12 + [1] * 12 + [0] * 12 + [2] * 12, dtype=np.int32)
    listener.hear(server.step(JobsPart(changed, gpu_job=now, version=1, at=NOW + 30), dt=10))
    jobs = listener.merger.frame(NOW).jobs
    assert jobs.rows == changed
    assert jobs.gpu_job.tolist() == now.tolist()
    assert listener.decoder.jobs == changed


def test_events_that_are_told_once_more_are_not_new():
    event = Event(NOW, "muc1", "muc1", "note", Severity.INFO, "words")
    server = some_server(EventsPart((event,)))
    listener = attached(server)
    assert not of_type(listener.hear(server.encoder.opening()), EventsPart)
    again = Server(small_site())  # the other serve of the site, with a log of its own
    again.step(EventsPart((event, replace(event, at=NOW + 1))))
    (part,) = of_type(listener.hear(again.encoder.opening()), EventsPart)
    assert [each.at for each in part.events] == [NOW + 1]


def test_the_same_topology_told_again_is_the_same_object():
    server = some_server()
    listener = attached(server)
    topology = listener.decoder.topology
    listener.hear(server.encoder.opening())
    assert listener.decoder.topology is topology


def test_times_of_samples_are_turned_into_ours_and_those_of_people_are_not():
    server = some_server()
    listener = Listener()
    listener.decoder.behind_s = -30.0
    listener.hear(server.encoder.opening())
    assert listener.merger.frame(NOW).data_at == NOW - 30.0
    assert of_type(listener.parts, JudgedPart)[0].judged.at == server.at


@pytest.mark.parametrize(
    ("kind", "members", "words"),
    [
        ("column", {"version": 9}, "topology version 9, which was not told"),
        ("column", {"level": "node"}, "measured by gpu, not by 'node'"),
        ("column", {"dtype": "f2"}, "type 'f2'"),
        ("column", {"data": bytes(47)}, "47 bytes of i1 for 48 rows"),
        ("column", {"quantum": 0.0}, "steps of 0.0"),
        ("column", {"quantum": float("nan")}, "steps of nan"),
        ("column", {"at": -1.0}, "no time in epoch seconds"),
        ("column", {"data": b"\x80" * 48}, "out of range"),
        ("column", {"dtype": "f4", "full": False, "data": bytes(192)}, "difference of floats"),
        ("column", {"metric": "util_pct", "full": False}, "difference to what was not told"),
        ("column", {"metric": "util_pct", "full": False, "data": b""}, "were not told before"),
    ],
)
def test_what_is_wrong_with_a_column_is_said(kind, members, words):
    listener = attached(some_server())
    sound = {"metric": "temp_c", "level": "gpu", "version": 1, "at": NOW, "full": True, "dtype": "i1",
             "data": bytes(48),
             "quantum": 1.0, "base": 0.0}  # fmt: skip
    with pytest.raises(BadPayload, match=words):
        listener.hear([framed(0, kind, {**sound, **members})])


@pytest.mark.parametrize(
    ("kind", "members", "words"),
    [
        ("range", {"start": 40, "stop": 49, "columns": {}}, "gpus 40 to 49 of 48"),
        ("range", {"start": 4, "stop": 4, "columns": {}}, "gpus 4 to 4"),
        ("silent", {"count": 49, "rows": {"full": True, "dtype": "i1", "data": bytes(49)}}, "49 GPUs of 48"),
        ("silent", {"count": 1, "rows": {"full": True, "dtype": "i1", "data": b"\x60"}}, "beyond the 48"),
        ("jobs", {"full": False, "edits": [[0, 1]]}, "keep rows 0 and 1 on of 0"),
        ("jobs", {"full": True}, "not listed"),
        ("facts", {"voice": "v", "fact": "x", "texts": [], "codes": {"full": True, "dtype": "i1", "data": bytes(12)}},
         "beyond their 0 texts"),
        ("reports", {"voice": "v", "states": [[]]}, "state without a word"),
        ("reports", {"voice": "v", "states": [["IDLE"]], "reasons": [[12, "t", 1.0, ""]]}, "beyond the 12"),
        ("reports", {"voice": "v", "states": [["IDLE"]]}, "no whole numbers"),
        ("topology", {"tag": "t", "body": b"abc"}, "topology is not as"),
        ("judged", {"notes": {"full": True, "rows": [{"id": 1}]}}, "notes are not as"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_another_record_is_said(kind, members, words):
    listener = attached(some_server())
    with pytest.raises(BadPayload, match=words):
        listener.hear([framed(0, kind, {"version": 1, "at": NOW, "level": "gpu", **members})])


def test_a_record_that_unpacks_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("console.sources.site_stream.MOST_BODY_BYTES", 1000)
    with pytest.raises(BadPayload, match="cut off, or more than 1000"):
        Listener().hear([framed(1, "beat", {"data": bytes(5000)})])


def test_a_long_list_is_read_in_short_steps():
    server = some_server()
    server.step(JobsPart(tuple(job(str(i)) for i in range(2000)), node_lists=((),), at=NOW), source="slurm")
    parts = attached(server).parts
    pauses = [part for part in of_type(parts, EventsPart) if not part.events]
    assert len(pauses) >= 7
    assert len(of_type(parts, JobsPart)[-1].jobs) == 2000
