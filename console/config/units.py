"""Values with units as people write them: `5m`, `1 %`, `256 MiB`."""

from __future__ import annotations

import math
import re

from console.config.values import Limit

_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z%]*)\s*")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
MAX_DURATION_S = 366 * 86400.0


def duration_s(value: object) -> float:
    """Return seconds of `10s`, `1.5 h` or a bare number of seconds; raises ValueError."""
    seconds = _parse(value, SECONDS, "a duration such as 10s, 5m or 1.5h")
    if seconds > MAX_DURATION_S:
        raise ValueError("is longer than a year")
    return seconds


def size_bytes(value: object) -> float:
    """Return bytes of `256 MiB`, `2 kB` or a bare number of bytes; raises ValueError."""
    return _parse(value, BYTES, "a size such as 64 MiB or 2 kB")


def limit(value: object) -> Limit:
    """Return a share for `1 %`, a count for a whole number; raises ValueError."""
    expected = "a share such as 1 % or a whole number"
    if isinstance(value, str) and value.rstrip().endswith("%"):
        percent = _parse(value, {"%": 1.0}, expected)
        if not 0 <= percent <= 100:
            raise ValueError(f"expected {expected}")
        return Limit(ratio=percent / 100)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Limit(count=value)
    raise ValueError(f"expected {expected}")


def _parse(value: object, units: dict[str, float], expected: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value) and value >= 0:
            return float(value)
        raise ValueError(f"expected {expected}")
    match = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"expected {expected}")
    if match[2] not in units:
        raise ValueError(f"expected {expected}; the units are {', '.join(units)}")
    return float(match[1]) * units[match[2]]
