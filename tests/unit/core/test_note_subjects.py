from __future__ import annotations

from dataclasses import replace

import pytest

from console.core.incident_book import IncidentBook
from console.core.note_subjects import key_of_row, notes_on
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
