"""Incidents: what is wrong at one site, with a life, and what people say of it; notes on any object; what people do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from console.model.levels import Level, Severity
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.model.events import AlertState


@dataclass(frozen=True, slots=True)
class Sign:
    """What is wrong at one site now, without a memory: the same input always gives the same signs.

    `key` names it within its site and does not change while it lasts: `check:hot`, `fault:gpu-off-bus`,
    `alert:NodeDown`. `path` is the address that all of it shares (the site's name where nothing narrower), `paths` the
    first few objects. `gpus` are at risk (`exact`: counted, not estimated), `matches` is how many rows of `level`
    match. `folds` are the keys of other signs that tell of the same thing and are not listed beside it.
    """

    key: str
    site: str
    severity: Severity
    title: str
    text: str
    path: str
    since: float
    paths: tuple[str, ...] = ()
    gpus: int = 0
    exact: bool = True
    matches: int = 0
    level: Level = Level.GPU
    jobs: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who took an incident on, when, and how bad it was then; one that has become worse since is as new again."""

    author: str
    at: float
    severity: Severity
    note: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """A sign with a life: `firing`, `acknowledged` or `resolved`.

    `opened_at` and the sign's key make `id`, so that two memories of one thing agree on it. `worst` is the worst it has
    been. `seen_at` is when the sign was last there, `resolved_at` 0 while it is open, `returns` how often it came back
    while it was remembered. `keeper` is who remembers it: a `gigadeck serve` by its name, empty for our own memory.
    """

    id: str
    state: AlertState
    sign: Sign
    opened_at: float
    changed_at: float
    seen_at: float
    worst: Severity
    resolved_at: float = 0.0
    returns: int = 0
    acknowledgement: Acknowledgement | None = None
    keeper: str = ""

    @property
    def site(self) -> str:
        """The site where it is."""
        return self.sign.site


def incident_id(site: str, key: str, opened_at: float) -> str:
    """Return the id of an incident: its site and eight hexadecimal digits of what it is and when it began."""
    import hashlib  # a start needs none of it, and it brings OpenSSL along

    digest = hashlib.blake2b(f"{site}\0{key}\0{opened_at:.3f}".encode(), digest_size=4).hexdigest()
    return f"{site}-{digest}"


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote on an object by its key: `node:muc1/n0653`, `gpu:UUID`, `incident:muc1-1a2b3c4d`."""

    id: str
    site: str
    subject: str
    author: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class SharedView:
    """A view that somebody saved for everybody at a site: `spec` is what the screen makes of it."""

    name: str
    author: str
    at: float
    spec: str


class DeedKind(StrEnum):
    """What a person may do to what is remembered."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    NOTE = "note"
    DROP_NOTE = "drop_note"
    SAVE_VIEW = "save_view"
    DROP_VIEW = "drop_view"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does: `subject` is an incident's id, a note's id or object, or a view's name; `text` the words.

    `id` is the caller's own (a UUID): the same one twice is done once. `author` is filled in by who keeps it, from
    what the connection proves; a client's own word for it counts for nothing.
    """

    id: str
    kind: DeedKind
    site: str
    subject: str
    text: str = ""
    author: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class MemoryStatus:
    """Who remembers for a site: `kind` is `none` (ends with the program), `own` or `serve`.

    `where` is the database or the server in words (no secret); `trouble` says why nothing can be written now; `leader`
    names who leads where this is a follower's word.
    """

    site: str
    kind: str
    where: str = ""
    trouble: str = ""
    leader: str = ""
