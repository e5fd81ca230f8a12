from __future__ import annotations

from dataclasses import replace

from console.cli.commands.watch import EventStream
from console.model.builtin_metrics import BUILTIN
from console.model.events import Alert, AlertState
from console.model.levels import Severity
from console.model.snapshot import Frame, Snapshot

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
