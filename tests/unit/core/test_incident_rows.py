from __future__ import annotations

from dataclasses import replace

import pytest

from console.core.incident_book import HOLD_S, IncidentBook
from console.core.incident_query import select_incidents
from console.core.incident_rows import ids_of_row, incident_rows
from console.core.registry import UnknownFieldError
from console.core.signs.draft import counted
from console.model.errors import ExpressionError, TargetError
from console.model.events import Alert, AlertState
from console.model.levels import Level, Severity
from tests.support import panels
from tests.support.signs import NOW, sign


def told(*signs, acknowledge=(), over=(), **more):
    book = IncidentBook()
    incidents = book.update((*signs, *over), NOW)
    for each in incidents:
        if each.sign.key in acknowledge:
            book.acknowledge(each.id, "ada", NOW - 5, "on it")
    book.update(signs, NOW + 1)
    book.update(signs, NOW + 1 + HOLD_S) if over else None
    sites = tuple(panels.site_frame(name) for name in ("muc1", "bcn1"))
    return replace(panels.snapshot(sites), incidents=book.listed(), **more)


def many(key, site, count, **more):
    text = f"{counted(key, Level.GPU, count)}: {key}"
    return sign(key, site, matches=count, gpus=count, path=site, paths=(f"{site}/h1/r001/n0001/g0",), text=text, **more)


def test_a_row_leads_to_all_of_its_incidents():
    snapshot = told(many("check:hot", "muc1", 3), many("check:hot", "bcn1", 5), sign("check:ecc"))
    rows = incident_rows(snapshot)
    assert [(row.text, row.sites, row.gpus) for row in rows] == [
        ("8 GPUs: check:hot", ("bcn1", "muc1"), 8),
        ("1 GPU: check:ecc", ("muc1",), 1),
    ]
    for row in rows:
        assert ids_of_row(snapshot, row.id) == tuple(each.id for each in row.incidents)


def test_every_row_has_an_id_of_its_own():
    same = [sign(f"check:{number}", path="muc1/h1") for number in range(5)]
    ids = [row.id for row in incident_rows(told(*same))]
    assert len(set(ids)) == 5
    assert ids[0] == "muc1/h1"
    assert all(each.startswith("incident:muc1-") for each in ids[1:])


def test_an_incident_a_check_and_an_object_lead_to_what_is_open_there():
    snapshot = told(sign("check:hot", folds=("check:xid",)), sign("check:ecc", "bcn1"), over=(sign("check:old"),))
    hot = next(each for each in snapshot.incidents if each.sign.key == "check:hot")
    for row_id in (f"incident:{hot.id}", "check:hot", "check:xid", "muc1/h1/r001/n0001/g0"):
        assert ids_of_row(snapshot, row_id) == (hot.id,), row_id
    for row_id in ("check:old", "incident:x", "", "bcn1/h2", "job:muc1/7"):
        assert ids_of_row(snapshot, row_id) == (), row_id


def test_who_took_it_on_is_told_and_whether_it_has_become_worse_since():
    assert [row.taken_by for row in incident_rows(told(sign(), acknowledge=("check:hot",)))] == ["ada"]
    assert [row.taken_by for row in incident_rows(told(sign()))] == ["-"]
    book = IncidentBook()
    (incident,) = book.update((sign(),), NOW)
    book.acknowledge(incident.id, "ada", NOW)
    worse = book.update((replace(sign(), severity=Severity.CRITICAL),), NOW + 1)
    (row,) = incident_rows(replace(told(), incidents=worse))
    assert (row.taken_by, row.acknowledged) == ("ada!", False)


def test_words_that_count_nothing_stay_as_they_are():
    snapshot = told(sign("fault:gap", text="gap: none", matches=3), sign("fault:gap", "bcn1", text="gap: x", matches=2))
    assert incident_rows(snapshot)[0].text in ("gap: none", "gap: x")


@pytest.fixture
def mixed():
    alert = Alert("a1", AlertState.SILENCED, Severity.WARNING, "Fan", "muc1", "muc1/h1", NOW - 9, origin="pager")
    signs = (sign("check:hot", jobs=("llm-7",)), sign("check:ecc", "bcn1", severity=Severity.CRITICAL, gpus=40))
    return told(*signs, acknowledge=("check:hot",), over=(sign("check:old"),), alerts=(alert,))


def keys(rows):
    return [row["key"] for row in rows]


def test_open_incidents_come_worst_first_and_the_others_only_if_asked_for(mixed):
    assert keys(select_incidents(mixed)) == ["check:ecc", "check:hot"]
    assert keys(select_incidents(mixed, resolved=True)) == ["check:ecc", "check:hot", "check:old"]
    rows = select_incidents(mixed, kinds=("incidents", "alerts"))
    assert [(row["kind"], row["state"]) for row in rows] == [
        ("incident", "firing"), ("incident", "acknowledged"), ("alert", "silenced"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('severity == "critical"', ["check:ecc"]),
        ('acknowledged_by == "ada"', ["check:hot"]),
        ("missing(acknowledged_by)", ["check:ecc"]),
        ("gpus > 10 or worse == 1", ["check:ecc"]),
        ('jobs =~ "llm.*"', ["check:hot"]),
        ('state in ["firing", "acknowledged"] and site == "muc1"', ["check:hot"]),
        ("age_s > 1e6", []),
    ],
)
def test_the_filter_language_speaks_of_incidents(mixed, where, found):
    assert keys(select_incidents(mixed, where=where)) == found


def test_sort_limit_after_and_fields(mixed):
    assert keys(select_incidents(mixed, sort="gpus")) == ["check:hot", "check:ecc"]
    assert keys(select_incidents(mixed, sort="-severity")) == ["check:ecc", "check:hot"]
    first = select_incidents(mixed, sort="acknowledged_at", limit=1)
    assert keys(first) == ["check:hot"], "missing comes last"
    assert keys(select_incidents(mixed, after=select_incidents(mixed)[0]["id"])) == ["check:hot"]
    assert list(select_incidents(mixed, fields=("gpus", "text"))[0]) == ["id", "gpus", "text"]


def test_what_cannot_be_asked_is_named(mixed):
    with pytest.raises(UnknownFieldError, match="an incident has no field sverity; did you mean severity"):
        select_incidents(mixed, fields=("sverity",))
    with pytest.raises(ExpressionError, match="incident"):
        select_incidents(mixed, where="temp_c > 5")
    with pytest.raises(TargetError, match="muc1-0"):
        select_incidents(mixed, after="muc1-0")
