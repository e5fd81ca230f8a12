"""What is wrong with a folder's files: each fault with its file, line and column, in bounded number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.errors import ConfigError, ConfigErrors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST = 20


class Problems:
    """Collects the faults of one file; `check()` raises them all, the first 20 in full."""

    def __init__(self, file: Path | str) -> None:
        self.file = str(file)
        self._errors: list[ConfigError] = []
        self._more = 0

    def add(self, line: int, column: str, message: str) -> None:
        """Note one fault."""
        if len(self._errors) < MOST:
            self._errors.append(ConfigError(self.file, line, column, message))
        else:
            self._more += 1

    def check(self) -> None:
        """Raise ConfigErrors if anything was noted."""
        if self._errors:
            more = [ConfigError(self.file, 0, "", f"and {self._more:,} more faults")] if self._more else []
            raise ConfigErrors([*self._errors, *more])


def must_have(problems: Problems, columns: Iterable[str], needed: Iterable[str]) -> None:
    """Raise ConfigErrors for columns that are missing or there twice."""
    given = list(columns)
    for name in needed:
        if name not in given:
            problems.add(1, name, f"this column is missing; the file has {', '.join(given) or 'none'}")
    for name in sorted({each for each in given if given.count(each) > 1 and each}):
        problems.add(1, name, "this column is there twice")
    problems.check()
