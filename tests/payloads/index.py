"""The captured payloads beside the checkout as their indexes list them, and what may become of one."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[3] / "shared" / "payloads"
MISSING = "the captured payloads are not beside the project"


@dataclass(frozen=True)
class Entry:
    """One row of an INDEX.tsv; `name` is folder and file, `what` says what it holds."""

    name: str
    what: str

    @property
    def path(self) -> Path:
        return FOLDER / self.name

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True)
class Read:
    """A reader of ours takes it: `reader` holds what came out against the file, and returns how much that was."""

    reader: Callable[[Entry], int]


@dataclass(frozen=True)
class Empty:
    """A reader of ours takes it and there is nothing in it for us; `why` says why that is right."""

    reader: Callable[[Entry], int]
    why: str


@dataclass(frozen=True)
class Refused:
    """A reader of ours refuses it; its message (a pattern) names why."""

    reader: Callable[[Entry], object]
    message: str


@dataclass(frozen=True)
class Compared:
    """It is a list of names or codes: ours are held against it, and that is how many agree."""

    check: Callable[[Entry], int]


@dataclass(frozen=True)
class NotOurs:
    """No source asks for such a thing."""

    why: str


Outcome = Read | Empty | Refused | Compared | NotOurs
Rule = tuple[str, Outcome]


def folders() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/INDEX.tsv"))


def entries(folder: str) -> list[Entry]:
    with (FOLDER / folder / "INDEX.tsv").open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Entry(f"{folder}/{row['file']}", row["what"]) for row in rows]


def outcomes_of(entry: Entry, rules: tuple[Rule, ...]) -> list[Outcome]:
    return [outcome for pattern, outcome in rules if fnmatchcase(entry.name, pattern)]
