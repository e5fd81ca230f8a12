"""What a serve says of itself in Prometheus text: written by hand, for it is little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "gigadeck_serve_"


@dataclass(frozen=True)
class Family:
    """One metric: samples are labels and a value; a value of None is left out."""

    name: str
    kind: str
    about: str
    samples: tuple[tuple[Mapping[str, str], float | None], ...]


def gauge(name: str, about: str, value: float | None, **labels: str) -> Family:
    """Return a gauge of one sample."""
    return Family(name, "gauge", about, ((labels, value),))


def counter(name: str, about: str, value: float | None, **labels: str) -> Family:
    """Return a counter of one sample."""
    return Family(name, "counter", about, ((labels, value),))


def by(name: str, kind: str, about: str, label: str, values: Mapping[str, float]) -> Family:
    """Return a metric with a sample for each value of one label."""
    return Family(name, kind, about, tuple(({label: key}, value) for key, value in values.items()))


def exposition(families: Iterable[Family]) -> str:
    """Return the text of some metrics; one without samples is left out."""
    lines: list[str] = []
    for family in families:
        samples = [_sample(family.name, labels, value) for labels, value in family.samples if value is not None]
        if samples:
            lines += [f"# HELP {PREFIX}{family.name} {family.about}", f"# TYPE {PREFIX}{family.name} {family.kind}"]
            lines += samples
    return "\n".join(lines) + "\n"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{PREFIX}{name}{f'{{{inside}}}' if inside else ''} {value:.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
