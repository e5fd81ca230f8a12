from __future__ import annotations

from dataclasses import replace

from console.core.attached import Merging
from console.model.disagreements import Disagreement, Disagreements
from console.model.incidents import SharedView
from console.model.levels import Severity
from console.model.snapshot import SourceState
from tests.support import panels
from tests.support.incidents import NOW, incident, judged, sign

DISPUTED = "usable-silent"
WORTH_KNOWING = "minority-driver"


def row(site, kind=DISPUTED, since=NOW):
    return Disagreement(kind, site, f"{site}/h1", Severity.WARNING, "they differ", since)


def attached(**words):
    """A snapshot whose second site is judged elsewhere."""
    snapshot = panels.normal()
    first, second = snapshot.frame.sites[:2]
    word = judged(site=second.site, **words)
    sites = (first, replace(second, judged=word))
    return replace(snapshot, frame=replace(snapshot.frame, sites=sites)), first.site, second.site


def test_a_fleet_without_a_serve_is_left_as_it_is():
    snapshot, merging = panels.normal(), Merging()
    assert merging.merge(snapshot, {}) is snapshot
    local = Disagreements(at=NOW)
    assert merging.disagreements(local, snapshot.frame) is local


def test_disagreements_of_both_are_one_list_and_one_count():
    snapshot, ours, theirs = attached(
        disagreements=(), disagreement_counts=((DISPUTED, 3), (WORTH_KNOWING, 7)), nodes=(100, 4, 3)
    )
    word = replace(snapshot.frame.sites[1].judged, disagreements=(row(theirs, since=NOW - 9), row(ours)))
    frame = replace(snapshot.frame, sites=(snapshot.frame.sites[0], replace(snapshot.frame.sites[1], judged=word)))
    local = Disagreements(
        (row(ours),), {DISPUTED: 1}, nodes=50, unjudged=2, at=NOW, by_site=((ours, 1, 2),), disputed=1, paths=("x",)
    )
    both = Merging().disagreements(local, frame)
    assert dict(both.counts) == {DISPUTED: 4, WORTH_KNOWING: 7}
    assert (both.nodes, both.unjudged, both.disputed) == (150, 6, 4)
    assert both.by_site == ((ours, 1, 2), (theirs, 3, 4))
    assert both.total == 4, "what is only worth knowing is no dispute"
    assert [each.site for each in both.rows] == [theirs, ours], "the oldest first; a serve has no say on another site"
    assert len(both.rows) == 2
    assert both.paths == ("x", f"{theirs}/h1")


def test_what_did_not_change_is_not_made_again():
    snapshot, _, _ = attached()
    merging, local = Merging(), Disagreements(at=NOW)
    first = merging.disagreements(local, snapshot.frame)
    assert merging.disagreements(local, snapshot.frame) is first
    assert merging.disagreements(Disagreements(at=NOW + 5), snapshot.frame) is not first


def test_incidents_are_in_one_order_and_name_their_keeper():
    snapshot, ours, theirs = attached()
    bad = incident(sign("fault:x", theirs, Severity.CRITICAL))
    word = replace(snapshot.frame.sites[1].judged, incidents=(bad, incident(sign(site=ours))))
    frame = replace(snapshot.frame, sites=(snapshot.frame.sites[0], replace(snapshot.frame.sites[1], judged=word)))
    own = incident(sign(site=ours))
    told = Merging().merge(replace(snapshot, frame=frame, incidents=(own,)), {})
    assert [(each.site, each.keeper) for each in told.incidents] == [(theirs, "serve-muc1"), (ours, "")]


def test_a_serve_of_several_sites_says_things_once():
    snapshot = panels.normal()
    view = SharedView("hot", "sre@a", NOW, "{}")
    sites = tuple(
        replace(site, judged=judged(site=site.site, notices=("low disk",), views=(view,)))
        for site in snapshot.frame.sites
    )
    told = Merging().merge(replace(snapshot, frame=replace(snapshot.frame, sites=sites), notices=()), {})
    assert told.notices == ("serve-muc1: low disk",)
    assert told.views == (view,)


def test_trouble_on_the_way_to_a_serve_is_told_and_its_own_trouble_too():
    snapshot, _, theirs = attached()
    merging = Merging()
    (memory,) = merging.merge(snapshot, {theirs: 42.0}).memories
    assert (memory.kind, memory.where) == ("serve", "serve-muc1")
    assert "not been heard for 42 s" in memory.trouble
    word = snapshot.frame.sites[1].judged
    broken = replace(word, memory=replace(word.memory, trouble="disk full", leader="gd-2"))
    frame = replace(snapshot.frame, sites=(snapshot.frame.sites[0], replace(snapshot.frame.sites[1], judged=broken)))
    (memory,) = merging.merge(replace(snapshot, frame=frame), {}).memories
    assert (memory.trouble, memory.leader) == ("disk full", "gd-2")


def test_nobody_knows_how_the_endpoints_of_a_serve_are_that_is_not_heard():
    snapshot, _, theirs = attached(sources=(replace(panels.normal().sources[0], state=SourceState.OK, name="prom"),))
    (heard,) = (each for each in Merging().merge(snapshot, {}).sources if each.name == "serve/prom")
    assert (heard.site, heard.state) == (theirs, SourceState.OK)
    (silent,) = (each for each in Merging().merge(snapshot, {theirs: 42.0}).sources if each.name == "serve/prom")
    assert (silent.state, silent.last_error) == (SourceState.STALE, "serve-muc1 has not been heard for 42 s")
