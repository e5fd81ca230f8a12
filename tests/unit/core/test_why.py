from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.core.why import explain
from console.core.why.folding import folded
from console.model.errors import TargetError
from console.model.events import Alert, AlertState, Event
from console.model.jobs import EndedRun, Job, Jobs, JobState
from console.model.levels import Severity
from console.model.scheduling import NodeReason, NodeReports, NodeState
from console.model.snapshot import SourceState
from console.model.why import Hearing, Moment
from console.model.xid import xid_of
from console.present.why import relative, why_text
from tests.support.panels import NOW, site_frame, snapshot, source

END = NOW - 300
N1, N2, N9 = "muc1/h1/r001/n0001", "muc1/h1/r001/n0002", "muc1/h1/r003/n0009"
FAILED = Job("7", "llm", "ada", JobState.NODE_FAIL, 16, 2, cluster="muc", start_at=END - 7200, end_at=END, restarts=0)


def xid(code, at, path=f"{N1}/g3", text=""):
    text = text or f"XID {code} {xid_of(code).meaning} (0000:9b:00); {xid_of(code).advice}"
    return Event(at, "muc1", path, "xid", xid_of(code).severity, text, "ssh")


def event(kind, at, path=N1, severity=Severity.CRITICAL, text=""):
    return Event(at, "muc1", path, kind, severity, text or kind, "ssh")


def shot(*events, job=FAILED, nodes=(0, 1), sources=("slurm", "ssh"), **more):
    """Return a snapshot of a job that has ended on these nodes, as Slurm tells it."""
    site = site_frame("muc1")
    free = np.full(site.topology.gpus, -1, dtype=np.int32)
    starts = np.array([0, len(nodes)], dtype=np.int32)
    jobs = Jobs((job,), free, NOW, "slurm", starts, np.array(nodes, dtype=np.int32))
    site = replace(site, jobs=jobs, events=tuple(events), **more)
    told = [replace(source("muc1", kind), kind=kind) for kind in sources]
    return snapshot((site, replace(site_frame("bcn1"), jobs=Jobs())), sources=tuple(told))


def reports(row, text, at, words="DOWN"):
    states = (NodeState("IDLE"), NodeState(*words.split("+")[:1], tuple(words.split("+")[1:])))
    codes = np.zeros(24, dtype=np.int32)
    codes[row] = 1
    gpus = np.full(24, 8, dtype=np.int16)
    return {"slurm": NodeReports(states, codes, gpus, gpus, {row: NodeReason(text, at, "slurm")}, NOW, "slurm")}


def moment(code, at, path=f"{N1}/g3", kind="xid"):
    return Moment(at, path, kind, "kernel log", xid_of(code).severity, f"XID {code}", code)


def test_the_first_xid_is_the_suspect_and_those_of_its_making_are_folded_under_it():
    chain = [xid(79, END - 8), xid(45, END - 7), *(xid(154, END - 6, f"{N1}/g{gpu}") for gpu in range(8))]
    report = explain(shot(*chain, reports=reports(0, "Not responding", END + 20)), "job:7")
    suspect = report.suspect
    assert suspect is not None
    assert (suspect.kind, suspect.path, suspect.at, suspect.likely) == ("xid", f"{N1}/g3", END - 8, True)
    assert suspect.text.startswith("XID 79 GPU has fallen off the bus")
    assert suspect.evidence[:2] == ("the kernel log told of it, 8 s before the end", "9 sympathetic ones followed")
    assert any("slurm: DOWN: Not responding" in each and "28 s later" in each for each in suspect.evidence)
    assert [each.kind for each in report.moments] == ["xid", "job-end", "down"]
    assert len(report.moments[0].folded) == 9
    assert (report.at, report.at_is) == (END, "the job's end")
    assert (report.begin_at, report.end_at) == (END - 300, END + 300)


def test_the_order_in_which_events_were_heard_changes_nothing():
    chain = [
        xid(48, END - 30),
        xid(63, END - 30 + 0.2),
        xid(94, END - 29),
        xid(45, END - 20),
        xid(79, END - 5, f"{N2}/g0"),
    ]
    expected = explain(shot(*chain), "job:7")
    rng = np.random.default_rng(2)
    for _ in range(10):
        again = explain(shot(*(chain[i] for i in rng.permutation(len(chain)))), "job:7")
        assert (again.suspect, again.moments) == (expected.suspect, expected.moments)
    assert expected.suspect is not None
    assert "XID 48" in expected.suspect.text


@pytest.mark.parametrize(
    ("codes", "roots"),
    [
        ([(48, 0), (63, 1), (94, 1), (45, 2), (154, 3)], [48]),
        ([(45, 0), (79, 1)], [45, 79]),  # what cleans up is no root of a graver one
        ([(79, 0), (79, 61)], [79, 79]),  # a minute later it is another one
        ([(43, 0), (43, 5), (43, 20)], [43]),
        ([(13, 0), (79, 5)], [13, 79]),
        ([(62, 0), (45, 1), (119, 2), (154, 3)], [62]),
        ([(48, 0), (119, 5)], [48, 119]),
    ],
)
def test_which_xids_follow_which(codes, roots):
    told = folded([moment(code, NOW + after_s) for code, after_s in codes])
    assert [each.code for each in told] == roots
    assert sum(len(each.folded) for each in told) == len(codes) - len(roots)


def test_details_of_a_memory_error_belong_to_the_same_gpu():
    told = folded([moment(48, NOW), moment(94, NOW + 1, f"{N2}/g0")])
    assert [each.code for each in told] == [48, 94]


@pytest.mark.parametrize(
    ("events", "kind", "likely"),
    [
        ([event("oom", END - 3, text="out of memory: python"), xid(13, END - 2)], "oom", True),
        ([event("link", END - 60, text="mlx5_0 link down"), xid(43, END - 5)], "link", True),
        (
            [event("storage", END - 60, severity=Severity.WARNING, text="nfs: server fs1 not responding")],
            "storage",
            False,
        ),
        ([event("panic", END - 1)], "panic", True),
        ([xid(31, END - 5)], "xid", False),
        ([event("cooling-flow-lost", END - 100, "muc1/h1")], "cooling-flow-lost", True),
    ],
)
def test_the_gravest_thing_before_the_end_is_the_suspect(events, kind, likely):
    suspect = explain(shot(*events), "job:7").suspect
    assert suspect is not None
    assert (suspect.kind, suspect.likely) == (kind, likely)


def test_what_comes_after_the_end_elsewhere_or_is_repaired_is_no_cause():
    others = [
        xid(79, END + 100),
        xid(79, END - 5, f"{N9}/g0"),
        event("gpu-off-bus-repaired", END - 5, severity=Severity.INFO),
    ]
    report = explain(shot(*others, xid(45, END - 3, f"{N9}/g1")), "job:7")
    assert report.suspect is None
    assert report.verdict == "no cause seen"
    assert f"{N9}/g0" not in {each.path for each in report.moments}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("TIMEOUT", "reached its time limit of 2.0 h"),
        ("CANCELLED", "it was cancelled"),
        ("PREEMPTED", "took its nodes for another job"),
        ("OUT_OF_MEMORY", "out of memory, as the scheduler says"),
    ],
)
def test_what_the_scheduler_did_itself_is_no_riddle(state, words):
    job = replace(FAILED, state=JobState(state), time_limit_s=7200.0)
    suspect = explain(shot(xid(13, END - 5), job=job), "job:7").suspect
    assert suspect is not None
    assert suspect.kind == "scheduler"
    assert words in suspect.text
    assert any("XID 13" in each for each in suspect.evidence)
    hung = explain(shot(xid(79, END - 50), job=job), "job:7").suspect
    assert hung is not None
    assert hung.kind == "xid"


def test_a_program_that_ends_itself_is_told_as_such_with_the_silent_voices():
    job = replace(FAILED, state=JobState.FAILED, reason="NonZeroExitCode", exit_code=3, exit_signal=0)
    report = explain(shot(job=job, sources=("slurm", "prometheus")), "job:7")
    assert report.suspect is None
    assert "no cause seen: its program ended (FAILED, NonZeroExitCode, exit code 3)" in report.verdict
    hearing = {voice.name: voice.hearing for voice in report.voices}
    assert hearing == {
        "scheduler": Hearing.HEARD,
        "kernel log": Hearing.MISSING,
        "telemetry": Hearing.SILENT,
        "alerts": Hearing.MISSING,
        "BMC": Hearing.MISSING,
        "storage metrics": Hearing.MISSING,
    }
    assert any("kernel logs were not heard" in voice.text for voice in report.voices)


def test_a_source_that_fails_is_late_and_not_silent():
    shown = shot(sources=("slurm",))
    bad = replace(source("muc1", "ssh", SourceState.FAILING, last_error="jump refuses"), kind="ssh")
    late = replace(shown, sources=(*shown.sources, bad))
    voice = next(each for each in explain(late, "job:7").voices if each.name == "kernel log")
    assert voice.hearing is Hearing.LATE
    assert "jump refuses" in voice.text


def test_jobs_that_wait_run_or_completed():
    waiting = replace(FAILED, state=JobState.PENDING, reason="Resources", start_at=0.0, end_at=0.0)
    assert explain(shot(job=waiting, nodes=()), "job:7").verdict == "it waits: Resources"
    running = replace(FAILED, state=JobState.RUNNING, end_at=0.0)
    report = explain(shot(job=running), "job:7")
    assert (report.at_is, report.end_at) == ("now", NOW)
    assert report.verdict.startswith("no cause seen: the job runs")
    done = replace(FAILED, state=JobState.COMPLETED)
    assert explain(shot(xid(79, END - 5), job=done), "job:7").suspect is None


def test_a_job_that_its_scheduler_forgot_is_remembered_with_its_nodes():
    run = EndedRun(FAILED, ("n0001", "n0002"), NOW - 100)
    shown = shot(xid(79, END - 5), job=replace(FAILED, id="8", state=JobState.RUNNING), nodes=(9,), ended=(run,))
    report = explain(shown, "job:7")
    assert (report.nodes, report.suspect is not None) == ((N1, N2), True)


def test_a_node_is_asked_about_its_latest_fault():
    shown = shot(xid(74, NOW - 4000), reports=reports(0, "nvlink", NOW - 3990, "IDLE+DRAIN"))
    report = explain(replace(shown, frame=replace(shown.frame, sites=shown.frame.sites[:1])), "n0001")
    assert (report.at, report.at_is, report.kind) == (NOW - 3990, "its latest fault", "node")
    assert report.suspect is not None
    assert "XID 74" in report.suspect.text
    gpu = explain(shown, f"{N1}/g3")
    assert (gpu.kind, gpu.nodes) == ("gpu", (N1,))
    other = explain(shown, f"{N1}/g4")
    assert all(each.kind != "xid" for each in other.moments)


def test_alerts_of_others_and_jobs_that_ended_there_are_in_the_time_line():
    alert = Alert("a", AlertState.FIRING, Severity.CRITICAL, "LinkDown", "muc1", N2, END - 40, origin="alertmanager")
    run = EndedRun(replace(FAILED, id="9", name="sft", state=JobState.FAILED, end_at=END + 1), ("n0002",), NOW)
    report = explain(shot(alerts=(alert,), ended=(run,)), "job:7")
    assert [each.kind for each in report.moments] == ["alert", "job-end", "job"]
    assert report.suspect is not None
    assert (report.suspect.kind, report.suspect.likely) == ("alert", False)
    assert any("job 9 sft (ada) ended: FAILED" in each for each in report.suspect.evidence)


def test_another_time_and_window_may_be_asked_for():
    report = explain(shot(xid(79, NOW - 7000)), "job:7", at=NOW - 6900, window_s=400)
    assert (report.at_is, report.begin_at, report.end_at) == ("the time asked for", NOW - 7100, NOW - 6700)
    assert report.suspect is not None


@pytest.mark.parametrize("name", ["job:99", "nonsense", "", "job:", "muc1/h9", "GPU-nonsense"])
def test_what_is_not_known_is_a_usage_error(name):
    with pytest.raises(TargetError):
        explain(shot(), name)


def test_a_name_of_two_sites_lists_both_and_a_site_alone_is_too_much():
    with pytest.raises(TargetError, match="muc1/h1/r001/n0001, bcn1/h1/r001/n0001"):
        explain(shot(), "n0001")
    assert explain(shot(), "bcn1:n0001").site == "bcn1"
    with pytest.raises(TargetError, match="whole site"):
        explain(shot(), "muc1")


def test_uuids_and_aliases_and_racks_are_understood():
    shown = shot()
    shown = replace(shown, frame=replace(shown.frame, sites=shown.frame.sites[:1]))
    topology = shown.frame.sites[0].topology
    assert explain(shown, topology.uuid(3)).subject.endswith("g3")
    assert len(explain(shown, "muc1/h1/r002").nodes) == 4


def test_words_from_outside_are_made_safe():
    evil = "\x1b[31m[bold]\u202egpu\r\n" + "x" * 3000
    job = replace(FAILED, name=evil, reason=evil, comment=evil, output=evil)
    alert = Alert("a", AlertState.FIRING, Severity.CRITICAL, evil, "muc1", N2, END - 40, origin=evil, text=evil)
    text = why_text(explain(shot(event("oom", END - 3, text=evil), job=job, alerts=(alert,)), "job:7"))
    for line in text.lines:
        assert all("\x1b" not in span.text and "\u202e" not in span.text for span in line)
    assert "\x1b" not in text.title


def test_distances_are_told_as_clocks_do():
    assert [relative(each) for each in (-8, 0, 65, -3661, 0.4)] == ["-0:08", "+0:00", "+1:05", "-1:01:01", "+0:00"]


def test_the_time_line_is_bounded_and_keeps_the_gravest():
    many = [event("crash", END - 200 + i / 10, severity=Severity.WARNING, text=f"crash {i}") for i in range(900)]
    report = explain(shot(*many, xid(79, END - 1)), "job:7")
    assert len(report.moments) == 200
    assert report.left_out == 702
    assert any(each.code == 79 for each in report.moments)


def test_standing_facts_have_no_time_but_are_told():
    site = site_frame("muc1")
    xids = np.zeros(site.topology.gpus, dtype=np.float32)
    xids[3] = 79
    columns = {**site.columns, "xid": replace(site.columns["temp_c"], metric="xid", values=xids)}
    reporting = site.reporting.copy()
    reporting[3] = False
    report = explain(shot(columns=columns, reporting=reporting), "job:7")
    facts = dict(report.facts)
    assert "79 GPU has fallen off the bus on n0001/g3" in facts["last XID"]
    assert facts["silent GPUs"] == "1 of 16 report nothing: n0001/g3"
    assert report.verdict.startswith("no cause seen; silent GPUs: 1 of 16")


@pytest.mark.parametrize(
    ("kind", "voice"),
    [
        ("leak", "BMC"),
        ("bmc_log", "BMC"),
        ("cooling-flow-lost", "facility"),
        ("gpu-lost", "telemetry"),
        ("oom", "kernel log"),
    ],
)
def test_each_kind_of_event_has_its_voice(kind, voice):
    report = explain(shot(event(kind, END - 5)), "job:7")
    assert [each.voice for each in report.moments if each.kind == kind] == [voice]
    assert next(each.hearing for each in report.voices if each.name == voice) is Hearing.HEARD
