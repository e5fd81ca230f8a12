"""Host lists as Slurm and ClusterShell write them: `n[0001-0003,0007]`, `gpu[1-2]x[01-02]`; padding means something.

Our own, not ClusterShell's NodeSet: that takes 4 s for 5,000 scattered names with two numbers (`r017n03`), and its
groups (`@name`) read files and run commands. Groups are refused here.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from console.core.naming import natural_sorted
from console.model.errors import UsageError
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMES_LIMIT = 1_000_000
TEXT_LIMIT = 8_000_000
_PIECE = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_MEANING = re.compile(r"[\[\],!&^@%*?\s]")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18})(?:/([1-9][0-9]{0,8}))?)?", re.ASCII)
_NUMBER = re.compile(r"(?<![0-9])([0-9]{1,18})(?![0-9])", re.ASCII)


class HostListError(UsageError):
    """A host list that cannot be read; the message names the part and what to write."""


def expand(text: str) -> list[str]:
    """Return the names of a host list, in natural order, each once; raises HostListError.

    Names are parted by commas or white space. `a!b` takes b away, `a&b` keeps what both have, `a^b` what one of them
    has; all of them from left to right, as in ClusterShell.
    """
    if len(text) > TEXT_LIMIT:
        raise HostListError(f"a host list may have {TEXT_LIMIT:,} characters at most")
    names: set[str] = set()
    budget = NAMES_LIMIT
    for sign, word in _words(text):
        pieces = _pieces(word)
        budget -= _size(pieces)
        if budget < 0:
            raise HostListError(f"this host list has more than {NAMES_LIMIT:,} names; expand it in parts")
        right = {"".join(parts) for parts in itertools.product(*(_choices(piece) for piece in pieces))}
        names = _joined(sign, names, right)
    return natural_sorted(names)


def in_order(text: str) -> Iterator[str]:
    """Yield the names of a host list in the order it has them, some maybe twice; raises HostListError.

    A list of a scheduler: commas alone part its names.
    """
    budget = NAMES_LIMIT
    for sign, word in _words(text):
        pieces = _pieces(word)
        budget -= _size(pieces)
        if sign != "," or budget < 0:
            raise HostListError("this is no list of a scheduler" if sign != "," else f"over {NAMES_LIMIT:,} names")
        yield from ("".join(parts) for parts in itertools.product(*(_choices(piece) for piece in pieces)))


def _joined(sign: str, left: set[str], right: set[str]) -> set[str]:
    if sign == "!":
        return left - right
    if sign == "&":
        return left & right
    return left ^ right if sign == "^" else left | right


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a list, each with the sign before it; commas within brackets part ranges, not words."""
    start, depth, sign = 0, 0, ","
    for at, char in enumerate(itertools.chain(text, ",")):
        depth += (char == "[") - (char == "]")
        if depth not in (0, 1):
            raise HostListError(f"the bracket at column {at + 1} has no partner; write n[1-3,5]")
        if depth == 0 and (char in ",!&^" or char.isspace()):
            word = text[start:at]
            if word:
                yield sign, word
                sign = ","
            elif char in "!&^" and sign != ",":
                raise HostListError(f"a name is missing at column {at + 1}; write a!b, a&b or a^b")
            sign, start = char if char in "!&^" else sign, at + 1
    if depth:
        raise HostListError("the list ends inside a bracket: a ] is missing; write n[1-3,5]")
    if sign != ",":
        raise HostListError(f"a name is missing after the last {sign}; write a!b, a&b or a^b")


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers `first` to `last` by `step`, written with `width` digits at least."""

    first: int
    last: int
    step: int
    width: int

    @property
    def numbers(self) -> range:
        return range(self.first, self.last + 1, self.step)


_Piece = str | tuple[_Range, ...]


def _pieces(word: str) -> list[_Piece]:
    if "@" in word:
        raise HostListError(f"{word[:80]}: groups (@name) are not known here; write the names")
    found: list[_Piece] = []
    for match in _PIECE.finditer(word):
        inside, outside = match.groups()
        found.append(outside if inside is None else tuple(_range(part.strip(), word) for part in inside.split(",")))
    return found


def _range(part: str, word: str) -> _Range:
    found = _RANGE.fullmatch(part)
    if found is None:
        raise HostListError(f"{part[:80]!r} in {word[:80]} is no range; write [1-3,7] or [01-16/2]")
    first, last = found[1], found[2] or found[1]
    padded = len(first) > 1 and first.startswith("0")
    if int(last) < int(first) or (len(last) != len(first) if padded else last.startswith("0") and last != first):
        raise HostListError(f"{part} in {word[:80]} does not go up with one padding; write [1-16] or [01-16]")
    return _Range(int(first), int(last), int(found[3] or 1), len(first))


def _size(pieces: list[_Piece]) -> int:
    """Return how many names a word stands for, before any of them is made."""
    size = 1
    for piece in pieces:
        size *= 1 if isinstance(piece, str) else sum(len(each.numbers) for each in piece)
    return size


def _choices(piece: _Piece) -> list[str]:
    if isinstance(piece, str):
        return [piece]
    return [f"{number:0{each.width}d}" for each in piece for number in each.numbers]


def fold(names: Iterable[str]) -> str:
    """Return names as one host list, in natural order; raises HostListError for a name that no list can hold.

    The numbers in a name are folded from the last to the first: `r[000-699]n[00-17]`.
    """
    unique = natural_sorted({name for name in names if name})
    if len(unique) > NAMES_LIMIT:
        raise HostListError(f"more than {NAMES_LIMIT:,} names; fold them in parts")
    shapes: dict[tuple[str, ...], list[list[str]]] = {}
    for name in unique:
        if _MEANING.search(name):
            raise HostListError(f"{name[:80]!r} cannot be part of a host list: it holds a character with a meaning")
        parts = _NUMBER.split(name)
        shapes.setdefault(tuple(parts[::2]), []).append(parts)
    return ",".join("".join(parts) for rows in shapes.values() for parts in _folded(rows))


def _folded(rows: list[list[str]]) -> list[list[str]]:
    """Return rows of one shape with each number folded over all rows that are otherwise equal."""
    for axis in reversed(range(1, len(rows[0]), 2)):
        groups: dict[tuple[str, ...], list[str]] = {}
        for row in rows:
            groups.setdefault((*row[:axis], *row[axis + 1 :]), []).append(row[axis])
        rows = [[*key[:axis], _as_ranges(digits), *key[axis:]] for key, digits in groups.items()]
    return rows


def _as_ranges(digits: list[str]) -> str:
    """Return numbers as ranges; a run keeps its padding, and grows in length only without any."""
    runs: list[tuple[str, str]] = []
    ends: dict[tuple[int, int], int] = {}
    for text in sorted(digits, key=lambda each: (int(each), len(each))):
        value, width = int(text), _width(text)
        at = ends.pop((value - 1, len(text)), None)
        if at is None and not width:
            at = ends.pop((value - 1, 0), None)
        if at is None:
            at = len(runs)
            runs.append((text, text))
        else:
            runs[at] = (runs[at][0], text)
        ends[value, _width(runs[at][0])] = at
    if len(runs) == 1 and runs[0][0] == runs[0][1]:
        return runs[0][0]
    return f"[{','.join(first if first == last else f'{first}-{last}' for first, last in runs)}]"


def _width(digits: str) -> int:
    """Return the width that leading zeros pad to, 0 without any."""
    return len(digits) if len(digits) > 1 and digits.startswith("0") else 0
