"""Host lists as Slurm and ClusterShell write them: `n[0001-0003,0007]`, `gpu[1-2]x[01-02]`; padding means something.

ClusterShell (LGPL-2.1-or-later, imported as a library) does the work. Its groups (`@name`) would read files and run
commands: they are switched off, and a name that begins with `@` is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ClusterShell.NodeSet import NodeSet

NAMES_LIMIT = 1_000_000
TEXT_LIMIT = 8_000_000
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_MEANING = re.compile(r"[\[\],!&^@%*?\s]")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18})(?:/([0-9]{1,9}))?)?")


class HostListError(UsageError):
    """A host list that cannot be read; the message names the part and what to write."""


def expand(text: str) -> list[str]:
    """Return the names of a host list, in natural order, each once; raises HostListError.

    Names are parted by commas or white space; `!` takes away, `&` keeps what both have, as ClusterShell has it.
    """
    if len(text) > TEXT_LIMIT:
        raise HostListError(f"a host list may have {TEXT_LIMIT:,} characters at most")
    words = [word for word in _split(text) if word]
    if sum(_size(word, text) for word in words) > NAMES_LIMIT:
        raise HostListError(f"this host list has more than {NAMES_LIMIT:,} names; expand it in parts")
    return list(_node_set(",".join(words)))


def fold(names: Iterable[str]) -> str:
    """Return names as one host list, in natural order; raises HostListError for a name that no list can hold."""
    unique = dict.fromkeys(name for name in names if name)
    for name in unique:
        if _MEANING.search(name):
            raise HostListError(
                f"the name {name[:80]!r} cannot be part of a host list: it has a character with a meaning"
            )
    if len(unique) > NAMES_LIMIT:
        raise HostListError(f"more than {NAMES_LIMIT:,} names; fold them in parts")
    return str(_node_set(",".join(unique)))


def _split(text: str) -> list[str]:
    """Return the words of a list; commas within brackets part ranges, not words."""
    words: list[str] = []
    word: list[str] = []
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if depth not in (0, 1):
            raise HostListError(f"a bracket at column {at + 1} has no partner: write n[1-3,5]\n  {_around(text, at)}")
        if depth == 0 and (char == "," or char.isspace()):
            words.append("".join(word))
            word = []
        elif not char.isspace():
            word.append(char)
    if depth:
        raise HostListError(f"the list ends inside a bracket (column {len(text)}): a ] is missing")
    return [*words, "".join(word)]


def _around(text: str, at: int) -> str:
    return text[max(0, at - 30) : at + 10]


def _size(word: str, text: str) -> int:
    """Return how many names a word stands for, before any of them is made."""
    size = 1
    for found in _BRACKETS.finditer(word):
        size *= sum(_range_size(part.strip(), word, text) for part in found[1].split(","))
    return size


def _range_size(part: str, word: str, text: str) -> int:
    found = _RANGE.fullmatch(part)
    if found is None:
        column = max(0, text.find(word)) + 1
        raise HostListError(f"{part!r} in {word[:80]} (column {column}) is no range: write [1-3,7] or [01-16/2]")
    first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
    return max(0, last - first) // max(1, step) + 1


def _node_set(text: str) -> NodeSet:
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

    if "@" in text:
        raise HostListError("groups (@name) are not known here: write the names")
    try:
        return NodeSet(text, resolver=RESOLVER_NOGROUP)
    except (NodeSetException, ValueError) as error:
        reason = str(error).replace('"', "'")
        raise HostListError(f"this is no host list: {reason}; write names such as n[0001-0003,0007]") from error
