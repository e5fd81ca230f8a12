"""Spells selectors of PromQL."""

from __future__ import annotations


def quote(value: str) -> str:
    """Return a text as a PromQL string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def literal(value: str) -> str:
    """Return a text as an RE2 pattern that matches it alone."""
    return "".join(each if each.isalnum() or each in "-_" or ord(each) > 127 else f"\\{each}" for each in value)


def selector(*matchers: str) -> str:
    """Return matchers in braces, without the empty ones."""
    return "{" + ",".join(each for each in matchers if each) + "}"
