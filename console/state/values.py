"""What the memory takes and gives beside the model's own values: baselines, plans, locks, the journal's index."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.model.incidents import Incident, Note, SharedView


@dataclass(frozen=True, slots=True)
class Baseline:
    """One column of a detector's memory as whoever saved it has packed it."""

    site: str
    detector: str
    column: str
    saved_at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was kept of some sites: incidents by id, notes newest first, views by site and name."""

    incidents: tuple[Incident, ...] = ()
    notes: tuple[Note, ...] = ()
    views: Mapping[str, tuple[SharedView, ...]] = field(default_factory=dict)
    baselines: tuple[Baseline, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One step in the life of an incident: what it was from `at` on, and who made it so where a person did."""

    incident: str
    site: str
    at: float
    state: str
    severity: str
    author: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A notification that went out: what (`firing`, `resolved`) about which incident by which channel."""

    incident: str
    channel: str
    what: str
    site: str
    at: float
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan: `body` is the plan itself as whoever wrote it has packed it."""

    id: str
    site: str
    state: str
    author: str
    created_at: float
    changed_at: float
    body: str = ""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a plan, by its number from 0."""

    plan: str
    number: int
    target: str
    state: str
    changed_at: float
    outcome: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """Something that one alone may work on until `until_at`: a node, a domain, a whole site."""

    site: str
    name: str
    holder: str
    taken_at: float
    until_at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GuardCounter:
    """How much of what a guard allows is used, such as nodes taken out of one NVLink domain."""

    site: str
    guard: str
    domain: str
    value: int
    changed_at: float


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Where an entry of the journal lies; `seq` grows by one and 0 asks for the next one."""

    seq: int
    site: str
    at: float
    kind: str
    subject: str = ""
    author: str = ""
    text: str = ""
    file: str = ""
    offset: int = 0
