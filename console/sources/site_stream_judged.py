"""Reads what a `gigadeck serve` judged and remembers from the site API's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from console.model.incidents import MemoryStatus
from console.model.reading import JudgedPart
from console.model.snapshot import Judged
from console.sources.site_stream_judged_wire import (
    WireCheck,
    WireDisagreement,
    WireFinding,
    WireIncident,
    WireNote,
    WireStatus,
    WireView,
)
from console.sources.site_stream_lists import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.sources.site_bodies import Faults
    from console.sources.site_stream_judged_wire import WireJudged, WireList
    from console.sources.site_stream_rows import Names, Reader

LISTS = ("incidents", "findings", "checks", "disagreements", "sources", "notes", "views")
_SHAPES: dict[str, Any] = {
    "incidents": WireIncident,
    "findings": WireFinding,
    "checks": WireCheck,
    "disagreements": WireDisagreement,
    "sources": WireStatus,
    "notes": WireNote,
    "views": WireView,
}


class JudgedReader:
    """The word of one serve on one site, kept whole while it tells what changed of it."""

    def __init__(self, faults: Faults, names: Names, reader: Reader) -> None:
        self._faults = faults
        self._names = names
        self._reader = reader
        self.keeper = ""
        self._memory = MemoryStatus(names.site, "none")
        self._counts: tuple[tuple[str, int], ...] = ()
        self._nodes = (0, 0, 0)
        self._notices: tuple[str, ...] = ()
        reads: dict[str, Any] = {
            "incidents": reader.incident,
            "findings": reader.finding,
            "checks": reader.check,
            "disagreements": reader.disagreement,
            "sources": reader.status,
            "notes": reader.note,
            "views": reader.view,
        }
        self._lists: dict[str, Rows[Any, Any]] = {name: Rows(faults, name, reads[name]) for name in LISTS}

    def read(self, wire: WireJudged) -> Iterator[JudgedPart | None]:
        """Yield all that was judged, and None between the steps that lead there; raises BadPayload."""
        self.keeper = wire.keeper or self.keeper
        if wire.memory is not None:
            self._memory = self._reader.memory(wire.memory)
        if wire.disagreement_counts is not None:
            self._counts = tuple(wire.disagreement_counts)
        self._nodes = wire.nodes or self._nodes
        if wire.notices is not None:
            self._notices = tuple(wire.notices)
        for name in LISTS:
            told: WireList | None = getattr(wire, name)
            if told is not None:
                yield from self._take(name, told)
        rows = {name: listed.rows for name, listed in self._lists.items()}
        judged = Judged(
            at=wire.at,
            keeper=self.keeper,
            memory=self._memory,
            disagreement_counts=self._counts,
            nodes=self._nodes,
            notices=self._notices,
            **rows,
        )
        yield JudgedPart(judged)

    def _take(self, name: str, told: WireList) -> Iterator[None]:
        shape: Any = _SHAPES[name]
        try:
            rows = msgspec.convert(told.rows, list[shape])
            edits = msgspec.convert(told.edits, list[tuple[int, int | shape]])
        except msgspec.ValidationError as error:
            raise self._faults.bad(f"{name} are not as the site API has them: {str(error)[:200]}") from None
        yield from self._lists[name].put(rows) if told.full else self._lists[name].edit(edits)
