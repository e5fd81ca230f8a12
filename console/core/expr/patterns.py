"""Regular expressions from users, kept from running away: they match whole texts, and only distinct ones."""

from __future__ import annotations

import re
import re._parser as structure  # type: ignore[import-not-found]  # the standard library's own, not in typeshed
import warnings
from typing import Any

PATTERN_LIMIT = 500
TEXT_LIMIT = 300
REPEATS_LIMIT = 4
_MANY = 20
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def compiled_pattern(text: str) -> re.Pattern[str]:
    """Return a compiled pattern; raises ValueError with what is wrong with it.

    Repetition inside repetition, alternatives inside repetition and many repetitions in a row can take time without
    end on a short text: such a pattern is refused.
    """
    if len(text) > PATTERN_LIMIT:
        raise ValueError(f"a pattern may have {PATTERN_LIMIT} characters at most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pattern = re.compile(text)
            _judge(structure.parse(text))
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(f"this is no regular expression: {error}") from error
    return pattern


def matches(pattern: re.Pattern[str], text: str) -> bool:
    """Return whether a pattern matches a whole text (its first 300 characters)."""
    return pattern.fullmatch(text[:TEXT_LIMIT]) is not None


def _judge(parsed: Any) -> None:
    if _repeats(parsed, inside=False) > REPEATS_LIMIT:
        raise ValueError(f"a pattern may have {REPEATS_LIMIT} open repetitions (* or +) at most")


def _repeats(parsed: Any, *, inside: bool) -> int:
    """Return how many open repetitions a parsed pattern has; `inside` says that one is open around it."""
    count = 0
    for operation, argument in parsed:
        name = str(operation)
        opens = name in _REPEATS and int(argument[1]) > _MANY
        if inside and (opens or name in ("BRANCH", "GROUPREF")):
            raise ValueError("repetition inside repetition such as (a+)+ or (a|b)+ may never end; write [ab]+ or a+")
        count += opens
        for inner in _parts(argument):
            count += _repeats(inner, inside=inside or opens)
    return count


def _parts(argument: Any) -> list[Any]:
    """Return the parsed patterns within an operation's argument."""
    if isinstance(argument, structure.SubPattern):
        return [argument]
    if isinstance(argument, (tuple, list)):
        return [part for each in argument for part in _parts(each)]
    return []
