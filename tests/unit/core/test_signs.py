from __future__ import annotations

from dataclasses import replace

import pytest

from console.core.checks import CheckBook
from console.core.incident_book import IncidentBook
from console.core.incident_evidence import evidence_of
from console.core.signs import heard_sites, signs_of
from console.model.disagreements import DisagreementGroup, Disagreements
from console.model.events import Alert, AlertState, CheckSpec, Finding, SiteHits
from console.model.incidents import MemoryStatus
from console.model.levels import Level, Severity
from console.model.snapshot import Judged, SourceState
from tests.support import panels
from tests.support.panels import NOW

NODE = "muc1/h1/r001/n0001"


def found(path=f"{NODE}/g3", fault="gpu-off-bus", **more):
    level = Level.GPU if path.count("/") > 3 else Level.SITE
    usual = {"severity": Severity.WARNING, "text": "fallen off the bus?", "since": NOW - 60, "source": "prom"}
    given = {**usual, **more}
    return Finding(
        "telemetry", fault, path.partition("/")[0], level, path, path, given["severity"], given["text"],
        more.get("evidence", ()), given["since"], given["source"],
    )  # fmt: skip


def alert(number=0, title="GpuXid", **more):
    usual = {"state": AlertState.FIRING, "severity": Severity.CRITICAL, "site": "muc1", "path": f"{NODE}/g{number}"}
    return Alert(f"a{number}", title=title, since=NOW - 60 - number, origin="pager", **{**usual, **more})


def check(name="silent", *paths, severity=Severity.WARNING, level=Level.NODE, site="muc1", matches=0, **more):
    count = matches or len(paths)
    hits = (SiteHits(site, NOW - 300, paths, more.pop("jobs", ())),)
    return panels.check(
        name, severity, count, level=level, by_site=((site, count, 0),), hits=hits, paths=paths[:1], **more
    )


def told(*sites, **more):
    return panels.snapshot(sites or (panels.site_frame("muc1"), panels.site_frame("bcn1")), **more)


def keys(snapshot):
    return {(each.site, each.key): each for each in signs_of(snapshot)}


def test_a_check_is_told_where_it_fails_with_what_it_names_there():
    by_site = (("muc1", 2, 0), ("bcn1", 0, 3))
    hits = (SiteHits("muc1", NOW - 5, (NODE, f"{NODE[:-1]}2"), ("llm-7",)),)
    snapshot = told(checks=(panels.check("silent", Severity.WARNING, 2, level=Level.NODE, by_site=by_site, hits=hits,
                                         title="GPUs that do not report"),))  # fmt: skip
    ((place, sign),) = keys(snapshot).items()
    assert place == ("muc1", "check:silent")
    assert (sign.text, sign.path, sign.matches) == ("2 nodes: GPUs that do not report", "muc1/h1/r001", 2)
    assert (sign.gpus, sign.exact, sign.jobs, sign.since) == (16, False, ("llm-7",), NOW - 5)


def test_the_check_book_names_what_matches_at_each_site_and_since_when():
    muc, bcn = panels.site_frame("muc1", hot=43), panels.site_frame("bcn1")
    book = CheckBook((CheckSpec("hot", "temp_c > 90", title="over 90 C"),), told().frame.metrics)
    frame = told(muc, bcn).frame
    (first,) = book.update(frame, NOW)
    assert [(each.site, each.since, each.paths) for each in first.hits] == [("muc1", NOW, ("muc1/h1/r002/n0006/g3",))]
    both = replace(frame, sites=(muc, panels.site_frame("bcn1", hot=0)))
    (second,) = book.update(both, NOW + 20)
    assert [(each.site, each.since) for each in second.hits] == [("muc1", NOW), ("bcn1", NOW + 20)]
    assert (second.title, second.paths) == ("over 90 C", ("muc1/h1/r002/n0006/g3", "bcn1/h1/r001/n0001/g0"))


def test_a_check_of_the_whole_fleet_is_told_at_every_site():
    snapshot = told(checks=(panels.check("power", Severity.CRITICAL, 1, level=Level.FLEET, title="too much"),))
    assert {site for site, _ in keys(snapshot)} == {"muc1", "bcn1"}
    assert {each.text for each in signs_of(snapshot)} == {"too much"}


def test_a_check_that_cannot_be_judged_is_told_where_that_is_so_and_puts_nothing_at_risk():
    unknown = panels.check("ecc", Severity.UNKNOWN, by_site=(("muc1", 0, 192), ("bcn1", 0, 0)), text="none of 192 GPUs")
    (sign,) = signs_of(told(checks=(unknown,)))
    assert (sign.site, sign.severity, sign.gpus, sign.text) == ("muc1", Severity.UNKNOWN, 0, "none of 192 GPUs")


def test_what_is_well_is_no_sign():
    assert signs_of(told(checks=(panels.check("hot", Severity.OK), panels.check("x", Severity.INFO, 3)))) == ()


def disputed(*groups, at=NOW, severity=Severity.WARNING):
    total = sum(each.count for each in groups)
    row = panels.check("disagreements", severity, total, rows=False, level=Level.NODE, by_site=(("muc1", total, 0),))
    return told(checks=(row,), disagreements=Disagreements(groups=groups, at=at))


def test_disagreements_are_told_by_kind():
    snapshot = disputed(
        DisagreementGroup("muc1", "drained-elsewhere", "drained there", 2, NOW - 70, (NODE, f"{NODE[:-1]}2")),
        DisagreementGroup("muc1", "gpu-count", "GPU counts differ", 1, NOW - 9, ("muc1/h2/r004/n0013",)),
    )
    assert {key: each.text for (_, key), each in keys(snapshot).items()} == {
        "disagreement:drained-elsewhere": "2 nodes: drained there",
        "disagreement:gpu-count": "1 node: GPU counts differ",
    }


def test_before_the_voices_were_compared_nothing_is_wrong_with_them():
    assert signs_of(disputed(at=0.0, severity=Severity.UNKNOWN)) == ()


def test_findings_of_one_fault_are_one_sign_a_site():
    snapshot = told(findings=(found(), found(f"{NODE}/g4", since=NOW - 90), found("bcn1/h1/r001/n0001/g0")))
    signs = keys(snapshot)
    assert {place: each.matches for place, each in signs.items()} == {
        ("muc1", "fault:gpu-off-bus"): 2,
        ("bcn1", "fault:gpu-off-bus"): 1,
    }
    muc = signs["muc1", "fault:gpu-off-bus"]
    assert (muc.text, muc.path, muc.since) == ("2 GPUs: gpu-off-bus: fallen off the bus? · prom", NODE, NOW - 90)


def test_findings_that_are_not_all_listed_say_how_many_there_are():
    crowd = [found(f"muc1/h1/r001/n0001/g{number}") for number in range(8)]
    snapshot = told(findings=(*crowd, found("muc1", text="GPUs are missing: 1,234 GPUs")))
    (sign,) = signs_of(snapshot)
    assert (sign.exact, sign.path) == (False, "muc1")
    assert "1,234 GPUs" in sign.text


def test_alerts_of_one_name_are_one_sign_as_bad_as_the_worst():
    snapshot = told(alerts=(alert(1, severity=Severity.WARNING), alert(2), alert(3, state=AlertState.SILENCED)))
    (sign,) = signs_of(snapshot)
    assert (sign.key, sign.severity, sign.matches, sign.path) == ("alert:GpuXid", Severity.CRITICAL, 2, NODE)
    assert sign.text == "2 alerts: GpuXid · pager"


def test_alerts_are_heard_of_a_site_that_is_blind():
    sites = (panels.site_frame("muc1", age_s=60, stale=True),)
    snapshot = told(*sites, alerts=(alert(),), checks=(check("silent", NODE),), findings=(found(),))
    assert {key for _, key in keys(snapshot)} == {"site:blind", "alert:GpuXid"}


def test_a_blind_site_is_always_wrong_whatever_is_checked():
    (sign,) = signs_of(told(panels.site_frame("hel1", age_s=60, stale=True)))
    assert (sign.key, sign.severity, sign.gpus, sign.since) == ("site:blind", Severity.CRITICAL, 192, NOW - 60)


@pytest.mark.parametrize(("state", "wrong"), [(SourceState.FAILING, 1), (SourceState.STARTING, 0)])
def test_a_site_that_never_spoke_is_blind_once_every_source_fails(state, wrong):
    source = panels.source("hel1", "prom", state, last_error="hel1/prom: refused")
    signs = signs_of(told(panels.site_frame("hel1", age_s=0), sources=(source,)))
    assert len(signs) == wrong
    assert all("hel1/prom: refused" in each.text for each in signs)


def test_what_a_serve_judges_is_left_to_it():
    judged = Judged(NOW, "serve-a", MemoryStatus("muc1", "serve"))
    sites = (replace(panels.site_frame("muc1"), judged=judged), panels.site_frame("bcn1"))
    snapshot = told(
        *sites, findings=(found(), found("bcn1/h1/r001/n0001/g0")), checks=(panels.check("hot", Severity.OK),)
    )
    assert {site for site, _ in keys(snapshot)} == {"bcn1"}
    assert heard_sites(snapshot) == {"bcn1"}


def test_before_anything_was_judged_nothing_can_be_over():
    assert heard_sites(told()) == frozenset()
    well = (panels.check("hot", Severity.OK),)
    assert heard_sites(told(checks=well)) == {"muc1", "bcn1"}
    assert heard_sites(replace(told(checks=well), loading=True)) == frozenset()
    assert heard_sites(told(panels.site_frame("muc1", age_s=60, stale=True), checks=well)) == frozenset()


SILENT = DisagreementGroup("muc1", "gpus-silent", "fewer GPUs report", 1, NOW - 9, (NODE,))


def silent_gpus(*paths):
    snapshot = disputed(SILENT)
    return replace(
        snapshot, checks=(*snapshot.checks, check("silent", *paths)), findings=(found(), found(f"{NODE}/g4"))
    )


def test_three_that_tell_of_the_same_silent_gpus_are_one():
    (sign,) = signs_of(silent_gpus(NODE))
    assert sign.key == "fault:gpu-off-bus", "the finest of equals"
    assert set(sign.folds) == {"check:silent", "disagreement:gpus-silent"}
    assert sign.since == NOW - 300, "it began with the first of them"


def test_of_one_kind_they_are_one_too_where_not_all_objects_are_listed():
    snapshot = told(findings=(found(),), checks=(check("silent", "muc1/h2/r004/n0013", matches=400),))
    assert len(signs_of(snapshot)) == 1


def test_of_one_kind_at_different_objects_they_are_two():
    assert len(signs_of(told(findings=(found(),), checks=(check("silent", "muc1/h2/r004/n0013"),)))) == 2


def test_different_kinds_on_the_same_objects_are_one_and_the_worst_stands_for_it():
    gpu = f"{NODE}/g3"
    snapshot = told(
        findings=(found(),),
        checks=(check("xid", gpu, level=Level.GPU), check("remap", gpu, level=Level.GPU, severity=Severity.CRITICAL)),
    )
    (sign,) = signs_of(snapshot)
    assert (sign.key, set(sign.folds)) == ("check:remap", {"fault:gpu-off-bus", "check:xid"})


def test_different_kinds_on_different_gpus_of_a_node_are_two():
    checks = (check("hot", f"{NODE}/g1", level=Level.GPU), check("ecc", f"{NODE}/g5", level=Level.GPU))
    assert len(signs_of(told(checks=checks))) == 2


def test_one_gpu_in_a_crowd_is_not_hidden_by_it():
    crowd = [f"muc1/h1/r001/n{number:04}/g0" for number in range(1, 13)]
    checks = (
        check("hot", *crowd, level=Level.GPU, severity=Severity.CRITICAL),
        check("ecc", crowd[3], level=Level.GPU),
    )
    assert {key for _, key in keys(told(checks=checks))} == {"check:hot", "check:ecc"}


def test_what_is_wrong_with_a_whole_site_hides_nothing_in_it():
    snapshot = told(checks=(check("pue", "muc1", level=Level.SITE, severity=Severity.CRITICAL), check("silent", NODE)))
    assert len(signs_of(snapshot)) == 2


def test_other_sites_are_other_things():
    assert len(signs_of(told(findings=(found(),), checks=(check("silent", "bcn1/h1/r001/n0001", site="bcn1"),)))) == 2


def test_the_evidence_of_what_was_folded_is_still_there():
    snapshot = silent_gpus(NODE)
    (incident,) = IncidentBook().update(signs_of(snapshot), NOW)
    evidence = evidence_of(snapshot, incident)
    assert list(evidence) == [incident.sign.key, *incident.sign.folds]
    assert evidence["fault:gpu-off-bus"] == (
        f"{NODE}/g3: fallen off the bus?",
        f"{NODE}/g4: fallen off the bus?",
    )
    assert NODE in evidence["check:silent"]
    assert evidence["disagreement:gpus-silent"] == ("1: fewer GPUs report", NODE)


def test_of_a_thousand_alerts_none_is_lost():
    crowd = tuple(alert(each, title=f"Alert{each}", path=f"{NODE}/g{each % 8}") for each in range(1000))
    signs = signs_of(told(alerts=crowd))
    named = [each.key for each in signs] + [key for each in signs for key in each.folds]
    assert len(signs) < 1000
    assert sorted(named) == sorted(f"alert:Alert{each}" for each in range(1000))


def test_signs_are_worst_first():
    ranks = [each.severity.rank for each in signs_of(panels.normal())]
    assert ranks == sorted(ranks, reverse=True)
