"""What happened to a job, a node or a GPU: a time line, one suspect with evidence, and which voices were silent."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from console.model.jobs import JobState
    from console.model.levels import Severity


class Hearing(StrEnum):
    """What a voice did in the time that was looked at."""

    HEARD = "heard"
    SILENT = "silent"
    LATE = "late"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened: `at` UTC epoch seconds, `path` its address, `voice` who told of it (`kernel log`).

    `kind` is `xid`, `sxid`, `oom`, `link`, `drain`, `gap`, `job`, ... or what the source calls it; `code` is an XID or
    SXID, -1 for anything else. `folded` are the sympathetic ones that followed it, in one line each.
    """

    at: float
    path: str
    kind: str
    voice: str
    severity: Severity
    text: str
    code: int = -1
    folded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspect:
    """The one thing that is most likely the cause; `likely` is false where it is merely possible."""

    text: str
    path: str
    kind: str
    at: float
    likely: bool
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """A kind of source, and whether it had something to say of these nodes in this time."""

    name: str
    hearing: Hearing
    text: str


@dataclass(frozen=True, slots=True)
class WhyReport:
    """The answer for one object; all times are UTC epoch seconds.

    `at` is the end that was looked around, `at_is` what end that is; `begin_at` and `end_at` are what was looked at.
    `nodes` are addresses, `facts` what is so without a time. Without a `suspect` the `verdict` says why there is none.
    `left_out` is how many moments there were beyond those listed.
    """

    subject: str
    kind: str
    title: str
    site: str
    nodes: tuple[str, ...]
    at: float
    at_is: str
    begin_at: float
    end_at: float
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    moments: tuple[Moment, ...] = ()
    suspect: Suspect | None = None
    voices: tuple[Voice, ...] = ()
    state: JobState | None = None
    left_out: int = 0
