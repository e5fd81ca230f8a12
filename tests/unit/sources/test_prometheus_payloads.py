"""Captured answers of real exporters and stores, read where they lie beside the project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from console.config.values import LabelNames
from console.model.builtin_metrics import BUILTIN
from console.model.errors import BadPayload
from console.model.reading import ColumnPart
from console.sources.exposition.labels import choose_spelling
from console.sources.exposition.text import sample_labels
from console.sources.exposition.who import Who
from console.sources.prometheus.answers import Shape
from console.sources.prometheus.columns import Answer, Columns
from console.sources.prometheus.small import labelled_rows

FOLDER = Path(__file__).parents[4] / "shared" / "payloads"
WHO = Who("muc1", "prom")
pytestmark = pytest.mark.payload


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in FOLDER.glob(pattern))


def cases(*patterns: str) -> list[object]:
    found = files(*patterns)
    if found:
        return [pytest.param(path, id=path.name) for path in found]
    skip = pytest.mark.skip(reason="the captured payloads are not beside the project")
    return [pytest.param(None, marks=skip, id="none")]


def columns_of(content: bytes, shape: Shape, contents: dict[str, list[bytes]]) -> list[ColumnPart]:
    samples = sample_labels(content) if shape is Shape.TEXT else [row.metric for row in labelled_rows(content, WHO)[0]]
    columns = Columns(BUILTIN, choose_spelling(samples, LabelNames()), WHO)
    answer = Answer(shape, contents, 1_790_000_000.0, full=False)
    return [part for part in columns.decode(answer) if isinstance(part, ColumnPart)]


@pytest.mark.parametrize("path", cases("dcgm-exporter/*.prom*", "dcgm-exporter/readme*.txt", "prom-text/*.prom"))
def test_every_page_is_read(path: Path) -> None:
    content = path.read_bytes()
    if path.name.startswith("readme"):  # transcripts of a shell, with pages in them
        lines = content.split(b"\n")
        content = b"\n".join(line for line in lines if line.startswith(b"#") or (line[:5] == b"DCGM_" and b"{" in line))
    parts = columns_of(content, Shape.TEXT, {"": [content]})
    for part in parts:
        metric = BUILTIN[part.metric]
        known = part.values[~np.isnan(part.values)]
        assert len(part.keys) == len(part.values) == len(part.at)
        assert (known >= metric.low).all() or metric.name in ("temp_margin_c",), path.name
        assert (known <= metric.high).all(), path.name
    if b'UUID="GPU-' in content and b"\nDCGM_FI_DEV_GPU_TEMP{" in content:
        temperature = next(part for part in parts if part.metric == "temp_c")
        assert temperature.keys.uuid_high.all()  # type: ignore[union-attr]
        assert all(temperature.keys.nodes)  # type: ignore[union-attr]
        assert 10 < float(np.nanmax(temperature.values)) < 110


@pytest.mark.parametrize("path", cases("prometheus-api/*.json"))
def test_every_answer_is_read_or_refused_in_one_sentence(path: Path) -> None:
    content = path.read_bytes()
    try:
        said = json.loads(content)
        kind = said["data"]["resultType"] if isinstance(said["data"], dict) else ""
    except (ValueError, KeyError, TypeError):
        kind = ""
    if kind in ("vector", "matrix"):
        rows, _ = labelled_rows(content, WHO)
        assert len(rows) == len(said["data"]["result"])
        parts = columns_of(content, Shape(kind), {"": [content]})
        dcgm = {row.metric.get("__name__", "") for row in rows if BUILTIN.of_dcgm(row.metric.get("__name__", ""))}
        assert len(parts) == len(dcgm)
        assert all(part.keys.uuid_high.all() for part in parts)  # type: ignore[union-attr]
    else:
        with pytest.raises(BadPayload, match=r"^muc1/prom: [^\n]*$"):
            columns_of(content, Shape.VECTOR, {"": [content]})
