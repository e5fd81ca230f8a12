"""Signs and incidents made by hand, for tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from console.model.incidents import Sign
from console.model.levels import Level, Severity

NOW = 1_800_000_000.0


def sign(key: str = "check:hot", site: str = "muc1", severity: Severity = Severity.WARNING, **more: Any) -> Sign:
    """Return a sign of one GPU that began now."""
    more.setdefault("title", key)
    more.setdefault("text", f"1 GPU: {key}")
    more.setdefault("path", f"{site}/h1/r001/n0001/g0")
    more.setdefault("since", NOW)
    more.setdefault("paths", (more["path"],))
    more.setdefault("matches", 1)
    more.setdefault("gpus", 1)
    more.setdefault("level", Level.GPU)
    return Sign(key, site, severity, **more)
