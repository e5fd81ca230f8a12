"""Random lives: whatever comes, goes, is taken on and restarted, no incident is lost, doubled or quietly let go."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.incident_book import HOLD_S, REMEMBER_S, IncidentBook
from console.core.signs.draft import Draft
from console.core.signs.folding import folded
from console.model.events import AlertState
from console.model.levels import Level, Severity
from tests.support.signs import NOW, sign

SITES = ("muc1", "bcn1")
KEYS = tuple(f"check:{name}" for name in "abcd")
SEVERITIES = (Severity.UNKNOWN, Severity.WARNING, Severity.CRITICAL)
STEPS_S = (0.0, 1.0, 30.0, HOLD_S, REMEMBER_S / 2, -5.0)


@st.composite
def signs(draw):
    """Return signs at two sites, some of which fold others."""
    found = []
    for site in SITES:
        keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3))
        for key in keys:
            folds = tuple(draw(st.lists(st.sampled_from([each for each in KEYS if each not in keys]), max_size=2)))
            severity = draw(st.sampled_from(SEVERITIES))
            found.append(sign(key, site, severity, folds=tuple(dict.fromkeys(folds))))
    return tuple(found)


@st.composite
def lives(draw):
    """Return what happens, step by step: (seconds, signs, sites that are heard, who acknowledges, a restart)."""
    step = st.tuples(
        st.sampled_from(STEPS_S),
        signs(),
        st.sets(st.sampled_from(SITES)),
        st.integers(0, 3),
        st.booleans(),
    )
    return draw(st.lists(step, min_size=1, max_size=12))


def is_open(incident):
    return incident.state is not AlertState.RESOLVED


def open_keys(incidents):
    return [(each.site, each.sign.key) for each in incidents if is_open(each)]


@settings(max_examples=40, deadline=None)
@given(lives())
def test_at_most_one_open_incident_a_site_and_key_and_every_id_once(life):
    book, now = IncidentBook(), NOW
    stored = {}
    for seconds, found, heard, _, restart in life:
        now += seconds
        incidents = book.update(found, now, heard)
        assert len(open_keys(incidents)) == len(set(open_keys(incidents)))
        assert len({each.id for each in incidents}) == len(incidents)
        stored |= {each.id: each for each in book.changed()}
        if restart:
            book = IncidentBook(stored[each.id] for each in incidents)


@settings(max_examples=40, deadline=None)
@given(lives())
def test_every_sign_has_an_open_incident(life):
    book, now = IncidentBook(), NOW
    for seconds, found, heard, _, restart in life:
        now += seconds
        incidents = book.update(found, now, heard)
        assert {(each.site, each.key) for each in found} <= set(open_keys(incidents))
        if restart:
            book = IncidentBook(incidents)


@settings(max_examples=40, deadline=None)
@given(lives())
def test_what_is_acknowledged_stays_so_unless_it_is_worse(life):
    book, now = IncidentBook(), NOW
    taken = {}
    for seconds, found, heard, which, restart in life:
        now += seconds
        incidents = book.update(found, now, heard)
        for each in incidents:
            if each.id in taken:
                assert each.acknowledgement == taken[each.id]
                worse = each.sign.severity.rank > each.acknowledgement.severity.rank
                assert each.state is AlertState.RESOLVED or (each.state is AlertState.FIRING) == worse
        for each in [each for each in incidents if is_open(each)][which : which + 1]:
            taken[each.id] = book.acknowledge(each.id, f"sre{which}", now, "note").acknowledgement
        if restart:
            book = IncidentBook(book.listed())


@settings(max_examples=40, deadline=None)
@given(lives())
def test_a_second_look_at_the_same_time_sees_the_same(life):
    book, now = IncidentBook(), NOW
    for seconds, found, heard, _, _ in life:
        now += seconds
        assert book.update(found, now, heard) == book.update(found, now, heard)


@settings(max_examples=40, deadline=None)
@given(lives())
def test_a_restart_changes_nothing(life):
    book, now = IncidentBook(), NOW
    for seconds, found, heard, _, _ in life:
        now += seconds
        incidents = book.update(found, now, heard)
        again = IncidentBook(incidents).update(found, now, heard)
        assert {replace(each, seen_at=0.0) for each in again} == {replace(each, seen_at=0.0) for each in incidents}


@settings(max_examples=30, deadline=None)
@given(lives())
def test_nothing_begins_or_ends_at_a_site_that_nobody_sees_and_nobody_speaks_of(life):
    book, now = IncidentBook(), NOW
    for seconds, found, _, _, _ in life:
        now += seconds
        told = tuple(each for each in found if each.site == "bcn1")
        before = {each.id: each.state for each in book.listed() if each.site == "muc1"}
        book.update(told if before else found, now, {"bcn1"})
        after = {each.id: each.state for each in book.listed() if each.site == "muc1"}
        assert not before or after == before


NODES = tuple(f"muc1/h1/r001/n000{number}" for number in range(3))
PLACES = ("muc1", NODES[1], *(f"{node}/g{gpu}" for node in NODES for gpu in range(2)))
NAMES = ("fault:gpu-off-bus", "check:silent", "disagreement:gpus-silent", "alert:a", "alert:b", "check:c", "site:blind")


@st.composite
def drafts(draw):
    """Return drafts at one site, each key once."""
    found = []
    for key in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        paths = tuple(draw(st.lists(st.sampled_from(PLACES), unique=True, max_size=4)))
        level = draw(st.sampled_from((Level.GPU, Level.NODE, Level.SITE)))
        told = sign(key, severity=draw(st.sampled_from(SEVERITIES)), paths=paths, level=level)
        found.append(Draft(told, paths, draw(st.booleans())))
    return found


@settings(max_examples=150, deadline=None)
@given(drafts())
def test_folding_loses_nothing_doubles_nothing_and_keeps_the_worst(found):
    signs = folded(found)
    named = [key for each in signs for key in (each.key, *each.folds)]
    assert sorted(named) == sorted(each.sign.key for each in found)
    severity = {each.sign.key: each.sign.severity.rank for each in found}
    assert all(each.severity.rank >= severity[key] for each in signs for key in each.folds)


@settings(max_examples=80, deadline=None)
@given(drafts(), st.randoms(use_true_random=False))
def test_folding_does_not_depend_on_the_order(found, random):
    mixed = found[:]
    random.shuffle(mixed)
    assert sorted(folded(found), key=lambda each: each.key) == sorted(folded(mixed), key=lambda each: each.key)
