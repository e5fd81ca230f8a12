from __future__ import annotations

import pytest

from console.core.check_words import disagreement_words
from console.core.disagreements.hearing import hearing_of
from console.core.disagreements.stances import stance
from console.core.disagreements.words import voices_of
from console.core.inventory import build_topology
from console.model.events import Alert, AlertState
from console.model.inventory import NodeSpec
from console.model.levels import Severity
from console.model.reading import TopologyPart
from console.model.scheduling import NodeReason, NodeState
from console.model.snapshot import SourceState, SourceStatus
from tests.support.voices import CORDONED, DOWN, DRAINED, IDLE, MIXED, NOW, READY, Voices, node_names

NAMES = node_names(6)
ALL_IDLE = dict.fromkeys(NAMES, IDLE)


@pytest.fixture
def site() -> Voices:
    voices = Voices(NAMES)
    voices.telemetry()
    return voices


def test_voices_that_agree_are_no_news(site):
    site.scheduler("slurm", ALL_IDLE)
    site.scheduler("kubernetes", dict.fromkeys(NAMES, READY))
    found = site.judged()
    assert (found.rows, found.total, found.unjudged, found.nodes) == ((), 0, 0, 6)


def test_drained_there_and_schedulable_here(site):
    site.scheduler("slurm", ALL_IDLE | {"n02": DRAINED}, reasons={"n02": NodeReason("XID 79", NOW - 900, "ada")})
    site.scheduler("kubernetes", dict.fromkeys(NAMES, READY) | {"n03": CORDONED})
    rows = site.rows("drained-elsewhere")
    assert set(rows) == {"n02", "n03"}
    assert rows["n02"].path == "muc1/h1/r1/n02"
    assert "slurm: IDLE+DRAIN, XID 79 (ada)" in rows["n02"].text
    assert "kubernetes: Ready" in rows["n02"].text
    assert {voice.voice for voice in rows["n02"].voices} == {"slurm", "kubernetes", "telemetry", "inventory"}


def test_allocated_but_idle_for_an_hour(site):
    site.scheduler("slurm", dict.fromkeys(NAMES, MIXED), held={"n01": 4, "n02": 4})
    busy = {"n01": 0.0}
    site.telemetry(busy)
    assert not site.judged().counts
    early = site.judged(after_s=61)
    assert not early.total, "nothing that somebody should look at yet"
    assert not early.rows, "its data are older than a minute: nobody can tell"
    for _ in range(61):
        site.now += 60
        site.telemetry(busy)
        site.scheduler("slurm", dict.fromkeys(NAMES, MIXED), held={"n01": 4, "n02": 4})
        last = site.judged()
    assert last.counts == {"allocated-idle": 1}
    assert last.rows[0].path.endswith("n01")
    assert last.rows[0].since == NOW


def test_a_node_that_idles_for_a_minute_is_told_with_its_time_and_asks_for_nothing(site):
    held = {"n01": 4}
    for _ in range(3):
        site.telemetry({"n01": 0.0})
        site.scheduler("slurm", dict.fromkeys(NAMES, MIXED), held=held)
        last = site.judged()
        site.now += 31
    assert last.counts == {"allocated-idle-lately": 1}
    assert (last.rows[0].severity, last.rows[0].since, last.total) == (Severity.INFO, NOW, 0)


def test_work_ends_the_hour(site):
    held = {"n01": 4}
    for minute in range(90):
        site.now += 60
        site.telemetry({"n01": 90.0 if minute == 45 else 0.0})
        site.scheduler("slurm", dict.fromkeys(NAMES, MIXED), held=held)
        last = site.judged()
    assert last.counts == {"allocated-idle-lately": 1}


def test_fewer_gpus_report_than_there_are(site):
    site.telemetry(lost=1)
    rows = site.rows("gpus-silent")
    assert set(rows) == {"n06"}
    assert "3 of 4 GPUs report" in rows["n06"].text


def test_known_to_one_side_alone(site):
    site.scheduler("slurm", {name: IDLE for name in NAMES if name != "n01"} | {"n99": IDLE})
    site.move([*NAMES, "n07"])
    site.scheduler("slurm", {name: IDLE for name in site.names if name != "n01"} | {"n99": IDLE})
    found = site.judged()
    assert found.counts == {"unknown-name": 1, "unknown-to-scheduler": 1, "unknown-to-telemetry": 1}
    by_kind = {row.kind: row for row in found.rows}
    assert by_kind["unknown-to-scheduler"].path.endswith("n01")
    assert by_kind["unknown-to-telemetry"].path.endswith("n07")
    assert "n99" in by_kind["unknown-name"].text


def test_a_node_of_one_of_two_clusters_is_not_unknown_to_the_other(site):
    site.scheduler("slurm", dict.fromkeys(NAMES[:3], IDLE))
    site.scheduler("kubernetes", dict.fromkeys(NAMES[3:], READY))
    assert not site.judged().counts


def test_down_and_healthy_and_the_reverse(site):
    site.scheduler("slurm", ALL_IDLE | {"n01": DOWN})
    site.judged()
    site.now += 200
    site.telemetry(without=["n02"])
    site.scheduler("slurm", ALL_IDLE | {"n01": DOWN})
    site.judged()
    site.telemetry(without=["n02"])
    assert set(site.rows("down-healthy", after_s=1)) == {"n01"}
    assert not site.rows("gpus-silent"), "a node that is silent as a whole is not said to lack GPUs too"
    # It was not so at first: it must last.
    site.now += 61
    site.telemetry(without=["n02"])
    site.scheduler("slurm", ALL_IDLE | {"n01": DOWN})
    rows = site.rows("usable-silent")
    assert set(rows) == {"n02"}
    assert rows["n02"].severity is Severity.CRITICAL


def test_a_node_that_is_switched_off_is_silent_by_right(site):
    site.telemetry(without=["n02"])
    site.scheduler("slurm", ALL_IDLE | {"n02": NodeState("IDLE", ("POWERED_DOWN",))})
    assert not site.judged().counts


def test_a_critical_alert_on_a_node_that_gets_jobs(site):
    def alert(node: str, state: AlertState = AlertState.FIRING) -> Alert:
        return Alert(node, state, Severity.CRITICAL, "GpuLost", "muc1", f"muc1/h1/r1/{node}/g0", NOW, origin="am")

    site.scheduler("slurm", ALL_IDLE | {"n02": DRAINED})
    alerts = (alert("n01"), alert("n02"), alert("n03", AlertState.SILENCED))
    rows = site.rows("usable-alerted", alerts=alerts)
    assert set(rows) == {"n01"}
    assert "GpuLost" in rows["n01"].text
    site.stale.add(("muc1", "am"))
    assert not site.rows("usable-alerted", alerts=alerts)


def test_gpu_counts_that_differ(site):
    site.scheduler("slurm", ALL_IDLE, gpus={"n01": 3})
    rows = site.rows("gpu-count")
    assert set(rows) == {"n01"}
    assert "3 GPUs" in rows["n01"].text
    assert "inventory: 4 GPUs" in rows["n01"].text


def test_a_cluster_that_manages_no_gpus_counts_none(site):
    site.scheduler("slurm", ALL_IDLE, gpus=dict.fromkeys(NAMES, 0))
    assert not site.judged().counts


@pytest.mark.parametrize("fact", ["driver", "vbios", "bmc_firmware", "nic_firmware"])
def test_a_minority_within_its_like(site, fact):
    site.fact(fact, dict.fromkeys(NAMES, "580.65.06") | {"n05": "570.86.15"})
    rows = site.rows(f"minority-{fact.replace('_', '-')}")
    assert set(rows) == {"n05"}
    assert rows["n05"].text.endswith("570.86.15; most of its like have 580.65.06")
    assert rows["n05"].severity is Severity.INFO


def test_what_is_only_worth_knowing_is_listed_and_not_counted(site):
    site.fact("driver", dict.fromkeys(NAMES, "580.65.06") | {"n05": "570.86.15"})
    found = site.judged()
    assert found.counts == {"minority-driver": 1}
    assert (found.total, found.disputed, found.paths, found.by_site) == (0, 0, (), (("muc1", 0, 0),))
    assert disagreement_words(found, 6) == "no disagreement on 6 nodes"


def test_nodes_count_once_whatever_is_disputed_of_them(site):
    site.scheduler("slurm", ALL_IDLE, gpus={"n01": 3, "n02": 3})
    site.scheduler("kubernetes", dict.fromkeys(NAMES, READY) | {"n01": CORDONED}, gpus={"n01": 4})
    found = site.judged()
    assert (found.total, found.disputed) == (3, 2)
    assert found.paths == ("muc1/h1/r1/n01", "muc1/h1/r1/n01", "muc1/h1/r1/n02")
    assert disagreement_words(found, 6) == "3 disagreements on 2 of 6 nodes: drained-elsewhere 1, gpu-count 2"


def test_what_is_spelled_out_when_it_is_read_is_the_same(site):
    site.scheduler("slurm", ALL_IDLE | {"n02": DRAINED, "n99": IDLE}, reasons={"n02": NodeReason("XID 79", NOW)})
    site.scheduler("kubernetes", dict.fromkeys(NAMES, READY))
    site.fact("driver", dict.fromkeys(NAMES, "580.65.06") | {"n05": "570.86.15"})
    at_once, later = site.judged(), site.judged(spell=False)
    assert tuple(later.rows) == at_once.rows
    assert (len(later.rows), later.rows[0], later.rows[1:]) == (3, at_once.rows[0], at_once.rows[1:])
    assert (later.counts, later.paths, later.by_site) == (at_once.counts, at_once.paths, at_once.by_site)


@pytest.mark.parametrize(
    "texts",
    [["a", "a", "a", "b", "b", "b"], ["a", "a", "a", "a", "b", "b"], ["a", "b", "", "", "", ""]],
    ids=["half and half", "two are no strays", "too few told"],
)
def test_what_is_no_minority(site, texts):
    site.fact("driver", dict(zip(NAMES, texts, strict=True)))
    assert not site.judged().counts


def test_a_change_between_two_readings_is_told_when_it_lasts(site):
    site.scheduler("slurm", ALL_IDLE)
    site.scheduler("kubernetes", dict.fromkeys(NAMES, READY))
    site.judged()
    site.scheduler("slurm", ALL_IDLE | {"n02": DRAINED})
    assert not site.judged(after_s=5).counts
    site.now += 61
    site.telemetry()
    site.scheduler("slurm", ALL_IDLE | {"n02": DRAINED})
    site.scheduler("kubernetes", dict.fromkeys(NAMES, READY))
    rows = site.rows("drained-elsewhere")
    assert rows["n02"].since == NOW + 5


def test_disagreements_follow_their_nodes_to_another_topology(site):
    site.fact("driver", dict.fromkeys(NAMES, "580.65.06") | {"n05": "570.86.15"})
    first = site.rows("minority-driver")["n05"].since
    site.now += 10
    site.move(["n00", *NAMES[2:], "n50"])
    rows = site.rows("minority-driver")
    assert set(rows) == {"n05"}
    assert rows["n05"].since == first


def test_a_source_that_is_stale_is_not_heard(site):
    def status(state: SourceState) -> SourceStatus:
        return SourceStatus("muc1", "slurm", "slurm", "", state, NOW, 30.0, 90.0)

    assert not hearing_of((status(SourceState.STALE),)).hears("muc1", "slurm", NOW, NOW)
    failing = hearing_of((status(SourceState.FAILING),))
    assert failing.hears("muc1", "slurm", NOW - 80, NOW)
    assert not failing.hears("muc1", "slurm", NOW - 100, NOW)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (NodeState("IDLE"), "usable"),
        (NodeState("MIXED", ("DRAIN",)), "out"),
        (NodeState("down", ("not_responding",)), "down"),
        (NodeState("NotReady"), "down"),
        (NodeState("Ready", ("SchedulingDisabled",)), "out"),
        (NodeState("IDLE", ("MAINTENANCE",)), "out"),
        (NodeState("IDLE", ("POWERED_DOWN",)), "neither"),
        (NodeState("UNKNOWN"), "neither"),
        (NodeState("Unknown"), "down"),
        (NodeState("Ready", ("nvsentinel/quarantined=true:NoSchedule",)), "out"),
        (NodeState("Ready", ("dedicated=team:NoSchedule", "DiskPressure")), "usable"),
    ],
)
def test_what_a_scheduler_s_words_mean(word, says):
    voices = Voices(["n01"])
    voices.scheduler("slurm", {"n01": word})
    found = stance(voices.frame().reports["slurm"], "slurm")
    assert [name for name in ("usable", "out", "down") if getattr(found, name)[0]] == (
        [says] if says != "neither" else []
    )


def test_every_voice_is_told_with_its_time(site):
    site.scheduler("slurm", ALL_IDLE, at=NOW - 20)
    site.fact("driver", {"n01": "580.65.06"})
    said = {each.voice: each for each in voices_of(site.frame(), 0, site.hearing, NOW)}
    assert set(said) == {"slurm", "telemetry", "inventory", "smi"}
    assert said["slurm"].at == NOW - 20
    assert said["telemetry"].says == "4 of 4 GPUs report, 90 % busy"
    assert said["inventory"].says == "4 GPUs H100 in r1"
    assert said["smi"].says == "driver 580.65.06"


def test_there_are_no_more_rows_than_can_be_read():
    site = Voices([f"n{index:04}" for index in range(400)])
    site.telemetry()
    site.scheduler("slurm", dict.fromkeys(site.names, DOWN))
    found = site.judged()
    assert found.counts == {"down-healthy": 400}
    assert len(found.rows) == 100
    assert found.by_site == (("muc1", 400, 0),)


def test_two_spellings_of_one_version_are_no_minority(site):
    site.fact("os", dict.fromkeys(NAMES[:5], "Ubuntu 22.04.4 LTS"), source="kubernetes")
    site.now += 1
    site.fact("os", dict.fromkeys(NAMES, "Linux 5.15.0"), source="slurm")
    site.now += 1
    site.fact("os", dict.fromkeys(NAMES[:5], "Ubuntu 22.04.4 LTS"), source="kubernetes")
    assert not site.judged().counts


def test_domains_that_the_inventory_declares_are_compared_where_nobody_tells_the_fact():
    specs = [NodeSpec(name, gpus=4, domains={"driver": ("580" if name != "n05" else "570",)}) for name in NAMES]
    site = Voices(NAMES)
    site.apply(TopologyPart(build_topology("muc1", specs, version=9, declared=True)), "inventory")
    assert set(site.rows("minority-driver")) == {"n05"}
    site.fact("driver", dict.fromkeys(NAMES, "580"))
    assert not site.rows("minority-driver"), "what the nodes themselves say counts"
