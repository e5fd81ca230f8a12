from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.cli.commands.watch import EventStream
from console.core.incident_book import HOLD_S, IncidentBook
from console.model.builtin_metrics import BUILTIN
from console.model.events import Alert, AlertState
from console.model.levels import Severity
from console.model.snapshot import Frame, Snapshot
from tests.support.signs import sign

if TYPE_CHECKING:
    from console.model.incidents import Incident

NOW = 1_800_000_000.0
XID = Alert("f1", AlertState.FIRING, Severity.CRITICAL, "GpuXid", "muc1", "muc1/h1/r1/n1/g3", NOW - 60, origin="pager")


def test_alerts_of_others_are_told_when_they_come_change_and_go() -> None:
    stream = EventStream(frozenset({"alerts"}))
    silenced = replace(XID, state=AlertState.SILENCED, silenced_by=("kim: rack work",))
    for seq, alerts in enumerate([(XID,), (XID,), (silenced,), (silenced,), ()]):
        stream.offer(Snapshot(seq, Frame(NOW + seq, "t", BUILTIN, ()), alerts=alerts))
    events = [event for _ in range(5) for event in stream.take(0.0)]
    assert [(event["at"] - NOW, event["was"], event["state"]) for event in events] == [
        (0, None, "firing"),
        (2, "firing", "silenced"),
        (4, "silenced", "resolved"),
    ]
    assert {event["type"] for event in events} == {"alert"}
    assert events[1]["silenced_by"] == ["kim: rack work"]
    assert (events[0]["path"], events[0]["origin"], events[0]["severity"]) == (XID.path, "pager", "critical")


def test_the_turns_of_an_incident_are_told_and_what_only_wobbles_is_not() -> None:
    book, stream = IncidentBook(), EventStream(frozenset({"alerts"}))

    def offer(incidents: tuple[Incident, ...], second: float) -> None:
        stream.offer(Snapshot(int(second), Frame(NOW + second, "t", BUILTIN, ()), incidents=incidents))

    (hot,) = book.update((sign(),), NOW)
    offer(book.listed(), 0)
    offer(book.update((sign(gpus=7, text="7 GPUs: hot"),), NOW + 1), 1)
    book.acknowledge(hot.id, "ada", NOW + 2, "on it")
    offer(book.listed(), 2)
    offer(book.update((sign(severity=Severity.CRITICAL),), NOW + 3), 3)
    book.update((), NOW + 4)
    offer(book.update((), NOW + 4 + HOLD_S), 4 + HOLD_S)
    events = [event for _ in range(5) for event in stream.take(0.0)]
    assert [(event["at"] - NOW, event["was"], event["state"], event["severity"]) for event in events] == [
        (0, None, "firing", "warning"),
        (2, "firing", "acknowledged", "warning"),
        (3, "acknowledged", "firing", "critical"),
        (4 + HOLD_S, "firing", "resolved", "critical"),
    ]
    assert {(event["type"], event["id"]) for event in events} == {("incident", hot.id)}
    assert (events[1]["acknowledged_by"], events[1]["note"]) == ("ada", "on it")
    assert events[2]["severity_was"] == "warning"


def test_what_was_over_before_we_looked_is_no_event() -> None:
    book, stream = IncidentBook(), EventStream(frozenset({"alerts"}))
    book.update((sign(),), NOW)
    book.update((), NOW + 1)
    over = book.update((), NOW + 1 + HOLD_S)
    stream.offer(Snapshot(1, Frame(NOW, "t", BUILTIN, ()), incidents=over))
    assert stream.take(0.0) == []
