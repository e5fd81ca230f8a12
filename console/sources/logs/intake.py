"""Turns kernel log lines of many nodes into events: one fault log a node, storms folded (compute thread)."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.fault_log import FaultLog
from console.model.reading import EventsPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.events import Event
    from console.model.reading import Part
    from console.sources.logs.lines import LogLine

MOST_WAITING = 40_000
MOST_NODES = 25_000
# The site keeps the last 1,000 events: more in one reading would drive everything else out.
MOST_EVENTS = 400
LINES_A_STEP = 50


class Intake:
    """Lines wait here until they are decoded, so that a reading that is never decoded loses nothing."""

    def __init__(self, site: str, source: str) -> None:
        self._site, self._source = site, source
        self.waiting: deque[LogLine] = deque(maxlen=MOST_WAITING)
        self.unplaced = 0
        self.events = 0
        self._logs: OrderedDict[str, FaultLog] = OrderedDict()

    @property
    def nodes(self) -> int:
        """How many nodes had lines that tell of something."""
        return len(self._logs)

    def decode(self, received_at: float, notes: dict[str, str]) -> Iterator[Part]:
        """Yield the events of the lines that wait; returns to its caller often."""
        events: list[Event] = []
        left_out = 0
        for done in range(len(self.waiting)):
            event = self._event(self.waiting.popleft(), received_at)
            if event is not None and len(events) < MOST_EVENTS:
                events.append(event)
            elif event is not None:
                left_out += 1
            if done % LINES_A_STEP == LINES_A_STEP - 1:
                yield EventsPart(())
        self.events += len(events)
        notes["events"] = f"{self.events:,} of {self.nodes:,} nodes"
        if left_out:
            notes["left out"] = f"{left_out:,} events of this reading: a storm"
        if self.unplaced:
            notes["not placed"] = f"{self.unplaced:,} lines name no node: set `node_label`"
        if events:
            yield EventsPart(tuple(events))

    def _event(self, line: LogLine, received_at: float) -> Event | None:
        log = self._logs.get(line.node)
        if log is None:
            log = self._logs[line.node] = FaultLog(self._site, line.node, self._source)
        self._logs.move_to_end(line.node)
        while len(self._logs) > MOST_NODES:
            self._logs.popitem(last=False)
        event = log.feed(line.text, received_at, at=line.at_ns / 1e9)
        if line.node:
            return event
        self.unplaced += 1
        return None if event is None else replace(event, path=self._site)
