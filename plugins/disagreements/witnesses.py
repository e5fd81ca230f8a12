"""What every voice says of one node, with its age; and all that is disputed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Align, Table, TableColumn, clean, format_value

if TYPE_CHECKING:
    from console.plugin import Snapshot

    from .chosen import Node

LONGEST = 300
MISSING = "—"


def witnesses(node: Node, snapshot: Snapshot) -> Table:
    """Return one row for each thing that is disputed and one a voice; a stale one is marked and counts for nothing."""
    voices = node.first.voices
    disputed = node.rows if len(node.rows) > 1 or not voices else ()
    who = [*(clean(row.kind, 40) for row in disputed), *(clean(voice.voice, 40) for voice in voices)]
    says = [*(clean(row.text, LONGEST) for row in disputed), *(clean(voice.says, LONGEST) for voice in voices)]
    times = [*(row.since for row in disputed), *(voice.at for voice in voices)]
    ages = [format_value(snapshot.at - at, "age") if at else MISSING for at in times]
    stale = [*(False for _ in disputed), *(voice.stale for voice in voices)]
    ages = [f"{age} STALE" if old else age for age, old in zip(ages, stale, strict=True)]
    tokens = [f"state.{row.severity.value}" for row in disputed]
    tokens += ["state.stale" if voice.stale else "text" for voice in voices]
    columns = (
        TableColumn("voice", "voice", who, width=12, weight=1, tokens=tokens),
        TableColumn("says", "says", says, width=20, weight=4, tokens=tokens),
        TableColumn("age", "age", ages, align=Align.RIGHT, width=6),
    )
    title = clean(node.path, 120)
    return Table(columns, ids=[f"voice:{i}" for i in range(len(who))], title=title, total=len(who), enter=False)
