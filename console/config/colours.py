"""Arithmetic of colours: WCAG contrast, and ramps that change evenly to the eye (OKLab, Björn Ottosson 2020)."""

from __future__ import annotations

import re
from collections.abc import Sequence

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
Triple = tuple[float, float, float]


def channels(colour: str) -> Triple:
    """Return the linear red, green and blue (0..1) of `#rrggbb`."""
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def luminance(colour: str) -> float:
    """Return the relative luminance 0..1 (WCAG 2)."""
    red, green, blue = channels(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio 1..21 of two colours (WCAG 2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def oklab(colour: str) -> Triple:
    """Return perceived lightness 0..1 and the two hue axes of a colour."""
    red, green, blue = channels(colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def of_oklab(lab: Triple) -> str:
    """Return the nearest `#rrggbb` of a point of OKLab."""
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{_encoded(part):02x}" for part in linear)


def _encoded(part: float) -> int:
    part = min(1.0, max(0.0, part))
    return round(255 * (12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055))


def mix(one: str, other: str, share: float) -> str:
    """Return `one` with a share 0..1 of `other`."""
    start, end = oklab(one), oklab(other)
    lightness, a, b = (first + (second - first) * share for first, second in zip(start, end, strict=True))
    return of_oklab((lightness, a, b))


def ramp(stops: Sequence[str], count: int) -> tuple[str, ...]:
    """Return `count` colours that pass evenly through the stops; as they are if there are just as many."""
    if len(stops) == count:
        return tuple(stops)
    colours = []
    for index in range(count):
        position = index * (len(stops) - 1) / (count - 1)
        segment = min(int(position), len(stops) - 2)
        colours.append(mix(stops[segment], stops[segment + 1], position - segment))
    return tuple(colours)
