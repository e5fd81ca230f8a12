"""Readers of telemetry: nvidia-smi, pages of exporters, answers of Prometheus; each returns how much it read."""

from __future__ import annotations

import csv
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from console.config.values import LabelNames
from console.link.answers import Body
from console.model.builtin_metrics import BUILTIN
from console.model.reading import ColumnPart, FactsPart
from console.sources.dcgm.names import FOREIGN, known_names
from console.sources.dcgm.pages import Pages
from console.sources.dcgm.scrape import Page
from console.sources.dcgm.targets import Target
from console.sources.exposition.labels import choose_spelling
from console.sources.exposition.values import MIG_ACTIVE
from console.sources.exposition.who import Who
from console.sources.prometheus.answers import Shape
from console.sources.prometheus.columns import Answer, Columns
from console.sources.prometheus.rules import exporter_counters
from console.sources.prometheus.small import labelled_rows
from console.sources.smi.rows import RowReader
from console.sources.smi.values import wanted_fields
from console.sources.smi.xml import read_xml
from console.sources.ssh.watch import NodeWatch
from tests.support.exposition import UUID_LABELS, reference, transcript

if TYPE_CHECKING:
    from console.sources.smi.values import SmiGpu
    from console.sources.ssh.stream import NodeStream
    from tests.payloads.index import Entry

WHO = Who("lab", "exporters")
AT = 1_790_000_000.0


def told(entry: Entry, form: str, where: str = "") -> str:
    """Return what the index says of a file, by a pattern with one group."""
    found = re.search(form, where or entry.what)
    return found[1] if found else ""


# nvidia-smi


def smi_xml(entry: Entry) -> int:
    gpus = read_xml(entry.text, BUILTIN)
    attached = told(entry, r"attached=(\d+)")
    assert len(gpus) == int(attached or 1)
    for gpu in gpus:
        assert gpu.model in entry.what
        assert gpu.facts["driver"] == told(entry, r"driver (\S+)")
        assert gpu.mig == (told(entry, r"MIG=(\S+)") == "Enabled")
        _sane(gpu)
    return len(gpus)


def smi_rows(entry: Entry) -> int:
    header, *rows = entry.text.splitlines()
    fields = [name.partition(" [")[0] for name in next(csv.reader([header], skipinitialspace=True))]
    gpus = [gpu for row in rows if (gpu := RowReader(fields, BUILTIN).read(row)) is not None]
    assert len(gpus) == len(rows)
    machine = entry.path.parent.name
    for gpu in gpus:
        assert gpu.facts["driver"] == machine.rpartition("__")[2]
        assert gpu.mig == ("-mig" in machine)
        assert re.sub(r"\W+", "-", gpu.model.lower()) in machine.replace("-mig", "").lower()
        _sane(gpu)
    return len(gpus)


def _sane(gpu: SmiGpu) -> None:
    assert gpu.uuid.startswith("GPU-")
    assert gpu.pci
    assert not gpu.faults
    assert gpu.model.startswith("GRID") or 15 < gpu.values["temp_c"] < 100  # a vGPU has no sensor
    assert gpu.values["mem_used_bytes"] >= 0
    assert gpu.mig or math.isnan(gpu.values["util_pct"]) or 0 <= gpu.values["util_pct"] <= 100


def smi_stream(entry: Entry) -> None:
    """Take a node's output as a session does that asked for rows; raises what the source says of it."""
    watch = NodeWatch("n1", "n1", None, None, lambda: None, who=("lab", "ssh"))  # type: ignore[arg-type]  # not opened
    stream: NodeStream = watch.stream
    fields = ",".join(group[0] for group in wanted_fields(BUILTIN))
    stream.feed(f"@@gigadeck start\n@@gigadeck fields {fields}\n".encode(), 1.0)
    stream.feed(entry.content + b"\n@@gigadeck exit 0\n", 2.0)
    stream.flush()
    assert not stream.rows
    assert not stream.lost
    raise watch._why()


# Pages of exporters


def page(entry: Entry) -> int:
    """Read a page as the source dcgm does; every GPU is in it, and what the index says of models and driver."""
    content = transcript(entry.content)
    parts = _pages(content, "text/plain")
    columns = [part for part in parts if isinstance(part, ColumnPart)]
    facts = {part.fact: part.values for part in parts if isinstance(part, FactsPart)}
    samples = [each for each in reference(content) if each.name in known_names(BUILTIN) and each.labels]
    uuids = {next((each.labels[name] for name in UUID_LABELS if name in each.labels), "") for each in samples}
    for part in columns:
        metric, known = BUILTIN[part.metric], part.values[~np.isnan(part.values)]
        assert len(part.keys) == len(uuids)
        assert ((metric.low <= known) & (known <= metric.high)).all()
    models = {model for part in columns for model in part.keys.models}  # type: ignore[union-attr]
    assert set(re.findall(r"'([^']*)'", told(entry, r"models (\[.*?\])"))) <= models
    drivers = re.findall(r"'([^']*)'", told(entry, r"driver (\[.*?\])"))
    assert all(driver in facts["driver"][0] for driver in drivers)
    return sum(int((~np.isnan(part.values)).sum()) for part in columns)


def foreign_page(entry: Entry) -> int:
    columns = {part.metric for part in _pages(entry.content, "text/plain") if isinstance(part, ColumnPart)}
    assert columns == {metric for name, metric, _ in FOREIGN if f"\n{name}{{" in entry.text}
    return len(columns)


def no_page(entry: Entry) -> list[object]:
    return _pages(entry.content, "application/openmetrics-text" if "openmetrics" in entry.name else "text/plain")


def _pages(content: bytes, kind: str) -> list[object]:
    pages = Pages(BUILTIN, [Target("n1:9400", "n1", "")], LabelNames(), WHO, node_from_target=False)
    return list(pages.decode([Page(0, Body(content, 200, {"content-type": kind}, AT, 0.1, len(content), None))]))


# What NVIDIA's files of counters name and no column of ours shows: load and health are told by others of them.
UNSHOWN = re.compile(
    r"mem_clock|memory_clock|energy|prof_(pcie|sm_occ|dram|pipe_fp)|mem_copy|(enc|dec)_util|violation|exp_|reserved"
    r"|agg(regate)?_total|retired|nvlink_(crc_data|data|replay|recovery|bandwidth)|license|version|brand|serial|inforom",
    re.IGNORECASE,
)


def counters(entry: Entry) -> int:
    """Hold the metric table against a file of counters: each of its fields is one of ours, or is known to be left."""
    rows = [line.lstrip("# ").split(",") for line in entry.text.splitlines() if line.count(",") >= 2]
    named = {row[0].strip(): row[2] for row in rows if not row[0].startswith("DCGM FIELD")}
    known = known_names(BUILTIN)
    ours = {name for name in named if name in known or name.lower() == MIG_ACTIVE.lower()}
    assert [name for name in named if name not in ours and not UNSHOWN.search(name)] == []
    units = {"bytes": "in MiB", "W": "in W", "C": "in C", "MHz": "in MHz"}
    for name in ours & known.keys():
        unit = units.get(known[name].metric.unit, "")
        assert unit in named[name], name
    wanted = {line.split(",")[0] for line in exporter_counters().splitlines()}
    assert {name for name in ours if name.startswith("DCGM_")} <= wanted
    return len(ours)


# Prometheus


def answer(entry: Entry) -> int:
    """Read rows of a query: all of them, and those of GPUs as columns."""
    content = entry.content
    said: Any = json.loads(content)
    rows, _ = labelled_rows(content, WHO)
    assert [row.metric for row in rows] == [each["metric"] for each in said["data"]["result"]]
    for row, each in zip(rows, said["data"]["result"], strict=True):
        expected = each.get("values") or [each["value"]]
        found = row.values or [row.value]
        assert [float(value) for _, value in expected] == [value for _, value in found]
    parts = _columns(content, Shape(said["data"]["resultType"]))
    gpus = {row.metric.get("__name__", "") for row in rows if BUILTIN.of_dcgm(row.metric.get("__name__", ""))}
    assert len(parts) == len(gpus)
    assert all(part.keys.uuid_high.all() for part in parts)  # type: ignore[union-attr]
    return len(rows)


def _columns(content: bytes, shape: Shape) -> list[ColumnPart]:
    spelling = choose_spelling([row.metric for row in labelled_rows(content, WHO)[0]], LabelNames())
    answers = Columns(BUILTIN, spelling, WHO).decode(Answer(shape, {"": [content]}, AT, full=False))
    return [part for part in answers if isinstance(part, ColumnPart)]


def names(entry: Entry) -> int:
    """Read a list of names as a store's discovery does."""
    from console.sources.prometheus.api import Api

    body = Body(entry.content, 200, {}, AT, 0.1, len(entry.content), None)
    found = Api(None, WHO)._strings(body)  # type: ignore[arg-type]  # nothing is asked
    assert list(found) == json.loads(entry.content)["data"]
    return len(found)


def no_answer(entry: Entry) -> list[ColumnPart]:
    return _columns(entry.content, Shape.VECTOR)


def openapi(entry: Entry) -> int:
    """Find each endpoint that we ask in Prometheus' own document, with the method and parameters that we use."""
    paths = yaml.safe_load(entry.text)["paths"]
    asked = {"/query": {"query"}, "/label/{name}/values": {"start"}, "/labels": {"match[]"}, "/status/buildinfo": set()}
    for path, wanted in asked.items():
        offered = {each.get("name") for each in paths[path]["get"].get("parameters", [])}
        assert wanted <= offered, path
    return len(asked)
