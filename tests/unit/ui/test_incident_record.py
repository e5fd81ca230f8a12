from __future__ import annotations

from dataclasses import replace

import pytest

from console.core.incident_book import HOLD_S, IncidentBook
from console.model.events import Finding
from console.model.incidents import Note
from console.model.levels import Level, Severity
from console.ui.raw import record_of
from tests.support import panels
from tests.support.signs import NOW, sign

NODE = "muc1/h1/r001/n0001"
EVIL = "\x1b[31m[bold]\u202egpu\r\n"


def text_of(text):
    return "\n".join("".join(span.text for span in line) for line in text.lines)


@pytest.fixture
def snapshot():
    gone = Finding(
        "telemetry", "gpu-off-bus", "muc1", Level.GPU, "GPU-1", f"{NODE}/g0", Severity.WARNING, "fallen off",
        ("XID 79",),
    )  # fmt: skip
    book = IncidentBook()
    (incident,) = book.update((sign("fault:gpu-off-bus", folds=("check:silent",), jobs=("llm-7",)),), NOW - 600)
    book.acknowledge(incident.id, "ada", NOW - 300, "card is ordered")
    check = panels.check("silent", Severity.WARNING, 1, level=Level.NODE, text="1 node of 24: silent")
    told = replace(panels.snapshot((panels.site_frame("muc1"),), checks=(check,)), findings=(gone,))
    return replace(told, incidents=book.listed())


def test_the_record_of_an_incident_tells_its_life_and_what_it_stands_on(snapshot):
    (incident,) = snapshot.incidents
    note = Note("1", "muc1", f"incident:{incident.id}", "kim", NOW - 60, "RMA 4711")
    shown = text_of(record_of(replace(snapshot, notes=(note,)), f"incident:{incident.id}"))
    for told in (
        incident.id,
        "acknowledged, warning",
        "by ada at",
        "card is ordered",
        "llm-7",
        "fault:gpu-off-bus",
        f"{NODE}/g0: fallen off (XID 79)",
        "check:silent",
        "1 node of 24: silent",
        "RMA 4711",
    ):
        assert told in shown, told


def test_the_record_of_an_object_begins_with_its_incidents(snapshot):
    shown = text_of(record_of(snapshot, f"{NODE}/g0"))
    assert shown.startswith("incident muc1-")
    assert "address " in shown
    assert "incident muc1-" not in text_of(record_of(snapshot, "muc1/h2/r004/n0013"))


def test_one_that_has_become_worse_or_is_over_says_so(snapshot):
    book = IncidentBook(snapshot.incidents)
    worse = book.update((sign("fault:gpu-off-bus", severity=Severity.CRITICAL),), NOW)
    shown = text_of(record_of(replace(snapshot, incidents=worse), f"incident:{worse[0].id}"))
    assert "it has become worse since" in shown
    book.update((), NOW + 1)
    over = book.update((), NOW + 1 + HOLD_S)
    assert "resolved, critical" in text_of(record_of(replace(snapshot, incidents=over), f"incident:{over[0].id}"))


def test_words_from_outside_are_never_more_than_words():
    book = IncidentBook()
    bad = sign(f"alert:{EVIL}", title=EVIL, text=EVIL * 90, path=f"muc1/{EVIL}", folds=(EVIL,), jobs=(EVIL,))
    (incident,) = book.update((bad,), NOW)
    book.acknowledge(incident.id, EVIL, NOW, EVIL)
    told = replace(panels.snapshot((panels.site_frame("muc1"),)), incidents=book.listed())
    for line in record_of(told, f"incident:{incident.id}").lines:
        assert panels.is_safe("".join(span.text for span in line))
