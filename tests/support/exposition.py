"""Pages of exporters, and what the reference parser reads in them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.samples import Sample

SAMPLE = re.compile(rb"[A-Za-z_:]\w*(\{.*\})?\s+([-+]?[0-9.]+([eE][-+]?[0-9]+)?|NaN|[+-]Inf)(\s+[0-9.]+)?\s*$")
UUID_LABELS = ("UUID", "uuid", "gpu_uuid")


def transcript(content: bytes) -> bytes:
    """Return the page in a shell's transcript."""
    return b"\n".join(line for line in content.split(b"\n") if line.startswith(b"#") or SAMPLE.match(line))


def reference(content: bytes, *, openmetrics: bool = False) -> list[Sample]:
    """Return every sample that prometheus_client reads."""
    parse = openmetrics_families if openmetrics else text_string_to_metric_families
    return [sample for family in parse(content.decode()) for sample in family.samples]


def largest(samples: list[Sample], names: Mapping[str, float]) -> dict[str, float]:
    """Return the largest value by UUID of the series that are called so, each times its factor; NaN is left out."""
    found: dict[str, float] = {}
    for sample in samples:
        if sample.name in names and not math.isnan(sample.value):
            uuid = next((sample.labels[label] for label in UUID_LABELS if sample.labels.get(label)), "")
            value = sample.value * names[sample.name]
            found[uuid] = max(value, found.get(uuid, value))
    return found
