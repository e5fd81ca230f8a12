import numpy as np
import pytest

from console.core.inventory import build_topology, empty_topology
from console.core.rollup import reporting_counts
from console.model.columns import same_time
from console.model.events import Event
from console.model.jobs import Job, JobState
from console.model.levels import Level, Severity
from console.model.metrics import RollUp
from console.model.reading import (
    AggregatePart,
    ColumnPart,
    EventsPart,
    GpuKeys,
    InOrder,
    JobsPart,
    NamedKeys,
    RawPart,
    TopologyPart,
)
from tests.support.fleets import NOW, by_key, column, gpu_keys, keys_of, merger, named, node, small_site, tell, uuid

NAN = float("nan")


def temps(frame):
    return frame.columns["temp_c"].values.tolist()


def pair(**more):
    return build_topology("muc1", [node("n1", uuids=(1, 2)), node("n2", uuids=(3, 4))], declared=True, **more)


def aggregate(field, level, names, values, *, at=NOW, count=None):
    counts = None if count is None else np.array(count, dtype=np.float32)
    values = np.array(values, dtype=np.float32)
    return AggregatePart(field, NamedKeys(level, tuple(names)), values, same_time(at, len(values)), counts)


def job(number):
    return Job(str(number), f"llm-{number}", "ada", JobState.RUNNING, 2, 1)


@pytest.mark.parametrize("bad", [NAN, float("inf"), -float("inf"), 9223372036854775794, -21.0, 151.0])
def test_what_is_no_temperature_is_missing(bad):
    frame = tell(merger(pair()), column("temp_c", InOrder("gpu", 1, 4), [60, bad, 61, 62])).frame(NOW)
    assert np.isnan(frame.columns["temp_c"].values).tolist() == [False, True, False, False]
    assert frame.rollups["temp_c"].counts[Level.SITE].tolist() == [3]
    assert frame.reporting.tolist() == [True, False, True, True]


def test_the_last_of_two_values_for_one_gpu_wins():
    site = tell(merger(pair()), column("temp_c", keys_of([("n1", 0, 1), ("n1", 1, 2), ("n1", 0, 1)]), [50, 51, 52]))
    assert temps(site.frame(NOW))[:2] == [52, 51]


def test_a_full_part_makes_missing_what_it_does_not_name_and_keeps_when_it_was_last_there():
    site = tell(merger(pair()), column("temp_c", gpu_keys(pair()), [50, 51, 52, 53], NOW))
    frame = tell(site, column("temp_c", keys_of([("n1", 0, 1)]), [60], NOW + 10), at=NOW + 10).frame(NOW + 10)
    assert temps(frame)[0] == 60
    assert np.isnan(temps(frame)[1:]).all()
    assert frame.columns["temp_c"].at.tolist() == [NOW + 10, NOW, NOW, NOW]
    later = tell(site, column("temp_c", keys_of([("n1", 0, 1)]), [61], NOW + 20), at=NOW + 20).frame(NOW + 20)
    assert later.columns["temp_c"].at.tolist() == [NOW + 20, NOW, NOW, NOW]


def test_a_delta_leaves_the_others_as_they_are_until_they_are_stale():
    site = tell(merger(pair()), column("temp_c", gpu_keys(pair()), [50, 51, 52, 53], NOW))
    delta = column("temp_c", keys_of([("n2", 0, 3)]), [70], NOW + 25, full=False)
    assert temps(tell(site, delta, at=NOW + 25).frame(NOW + 25)) == [50, 51, 70, 53]
    frame = site.frame(NOW + 31)
    assert frame.rollups["temp_c"].counts[Level.NODE].tolist() == [0, 1]
    assert frame.rollups["temp_c"].maxima[Level.SITE].tolist() == [70]
    assert frame.reporting.tolist() == [False, False, True, False]
    assert not frame.stale


def test_roll_ups_are_made_again_only_when_something_changed():
    site = tell(merger(pair()), column("temp_c", gpu_keys(pair()), [50, 51, 52, 53]))
    first = site.frame(NOW).rollups["temp_c"]
    assert site.frame(NOW + 29).rollups["temp_c"] is first
    stale = site.frame(NOW + 31)
    assert stale.rollups["temp_c"].counts[Level.SITE].tolist() == [0]
    assert np.isnan(stale.rollups["temp_c"].get(Level.SITE, RollUp.SUM)).all()
    assert stale.stale
    assert site.frame(NOW + 1).rollups["temp_c"].counts[Level.SITE].tolist() == [4]


def test_a_site_is_stale_when_all_its_telemetry_is_not_when_one_source_is():
    site = tell(merger(pair()), column("temp_c", gpu_keys(pair()), [50, 51, 52, 53]), source="a")
    tell(site, column("power_w", gpu_keys(pair()), [1, 2, 3, 4]), source="b")
    tell(site, column("it_power_w", named("site", "muc1"), [1e6]), source="facility")
    assert not site.frame(NOW, frozenset({"a"})).stale
    assert site.frame(NOW, frozenset({"a", "b"})).stale
    assert not merger(pair()).frame(NOW, frozenset({"a"})).stale


def test_the_age_of_a_site_is_that_of_its_telemetry():
    site = tell(merger(pair()), column("temp_c", gpu_keys(pair()), [50, 51, 52, 53], NOW - 20))
    tell(site, column("it_power_w", named("site", "muc1"), [1e6], NOW), source="facility")
    assert site.frame(NOW).data_at == NOW - 20
    assert merger(pair()).frame(NOW).data_at == 0


def test_a_clock_that_runs_ahead_keeps_nothing_fresh():
    site = tell(merger(pair()), column("temp_c", gpu_keys(pair()), [50, 51, 52, 53], NOW + 3600))
    times = np.array([NOW + 3600, NOW, NAN, NOW])
    part = ColumnPart("power_w", gpu_keys(pair()), np.array([1, 2, 3, 4], dtype=np.float32), times)
    frame = tell(site, part).frame(NOW)
    assert frame.data_at == NOW
    assert frame.columns["power_w"].at.tolist() == [NOW, NOW, 0, NOW]
    assert site.frame(NOW + 31).stale


def test_of_several_sources_the_freshest_value_of_each_gpu_shows():
    site = merger(pair())
    tell(site, column("temp_c", keys_of([("n1", 0, 1), ("n1", 1, 2)]), [50, 51], NOW - 10), source="a")
    tell(site, column("temp_c", keys_of([("n1", 1, 2), ("n2", 0, 3)]), [61, 62], NOW), source="b")
    frame = site.frame(NOW)
    assert temps(frame)[:3] == [50, 61, 62]
    assert frame.columns["temp_c"].source == "a+b"
    # A full part of one source says nothing of what another one owns.
    tell(site, column("temp_c", keys_of([("n2", 0, 3)]), [63], NOW + 1), source="b", at=NOW + 1)
    assert temps(site.frame(NOW + 1))[:3] == [50, 51, 63]


def test_the_values_of_a_part_are_copied():
    values = np.array([50, 51, 52, 53], dtype=np.float32)
    site = tell(merger(pair()), ColumnPart("temp_c", InOrder("gpu", 1, 4), values, same_time(NOW, 4)))
    values[:] = 99
    assert temps(site.frame(NOW)) == [50, 51, 52, 53]


@pytest.mark.parametrize(
    ("metric", "level", "names", "wanted"),
    [
        ("it_power_w", "site", ("any name",), [5]),
        ("hall_inlet_c", "hall", ("h2", "h1"), [6, 5]),
        ("host_power_w", "node", ("n0002.muc1.example", "n0001"), [6, 5]),
        ("cdu_flow_lpm", "cdu", ("c2", "c1"), [6, 5]),
    ],
)
def test_facility_values_join_by_name_at_their_level(metric, level, names, wanted):
    values = [5, 6][: len(names)]
    frame = tell(merger(small_site()), column(metric, named(level, *names), values)).frame(NOW)
    assert frame.columns[metric].values[: len(wanted)].tolist() == wanted


def test_values_above_the_gpu_roll_up_to_what_is_wider():
    site = small_site()
    frame = tell(merger(site), column("host_power_w", InOrder("node", 1, 12), np.arange(12.0))).frame(NOW)
    tell_cdu = tell(merger(site), column("cdu_flow_lpm", InOrder("cdu", 1, 2), [100, 50])).frame(NOW)
    assert frame.rollups["host_power_w"].sums[Level.RACK].tolist() == [3, 12, 21, 30]
    assert tell_cdu.rollups["cdu_flow_lpm"].sums[Level.SITE].tolist() == [150]


def test_names_that_lead_nowhere_are_listed_and_counted_never_dropped():
    names = [(f"ghost{i}", 0, 1000 + i) for i in range(250)]
    site = tell(merger(pair()), column("temp_c", keys_of([*names, ("n1", 0, 1)]), [50.0] * 251))
    (listed,) = site.frame(NOW).unjoined
    assert (listed.source, listed.total, len(listed.names)) == ("prom", 250, 100)
    assert listed.names[0] == f"ghost0/g0 {uuid(1000)}"
    tell(site, column("temp_c", keys_of([("n1", 0, 1)]), [50]), at=NOW + 1)
    assert site.frame(NOW + 1).unjoined == ()


def test_parts_of_one_reading_add_up_in_the_list():
    site = merger(pair())
    for name in ("ghost1", "ghost2"):
        tell(site, column("temp_c", keys_of([(name, 0, 90)]), [50], full=False))
    assert site.frame(NOW).unjoined[0].total == 2


@pytest.mark.parametrize(
    "part",
    [
        column("no_such_metric", keys_of([("n1", 0, 1)]), [50]),
        column("temp_c", named("rack", "r1"), [50]),
        column("temp_c", InOrder("gpu", 77, 4), [50, 51, 52, 53]),
        column("temp_c", InOrder("gpu", 1, 3), [50, 51, 52]),
        ColumnPart("temp_c", InOrder("gpu", 1, 4), np.zeros(3, dtype=np.float32), same_time(NOW, 3)),
        aggregate("no_such_field", "site", ["muc1"], [1]),
        aggregate("temp_c_max", "planet", ["muc1"], [1]),
    ],
)
def test_a_part_that_makes_no_sense_changes_nothing_but_the_list(part):
    frame = tell(merger(pair()), part).frame(NOW)
    assert not frame.columns
    assert not frame.rollups
    assert frame.unjoined[0].total > 0


def test_keys_are_joined_once_for_an_object_and_again_for_a_new_topology():
    site, keys = merger(pair()), gpu_keys(pair())
    tell(site, column("temp_c", keys, [50, 51, 52, 53]))
    moved = build_topology("muc1", [node("n2", "h0/r0", uuids=(3, 4)), node("n1", uuids=(1, 2))], version=2)
    tell(site, TopologyPart(moved), source="site")
    tell(site, column("temp_c", keys, [60, 61, 62, 63]))
    assert temps(site.frame(NOW)) == [62, 63, 60, 61]


def test_rows_in_the_order_of_an_older_topology_find_their_keys():
    first = pair()
    site = tell(merger(empty_topology("muc1")), TopologyPart(first), source="site")
    moved = build_topology("muc1", [node("n2", "h0/r0", uuids=(3, 4)), node("n1", uuids=(1, 2))], version=2)
    tell(site, TopologyPart(moved), source="other")
    tell(site, column("temp_c", InOrder("gpu", 1, 4), [50, 51, 52, 53]), source="site")
    assert temps(site.frame(NOW)) == [52, 53, 50, 51]


def test_the_same_topology_again_is_no_change_even_from_a_server_that_started_anew():
    site = tell(merger(empty_topology("muc1")), TopologyPart(pair()), source="site")
    before = site.topology
    tell(site, TopologyPart(pair(version=9)), source="site")
    assert site.topology is before
    frame = tell(site, column("temp_c", InOrder("gpu", 9, 4), [50, 51, 52, 53]), source="site").frame(NOW)
    assert temps(frame) == [50, 51, 52, 53]


def test_a_topology_gets_a_version_above_the_last_whatever_its_own_says():
    site = tell(merger(pair(version=5)), TopologyPart(small_site()), source="site")
    assert site.topology.version == 6


def test_jobs_marks_and_values_follow_the_gpu_to_its_new_place():
    site = tell(merger(pair()), column("temp_c", gpu_keys(pair()), [50, 51, 52, 53]))
    tell(site, JobsPart((job(7),), np.array([0, -1, -1, 5], dtype=np.int32), version=1, at=NOW), source="slurm")
    assert site.frame(NOW).jobs.gpu_job.tolist() == [0, -1, -1, -1]
    moved = [node("n1", uuids=(3, 2)), node("n2", "h9/r9", uuids=(1, 4))]
    tell(site, TopologyPart(build_topology("muc1", moved, version=2, declared=True)), source="site")
    frame = site.frame(NOW)
    assert frame.jobs.gpu_job.tolist() == [-1, -1, 0, -1]
    assert by_key(frame.topology, frame.columns["temp_c"].values)[uuid(1)] == 50


def test_jobs_that_name_nodes_hold_their_gpus_and_unknown_nodes_are_listed():
    part = JobsPart((job(7), job(8)), None, (("n2.muc1.example", "n9"), ()), at=NOW)
    frame = tell(merger(pair()), part, source="slurm").frame(NOW)
    assert frame.jobs.gpu_job.tolist() == [-1, -1, 0, 0]
    assert (frame.jobs.at, frame.jobs.source, frame.unjoined[0].names) == (NOW, "slurm", ("n9",))


def test_jobs_of_two_schedulers_stand_side_by_side():
    site = tell(merger(pair()), JobsPart((job(7),), None, (("n1",),)), source="slurm")
    tell(site, JobsPart((job(8), job(9)), None, ((), ("n2",))), source="k8s")
    jobs = site.frame(NOW).jobs
    assert [each.id for each in jobs.rows] == ["7", "8", "9"]
    assert jobs.gpu_job.tolist() == [0, 0, 2, 2]


def test_a_site_without_jobs_has_free_gpus():
    assert merger(pair()).frame(NOW).jobs.gpu_job.tolist() == [-1] * 4


def test_aggregates_stand_in_for_gpus_that_nobody_reports():
    site = tell(merger(small_site()), aggregate("temp_c_max", "hall", ["h1", "h2"], [80, 70], count=[24, 20]))
    tell(site, aggregate("util_pct", "hall", ["h1", "h2"], [50, 90], count=[24, 12]))
    tell(site, aggregate("gpu_power_w_sum", "site", ["muc1"], [9000]))
    frame = site.frame(NOW)
    assert frame.rollups["temp_c"].maxima[Level.SITE].tolist() == [80]
    assert frame.rollups["util_pct"].get(Level.SITE, RollUp.MEAN)[0] == pytest.approx((50 * 24 + 90 * 12) / 36)
    assert frame.rollups["power_w"].sums[Level.SITE].tolist() == [9000]
    assert np.isnan(frame.rollups["util_pct"].sums[Level.RACK]).all()
    assert reporting_counts(frame, Level.HALL).tolist() == [24, 20]
    assert not frame.reporting.any()
    assert (frame.data_at, frame.stale) == (NOW, False)
    assert site.frame(NOW + 31).stale


def test_level_by_level_the_younger_of_sweep_and_aggregate_holds():
    topology = small_site()
    site = tell(merger(topology), column("temp_c", gpu_keys(topology), np.full(48, 60.0), NOW - 20))
    frame = tell(site, aggregate("temp_c_max", "hall", ["h1", "h2"], [80, 70])).frame(NOW)
    assert frame.rollups["temp_c"].maxima[Level.SITE].tolist() == [80]
    assert frame.rollups["temp_c"].maxima[Level.RACK].tolist() == [60] * 4
    assert frame.rollups["temp_c"].get(Level.SITE, RollUp.MEAN).tolist() == [60]
    fresh = tell(site, column("temp_c", gpu_keys(topology), np.full(48, 61.0), NOW + 1), at=NOW + 1).frame(NOW + 1)
    assert fresh.rollups["temp_c"].maxima[Level.SITE].tolist() == [61]


def test_a_few_gpus_that_are_read_closely_do_not_stand_for_the_site():
    topology = small_site()
    site = tell(merger(topology), aggregate("gpu_power_w_sum", "site", ["muc1"], [24_000], at=NOW - 9, count=[48]))
    close = column("power_w", gpu_keys(topology, [3, 4]), [700, 700], NOW, full=False)
    frame = tell(site, close).frame(NOW)
    assert frame.rollups["power_w"].sums[Level.SITE].tolist() == [24_000]
    swept = column("power_w", gpu_keys(topology), np.full(48, 400.0), NOW - 20)
    frame = tell(site, swept, close).frame(NOW)
    assert frame.rollups["power_w"].sums[Level.SITE].tolist() == [24_000]
    assert frame.columns["power_w"].values[[3, 5]].tolist() == [700, 400]
    frame = tell(site, column("power_w", gpu_keys(topology), np.full(48, 500.0), NOW - 5)).frame(NOW)
    assert frame.rollups["power_w"].sums[Level.SITE].tolist() == [48 * 500]


def test_events_and_raw_records_are_kept_up_to_a_bound():
    site = merger(pair())
    events = tuple(Event(NOW + i, "muc1", "muc1", "xid", Severity.WARNING, str(i)) for i in range(1500))
    tell(site, EventsPart(events[:700]), EventsPart(events[700:]))
    tell(site, *(RawPart(f"muc1/n{i}", "x" * 70_000) for i in range(300)))
    frame = site.frame(NOW)
    assert [frame.events[0].text, frame.events[-1].text, len(frame.events)] == ["500", "1499", 1000]
    assert (len(frame.raw), "muc1/n299" in frame.raw, "muc1/n0" in frame.raw) == (256, True, False)
    assert len(frame.raw["muc1/n299"]) == 65_536


def test_a_discovered_site_grows_while_values_arrive():
    site = tell(merger(empty_topology("muc1")), column("temp_c", keys_of([("n2", 0, 1)]), [50], full=False))
    tell(site, column("temp_c", keys_of([("n1", 0, 2)]), [60], full=False))
    frame = site.frame(NOW)
    assert frame.topology.nodes == ("n1", "n2")
    assert temps(frame) == [60, 50]


def test_joins_are_bounded():
    topology = small_site()
    site = merger(topology)
    for _ in range(60):
        base = gpu_keys(topology)
        big = GpuKeys(base.nodes * 100, *(np.tile(each, 100) for each in (base.slots, base.uuid_high, base.uuid_low)))
        tell(site, column("temp_c", big, np.full(4800, 50.0)))
    assert site._joiner._kept <= 4 * topology.gpus + 100_000


def test_values_of_another_type_are_read_all_the_same():
    part = ColumnPart("temp_c", InOrder("gpu", 1, 4), np.array([50, 51, 52, 2**62]), same_time(NOW, 4))
    frame = tell(merger(pair()), part).frame(NOW)
    assert temps(frame)[:3] == [50, 51, 52]
    assert np.isnan(temps(frame)[3])


def test_a_block_that_did_not_change_is_kept_once_and_rolled_up_once():
    topology = small_site()
    values = np.full(48, 3.0)
    values[5] = NAN
    site = tell(merger(topology), column("ecc_dbe", InOrder("gpu", 1, 48), values))
    first = site.frame(NOW)
    second = tell(site, column("ecc_dbe", InOrder("gpu", 1, 48), values, NOW + 5), at=NOW + 5).frame(NOW + 5)
    assert second.columns["ecc_dbe"].values is first.columns["ecc_dbe"].values
    assert second.rollups["ecc_dbe"] is first.rollups["ecc_dbe"]
    assert second.columns["ecc_dbe"].newest_at() == NOW + 5
    assert site.frame(NOW + 36).rollups["ecc_dbe"].counts[Level.SITE].tolist() == [0]
    again = tell(site, column("ecc_dbe", InOrder("gpu", 1, 48), values, NOW + 40), at=NOW + 40).frame(NOW + 40)
    assert again.rollups["ecc_dbe"].counts[Level.SITE].tolist() == [47]
    values[47] = 4
    changed = tell(site, column("ecc_dbe", InOrder("gpu", 1, 48), values, NOW + 41), at=NOW + 41).frame(NOW + 41)
    assert changed.rollups["ecc_dbe"].sums[Level.SITE].tolist() == [46 * 3 + 4]


def test_two_sources_that_contradict_each_other_do_not_make_the_site_flap():
    site = merger(pair())
    first, second = keys_of([("n1", 0, 1), ("n1", 1, 2)]), keys_of([("n1", 0, 9), ("n1", 1, 2)])
    for turn in range(4):
        tell(site, column("temp_c", first, [50, 51], NOW + turn), source="a", at=NOW + turn)
        tell(site, column("temp_c", second, [60, 61], NOW + turn), source="b", at=NOW + turn)
    assert site.topology.version == 2
    assert site.topology.uuid(0) == uuid(9)
    frame = site.frame(NOW + 4)
    assert temps(frame)[0] == 60
    assert [(each.source, each.names) for each in frame.unjoined] == [("a", (f"n1/g0 {uuid(1)}",))]


def test_uuids_are_learnt_again_after_a_topology_that_does_not_know_them():
    site, keys = merger(pair()), keys_of([("n1", 0, 1)])
    tell(site, column("temp_c", keys, [50]))
    blank = build_topology("muc1", [node("n1"), node("n2")], version=2, declared=True)
    tell(site, TopologyPart(blank), source="site")
    tell(site, column("temp_c", keys, [51]))
    assert site.topology.uuid(0) == uuid(1)


def test_a_site_whose_values_are_all_gone_is_stale_since_its_last_one():
    site = tell(merger(pair()), column("temp_c", InOrder("gpu", 1, 4), [50, 51, 52, 53]))
    assert site.frame(NOW).data_at == NOW
    frame = tell(site, column("temp_c", InOrder("gpu", 1, 4), [NAN] * 4, NOW + 5), at=NOW + 5).frame(NOW + 5)
    assert (frame.data_at, frame.stale, frame.reporting.any()) == (NOW, True, False)


def test_sentinels_are_dropped_and_counted_for_each_source():
    site = merger(small_site())
    keys = InOrder("gpu", site.topology.version, site.topology.gpus)
    values = np.full(site.topology.gpus, 300.0, dtype=np.float32)
    values[:2] = [140_737_488_355_328.0, np.inf]
    values[2] = np.nan

    def say(values):
        part = ColumnPart("power_w", keys, values, np.full(len(values), 1.0))
        site.apply(part, source="dcgm", stale_after_s=60.0, received_at=1.0)

    say(values)
    assert site.sentinels_of("dcgm") == {"power_w": 2}
    assert site.sentinels_of("other") == {}
    told = site.frame(1.0).columns["power_w"].values
    assert np.isnan(told[:3]).all()
    say(np.full_like(values, 300.0))
    assert site.sentinels_of("dcgm") == {}
