"""Hooks for texts with a meaning: names, addresses, regular expressions, headers, durations, files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cattrs.gen import override

from console.config.structure import Fault, Hook, Override, described, integer, number, text

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def hooked(hook: Hook, rename: str | None = None) -> Override:
    """Return a field's override with a hook of its own and, if given, another key."""
    return override(struct_hook=hook, rename=rename)


def matching(pattern: re.Pattern[str], what: str) -> Hook:
    """Return a hook for text of one form."""

    def hook(raw: Any, _: Any = None) -> str:
        if not pattern.fullmatch(text(raw)):
            raise Fault(f"must be {what}, found {described(raw)}")
        return str(raw)

    return hook


name = matching(NAME, "letters, digits, '.', '-' and '_', a letter or digit first, at most 63")
metric_name = matching(METRIC_NAME, "lower-case letters, digits and '_', a letter first")


def valued(parse: Callable[[object], float], most: float = 1e18) -> Hook:
    """Return a hook for a value with a unit; `parse` raises ValueError."""

    def hook(raw: Any, _: Any = None) -> float:
        try:
            value = parse(raw)
        except ValueError as error:
            raise Fault(f"{error}, found {described(raw)}") from None
        if value > most:
            raise Fault(f"must be at most {most:g}, found {described(raw)}")
        return value

    return hook


def positive(parse: Callable[[object], float], most: float = 1e18) -> Hook:
    """Return the same for a value above 0."""
    hook = valued(parse, most)

    def above_zero(raw: Any, _: Any = None) -> float:
        value = float(hook(raw, None))
        if value <= 0:
            raise Fault("must be more than 0")
        return value

    return above_zero


def between(low: float, high: float, kind: Hook = number) -> Hook:
    """Return a hook for a number in a closed range."""

    def hook(raw: Any, _: Any = None) -> Any:
        value = kind(raw, None)
        if not low <= value <= high:
            raise Fault(f"must be {low:.10g} to {high:.10g}, found {value:.10g}")
        return value

    return hook


def count(least: int = 0, most: int = 10_000_000) -> Hook:
    """Return a hook for a whole number of things."""
    return between(least, most, integer)


def url(raw: Any, _: Any = None) -> str:
    """Take an http or https address without credentials, query or fragment."""
    address = text(raw)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Fault(f"is not a URL: {error}") from None
    if "@" in parts.netloc:
        raise Fault("holds credentials; name them under auth:, as an environment variable, a file or a command")
    if parts.scheme not in ("http", "https") or not host or port == 0 or any(letter.isspace() for letter in address):
        raise Fault(f"expected a URL such as https://prom.example:9090, found {described(raw)}")
    if parts.query or parts.fragment:
        raise Fault("must end with its path, without ? or #")
    return address


def pattern(raw: Any, _: Any = None) -> str:
    """Take a regular expression."""
    try:
        re.compile(text(raw))
    except (re.error, OverflowError, RecursionError) as error:
        raise Fault(f"is not a regular expression: {error}") from None
    return str(raw)


def layout(raw: Any, _: Any = None) -> str:
    """Take a regular expression with at least one of the groups hall, rack and node."""
    if not {"hall", "rack", "node"} & re.compile(pattern(raw)).groupindex.keys():
        raise Fault("must name a group hall, rack or node, such as (?P<rack>r[0-9]+)")
    return str(raw)


def header_name(raw: Any, _: Any = None) -> str:
    """Take the name of an HTTP header."""
    if not _HEADER.fullmatch(text(raw)):
        raise Fault(f"is not the name of a header: {described(raw)}")
    return str(raw)


def words(raw: Any, _: Any = None) -> tuple[str, ...]:
    """Take a command as a list of words; there is no shell."""
    if not isinstance(raw, list) or not raw:
        raise Fault(f"expected a list of words ([vault, read, ...]), found {described(raw)}")
    if not all(isinstance(word, str) and "\0" not in word for word in raw) or not raw[0]:
        raise Fault("every word of a command must be text; put numbers in quotes")
    return tuple(raw)


def one_or_more(raw: Any, _: Any = None) -> tuple[str, ...]:
    """Take a text or a list of texts."""
    return tuple(text(each) for each in (raw if isinstance(raw, list) else [raw]))


def existing_file(base: Path) -> Hook:
    """Return a hook for the path of a file that must be there; relative ones start at `base`."""

    def hook(raw: Any, _: Any = None) -> str:
        path = absolute(base, text(raw))
        try:
            found = path.is_file()
        except (OSError, ValueError):
            found = False
        if not found:
            raise Fault(f"there is no file {described(str(path))}")
        return str(path)

    return hook


def path_from(base: Path) -> Hook:
    """Return a hook for the path of a file that need not be there yet."""

    def hook(raw: Any, _: Any = None) -> str:
        return str(absolute(base, text(raw)))

    return hook


def absolute(base: Path, path: str) -> Path:
    """Return a path of a configuration file as an absolute one; `~` is the user's home."""
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:  # ~name of a user that does not exist
        expanded = Path(path)
    return base.absolute() / expanded
