"""Ratios of this run beside those of the last committed run: what got slower, and what is beyond bearing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.measure import Figure

TOLD = 1.25
TOO_MUCH = 2.0


class Change(NamedTuple):
    """A figure whose ratio was `before` and is `now`; only a ratio to a reference of the same run counts."""

    name: str
    before: float
    now: float

    @property
    def factor(self) -> float:
        """How many times what it was; above 1 is worse."""
        return self.now / self.before

    @property
    def too_much(self) -> bool:
        """Whether it fails the run."""
        return self.factor > TOO_MUCH

    def line(self) -> str:
        """Return it as a line of text."""
        word = "TOO SLOW" if self.too_much else "slower" if self.factor > TOLD else "faster"
        return f"{word}: {self.name}: ratio {self.before:.3g} before, {self.now:.3g} now ({self.factor:.2f} x)"


def changes(figures: Sequence[Figure], committed: Path) -> list[Change]:
    """Return every figure that both runs know, with a ratio in both; empty without a committed run."""
    if not committed.exists():
        return []
    before = {row["name"]: row["ratio"] for row in json.loads(committed.read_text())["figures"]}
    pairs = ((each.name, before.get(each.name), each.ratio) for each in figures)
    return [Change(name, old, now) for name, old, now in pairs if old and now]


def worth_telling(found: Sequence[Change]) -> list[Change]:
    """Return those that changed by more than a quarter."""
    return [each for each in found if each.factor > TOLD or each.factor < 1 / TOLD]
