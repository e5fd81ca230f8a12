"""Pages of exporters, ours and captured ones, read as the reference parser reads them."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.config.values import LabelNames
from console.link.answers import Body
from console.model.builtin_metrics import BUILTIN
from console.model.errors import BadPayload
from console.model.identity import parse_uuid
from console.model.reading import ColumnPart
from console.sources.dcgm.names import FOREIGN, known_names
from console.sources.dcgm.pages import Pages
from console.sources.dcgm.scrape import Page
from console.sources.dcgm.targets import Target
from console.sources.exposition.labels import Spelling
from console.sources.exposition.text import TextDecoder
from console.sources.exposition.values import MIG_ACTIVE
from console.sources.exposition.who import Who
from tests.support.exposition import largest, reference, transcript

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

    from console.sources.exposition.series import Rows

FOLDER = Path(__file__).parents[4] / "shared" / "payloads"
WHO = Who("lab", "exporters")
AT = 1_800_000_000.0
# Transcripts of instructions, and lists of fields: no page is in them.
NO_PAGE = ("readme-3.txt", "nvdocs-dcgm-exporter-0.prom")


def cases(*patterns: str) -> list[object]:
    found = sorted(path for pattern in patterns for path in FOLDER.glob(pattern))
    skip = pytest.mark.skip(reason="the captured payloads are not beside the project")
    return [pytest.param(path, id=path.name) for path in found] or [pytest.param(None, marks=skip, id="none")]


def columns(content: bytes, kind: str = "text/plain") -> dict[str, ColumnPart]:
    pages = Pages(BUILTIN, [Target("n1:9400", "n1", "")], LabelNames(), WHO, node_from_target=False)
    page = Page(0, Body(content, 200, {"content-type": kind}, AT, 0.1, len(content), None))
    return {part.metric: part for part in pages.decode([page]) if isinstance(part, ColumnPart)}


def assert_same(found: dict[str, ColumnPart], samples: list[Sample]) -> int:
    """Hold columns against the reference parser's samples; returns how many values are equal."""
    known = known_names(BUILTIN)
    compared = 0
    for name, part in found.items():
        ranked = sorted((each.rank, dcgm) for dcgm, each in known.items() if each.metric.name == name)
        names = [dcgm for _, dcgm in ranked if any(sample.name == dcgm for sample in samples) and dcgm != MIG_ACTIVE]
        for uuid, value in largest(samples, {names[0]: known[names[0]].scale} if names else {}).items():
            high, low = parse_uuid(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
            row = np.flatnonzero((part.keys.uuid_high == high) & (part.keys.uuid_low == low))  # type: ignore[union-attr]
            if not uuid or abs(value) > 9e18:
                continue
            assert part.values[row].tolist() == [pytest.approx(value, rel=1e-6)], (name, uuid)
            compared += 1
    return compared


@pytest.mark.payload
@pytest.mark.parametrize("path", cases("dcgm-exporter/*.prom*", "dcgm-exporter/readme*.txt", "prom-text/*.prom"))
def test_captured_pages_are_read_as_the_reference_parser_reads_them(path: Path) -> None:
    content = transcript(path.read_bytes())
    samples = reference(content)
    if path.name in NO_PAGE or "openmetrics" in path.name:
        with pytest.raises(BadPayload, match=r"n1:9400: the page has no (samples|GPU metrics)"):
            columns(content, "application/openmetrics-text" if "openmetrics" in path.name else "text/plain")
        return
    found = columns(content)
    compared = assert_same(found, samples)
    dcgm = {sample.name for sample in samples if sample.labels and sample.name in known_names(BUILTIN)}
    assert compared >= len(dcgm) - 2, (path.name, dcgm)  # blanks, and second names of one metric


@pytest.mark.payload
@pytest.mark.parametrize("path", cases("prom-text/linux*.prom"))
def test_the_other_exporters_pages_give_every_fact_that_the_table_names(path: Path) -> None:
    found = columns(path.read_bytes())
    named = {name for name, _, _ in FOREIGN if f"\n{name}{{" in path.read_text()}
    assert found.keys() == {metric for name, metric, _ in FOREIGN if name in named}
    assert len(found) > 12
    assert found["temp_c"].keys.nodes == ("n1",)  # type: ignore[union-attr]
    assert found["temp_c"].keys.slots.tolist() == [0]  # type: ignore[union-attr]
    assert found["temp_c"].keys.models[0].startswith("NVIDIA")  # type: ignore[union-attr]


@pytest.mark.payload
@pytest.mark.parametrize("path", cases("dcgm-exporter/*.csv", "alertmanager/*_metrics"))
def test_what_is_no_page_of_gpus_is_refused_with_the_reason(path: Path) -> None:
    with pytest.raises(BadPayload, match="lab/exporters: n1:9400: "):
        columns(path.read_bytes())


OURS = "\n".join(
    [
        "# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).",
        "# TYPE DCGM_FI_DEV_GPU_TEMP gauge",
        'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-0a",Hostname="n1"} 61',
        'DCGM_FI_DEV_GPU_TEMP{gpu="1", UUID="GPU-0b", Hostname="n1",} 62.5',
        '  DCGM_FI_DEV_GPU_TEMP{gpu="2",UUID="GPU-0c",Hostname="n\\"1\\\\ \\n}{"}   -3e1  ',
        'DCGM_FI_DEV_GPU_TEMP { gpu = "3" , UUID = "GPU-0d" } 7 1800000000000',
        "",
        "# a comment",
        'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-0a"} NaN',
        'DCGM_FI_DEV_POWER_USAGE{gpu="1",UUID="GPU-0b",modelName="A # {b}"} +Inf',
        "DCGM_FI_DEV_MEMORY_TEMP 0",
        'up{job="é"} 1',
        "",
    ]
)


def test_our_own_page_is_read_as_the_reference_parser_reads_it() -> None:
    samples = reference(OURS.encode())
    rows: dict[str, Rows] = {}
    decoder = TextDecoder(Spelling(), WHO)
    for _ in decoder.page(OURS.encode(), rows, AT):
        pass
    found = [
        (name, *each)
        for name, of in rows.items()
        for each in zip(of.uuids, of.nodes, of.gpus, of.models, map(str, of.values), of.at, strict=True)
    ]
    expected = [
        (
            *(sample.name, *(sample.labels.get(name, "") for name in ("UUID", "Hostname", "gpu", "modelName"))),
            str(float(sample.value)),
            AT if sample.timestamp is None else float(sample.timestamp),
        )
        for sample in samples
        if sample.labels
    ]
    assert found == expected
    assert decoder.samples == len(samples)


def test_every_foreign_name_leads_to_a_metric_that_is_there() -> None:
    known = known_names(BUILTIN)
    assert [name for name, metric, _ in FOREIGN if metric not in BUILTIN or name not in known] == []
    assert len({name for name, _, _ in FOREIGN}) == len(FOREIGN)
    assert set(chain.from_iterable(metric.dcgm for metric in BUILTIN.at("gpu"))) <= known.keys()
