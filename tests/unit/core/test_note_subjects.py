from __future__ import annotations

from dataclasses import replace

import pytest

from console.core.incident_book import IncidentBook
from console.core.note_subjects import is_gone, key_of_row, notes_on
from console.core.note_targets import note_subject
from console.core.why import explain
from console.model.errors import TargetError
from console.model.incidents import Note
from tests.support import panels
from tests.support.signs import NOW, sign

NODE = "muc1/h1/r001/n0001"
GPU = "GPU-00000000-0000-0003-0000-000000000001"


@pytest.fixture
def snapshot():
    book = IncidentBook()
    incidents = book.update((sign(), sign("check:pue", "bcn1", path="bcn1", paths=())), NOW)
    book.acknowledge(next(each.id for each in incidents if each.site == "muc1"), "ada", NOW, "on it")
    sites = (panels.site_frame("muc1"), panels.site_frame("bcn1"))
    return replace(panels.snapshot(sites), incidents=book.listed())


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (NODE, "node:muc1/n0001"),
        ("muc1:n0001", "node:muc1/n0001"),
        (f"{NODE}/g2", f"gpu:{GPU}"),
        ("muc1", "site:muc1"),
        ("muc1/h1/r001", "rack:muc1/h1/r001"),
        ("job:muc1/7", "job:muc1/7"),
    ],
)
def test_an_object_has_one_key_by_whatever_name(snapshot, target, key):
    site, found = note_subject(snapshot, target)
    assert (site, found) == ("muc1", key)


def test_a_note_is_found_on_its_object_alone(snapshot):
    note = Note("1", "muc1", f"gpu:{GPU}", "ada", NOW, "swapped")
    noted = replace(snapshot, notes=(note,))
    assert notes_on(noted, f"{NODE}/g2") == (note,)
    assert notes_on(noted, f"{NODE}/g1") == notes_on(noted, NODE) == notes_on(noted, "nowhere") == ()


def test_a_note_on_an_incident(snapshot):
    id = snapshot.incidents[0].id
    assert note_subject(snapshot, f"incident:{id}") == (id.rpartition("-")[0], f"incident:{id}")
    assert key_of_row(snapshot.frame, f"incident:{id}") == (id.rpartition("-")[0], f"incident:{id}")
    assert key_of_row(snapshot.frame, "check:hot") is None
    with pytest.raises(TargetError, match="incident:muc1-0"):
        note_subject(snapshot, "incident:muc1-0")


def test_why_tells_the_incidents_and_the_notes_of_an_object(snapshot):
    noted = replace(snapshot, notes=(Note("1", "muc1", "node:muc1/n0001", "kim", NOW, "new PSU"),))
    id = next(each.id for each in snapshot.incidents if each.site == "muc1")
    for target in (NODE, f"{NODE}/g0", f"incident:{id}"):
        facts = dict(explain(noted, target).facts)
        assert "acknowledged by ada: on it" in facts[f"incident {id}"], target
        assert "new PSU" in facts["note"], target
    assert not [name for name, _ in explain(noted, "muc1/h2/r004/n0013").facts if name in ("note", f"incident {id}")]


def test_why_of_an_incident_of_a_whole_site_says_so(snapshot):
    id = next(each.id for each in snapshot.incidents if each.site == "bcn1")
    with pytest.raises(TargetError, match="whole site bcn1"):
        explain(snapshot, f"incident:{id}")
    with pytest.raises(TargetError, match="no such incident"):
        explain(snapshot, "incident:muc1-0")


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        ("node:muc1/n0001", False),
        ("node:muc1/n9999", True),
        (f"gpu:{GPU}", False),
        ("gpu:GPU-ffffffff-0000-0003-0000-000000000001", True),
        ("gpu:muc1/n0001/g2", False),
        ("gpu:muc1/n0001/g99", True),
        ("gpu:muc1/n9999/g1", True),
        ("rack:muc1/h1/r001", False),
        ("rack:muc1/h1/r999", True),
        ("site:muc1", False),
        ("job:muc1/7", False),
        ("job:muc1/99999", True),
        ("incident:muc1-00000000", False),
    ],
)
def test_what_is_surely_gone(snapshot, key, gone):
    assert is_gone(snapshot.frame, "muc1", key) is gone


def test_nothing_is_surely_gone_where_a_site_is_silent(snapshot):
    key = "node:muc1/n9999"
    silent = (replace(snapshot.frame.sites[0], stale=True), replace(snapshot.frame.sites[1], data_at=0.0))
    frame = replace(snapshot.frame, sites=silent)
    assert not is_gone(frame, "muc1", key)
    assert not is_gone(frame, "bcn1", key)
    assert not is_gone(frame, "osl1", key)
