from __future__ import annotations

import pytest

from console.config.units import duration_s, limit, size_bytes
from console.config.values import Limit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10.0), ("250ms", 0.25), ("5m", 300.0), ("5 min", 300.0), ("1.5h", 5400.0), ("2d", 172800.0), (7, 7.0)],
)
def test_durations(text: object, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("256 MiB", 2.0**28), ("2kB", 2000.0), ("1 GB", 1e9), (5, 5.0), ("12 B", 12.0), (".5 KiB", 512.0)],
)
def test_sizes(text: object, size: float) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "value"), [("1 %", Limit(ratio=0.01)), ("100%", Limit(ratio=1.0)), (3, Limit(count=3))]
)
def test_limits(text: object, value: Limit) -> None:
    assert limit(text) == value


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "5 parsecs", "1 h 2 m", True, None, -1, [], "1e9s", "400d", float("nan")]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match=r"a duration such as|longer than a year"):
        duration_s(text)


@pytest.mark.parametrize("text", ["101 %", "-1 %", "one", 1.5, True, -1, "% 1", None])
def test_what_is_no_limit(text: object) -> None:
    with pytest.raises(ValueError, match="a share such as 1 %"):
        limit(text)


def test_a_wrong_unit_lists_the_right_ones() -> None:
    with pytest.raises(ValueError, match=r"the units are B, kB, KB, MB, GB, KiB, MiB, GiB"):
        size_bytes("5 furlongs")
