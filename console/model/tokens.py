"""The semantic tokens that view values speak in; a theme gives each a style, nobody else knows a colour."""

from __future__ import annotations

HEAT = tuple(f"heat.{level}" for level in range(10))
PLOT = tuple(f"plot.{number}" for number in range(1, 7))

TOKENS: tuple[str, ...] = (
    "text",
    "text.dim",
    "text.strong",
    "title",
    "header",
    "border",
    "key",
    "key.label",
    "prompt",
    "cursor",
    "cursor.dim",
    "mark",
    "match",
    "link",
    "state.ok",
    "state.info",
    "state.unknown",
    "state.warning",
    "state.critical",
    "state.stale",
    "state.down",
    "environment.production",
    "environment.staging",
    "environment.lab",
    *HEAT,
    "heat.missing",
    *PLOT,
    "plot.axis",
)


def heat_token(level: int) -> str:
    """Return the token of a heat level 0..9; 255 is missing."""
    return HEAT[level] if 0 <= level < len(HEAT) else "heat.missing"
