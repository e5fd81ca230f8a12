"""Which hosts an ssh_config cannot tell apart, so that `ssh -G` need not run for each of thousands of nodes.

Only `Host` lines tell hosts apart (any `Match` that is not for all, and canonical host names, end the guessing: then
every host is asked for). What is concluded here is tried against `ssh -G` once more before it is believed.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from pathlib import Path

from console.link.ssh.route import home_folder

MOST_FILES = 64
MOST_FILE_BYTES = 4 * 1024 * 1024
# Red Hat's own configuration has `Match final all`.
FOR_ALL = ("all", "final all", "canonical all")
_LINE = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$")
Patterns = tuple[tuple[str, ...], ...]


class UnsureError(Exception):
    """The configuration may tell hosts apart by more than their names."""


def host_patterns(config: Path) -> Patterns | None:
    """Return the patterns of every `Host` line that a configuration leads to, None where more than those matters."""
    found: list[tuple[str, ...]] = []
    try:
        _scan(config, Path(home_folder(), ".ssh"), found, [])
    except (UnsureError, OSError, ValueError):
        return None
    return tuple(found)


def signature(patterns: Patterns, host: str) -> tuple[bool, ...]:
    """Return which `Host` lines are for a host: hosts with equal signatures read the same settings."""
    return tuple(_matches(each, host) for each in patterns)


def renamed(text: str, before: str, after: str) -> str | None:
    """Return the output of `ssh -G` for one host as it would be for another one; None where that cannot be told."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        key, _, value = line.partition(" ")
        if key == "host":
            lines[at] = f"host {after}"
        elif key == "hostname" and value.count(before) == 1:
            lines[at] = f"hostname {value.replace(before, after)}"
        elif key == "hostname" and value.count(before) > 1:
            return None
    return "\n".join(lines)


def _scan(path: Path, base: Path, found: list[tuple[str, ...]], seen: list[Path]) -> None:
    seen.append(path)
    if len(seen) > MOST_FILES:
        raise UnsureError
    for line in path.read_bytes()[:MOST_FILE_BYTES].decode("utf-8", "replace").splitlines():
        matched = _LINE.match(line)
        if matched is None:
            continue
        key, value = matched[1].lower(), matched[2]
        if (key == "match" and " ".join(value.lower().split()) not in FOR_ALL) or (
            key == "canonicalizehostname" and value.lower() != "no"
        ):
            raise UnsureError
        if key == "host":
            found.append(tuple(shlex.split(value, comments=True)))
        elif key == "include":
            for name in shlex.split(value, comments=True):
                _include(name, base, found, seen)


def _include(name: str, base: Path, found: list[tuple[str, ...]], seen: list[Path]) -> None:
    if "%" in name or "$" in name:
        raise UnsureError
    path = f"{home_folder()}{name[1:]}" if name.startswith("~/") else name
    inner = Path("/etc/ssh") if path.startswith("/etc/ssh/") else base
    for each in sorted(glob.glob(os.path.join(base, path))):
        _scan(Path(each), inner, found, seen)


def _matches(patterns: tuple[str, ...], host: str) -> bool:
    if any(each[:1] == "!" and _fits(each[1:], host) for each in patterns):
        return False
    return any(each[:1] != "!" and _fits(each, host) for each in patterns)


def _fits(pattern: str, host: str) -> bool:
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.fullmatch("".join(parts), host) is not None
