"""One turn over 100 exporters of 8 GPUs and 25 metrics, beside prometheus_client's parser on the same text."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, Any

from bench.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

NODES, GPUS, METRICS = 100, 8, 25
GOAL = 0.1
AT = 1_800_000_000.0


def run(*, quick: bool) -> list[Figure]:
    """Return the figure of pages whose label texts are known, and of the first pages of all."""
    texts = [[_page(node, phase) for node in range(NODES)] for phase in range(2)]
    warm = _decoder()
    _take(warm, texts[0])
    known, reference = _alternately(lambda: _take(warm, texts[1]), lambda: _reference(texts[1]), 3 if quick else 9)
    cold, _ = _alternately(lambda: _take(_decoder(), texts[1]), lambda: None, 3 if quick else 9)
    _check(warm, texts[1])
    lines = NODES * GPUS * METRICS
    size = f"{sum(map(len, texts[0])) / 1e6:.1f} MB, {lines:,} samples; to columns by UUID, same values"
    name = "prometheus_client's parser"
    return [
        Figure("exposition text of 100 exporters into columns", known, "s", reference, name, must=GOAL, note=size),
        Figure("the same, of exporters never seen before", cold, "s", reference, name, must=None, note=size),
    ]


def _names() -> list[str]:
    from console.model.builtin_metrics import BUILTIN

    return [name for metric in BUILTIN.at("gpu") for name in metric.dcgm][:METRICS]


def _page(node: int, phase: int) -> bytes:
    from bench.exposition import labels

    keys = [labels(node, gpu) for gpu in range(GPUS)]
    families = []
    for number, name in enumerate(_names()):
        rows = [f"{name}{{{key}}} {_value(number, node + gpu + phase)}" for gpu, key in enumerate(keys)]
        families += [f"# HELP {name} what it is (in unit).", f"# TYPE {name} gauge", *rows]
    return ("\n".join(families) + "\n").encode()


def _value(number: int, row: int) -> str:
    return f"{30 + (row * 7 + number) % 40}" if number % 3 else f"{0.2 + row % 50 / 100:.6f}"


def _decoder() -> Any:
    from console.config.values import LabelNames
    from console.model.builtin_metrics import BUILTIN
    from console.sources.dcgm.pages import Pages
    from console.sources.dcgm.targets import Target
    from console.sources.exposition.who import Who

    targets = [Target(f"n{node}", f"n{node}", "") for node in range(NODES)]
    return Pages(BUILTIN, targets, LabelNames(), Who("bench", "dcgm"), node_from_target=False)


def _take(decoder: Any, texts: list[bytes]) -> list[Any]:
    from console.link.answers import Body
    from console.sources.dcgm.scrape import Page

    bodies = [Page(i, Body(text, 200, {}, AT, 0.1, len(text), None)) for i, text in enumerate(texts)]
    return list(decoder.decode(bodies))


def _reference(texts: list[bytes]) -> list[Any]:
    from prometheus_client.parser import text_string_to_metric_families

    return [list(text_string_to_metric_families(text.decode())) for text in texts]


def _check(decoder: Any, texts: list[bytes]) -> None:
    """Hold every value against the reference's: raises AssertionError."""
    import numpy as np

    from console.model.builtin_metrics import BUILTIN
    from console.model.identity import parse_uuid
    from console.model.reading import ColumnPart

    found = {part.metric: part for part in _take(decoder, texts) if isinstance(part, ColumnPart)}
    preferred = {metric.dcgm[0]: metric for metric in BUILTIN.at("gpu") if metric.dcgm and metric.name in found}
    keys = found["temp_c"].keys
    rows = {pair: row for row, pair in enumerate(zip(keys.uuid_high.tolist(), keys.uuid_low.tolist(), strict=True))}
    compared = 0
    for family in (family for page in _reference(texts) for family in page if family.name in preferred):
        metric = preferred[family.name]
        for sample in family.samples:
            value = found[metric.name].values[rows[parse_uuid(sample.labels["UUID"])]]
            assert np.isclose(value, sample.value * metric.scale, rtol=1e-6), sample
            compared += 1
    assert compared == NODES * GPUS * len(preferred)


def _alternately(ours: Callable[[], object], reference: Callable[[], object], runs: int) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for each, function in zip(times, (ours, reference), strict=True):
            gc.collect()
            started = time.perf_counter()
            function()
            each.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])
