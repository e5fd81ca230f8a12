"""Answers of a Prometheus to an instant query, as bytes; and the way of one through the real decoder and merger."""

from __future__ import annotations

import msgspec

from bench.exposition import GPUS_PER_NODE, NODES_PER_RACK, RACKS_PER_HALL
from console.config.values import LabelNames
from console.core.inventory import empty_topology
from console.core.layout import Layout
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.sources.exposition.labels import choose_spelling
from console.sources.exposition.who import Who
from console.sources.prometheus.answers import Shape
from console.sources.prometheus.columns import Answer, Columns

SITE = "muc1"
SERIES = {"power_w": "DCGM_FI_DEV_POWER_USAGE", "temp_c": "DCGM_FI_DEV_GPU_TEMP"}
LAYOUT = r"^(?P<node>(?P<hall>h\d+)-(?P<rack>r\d+)-n\d+)"
AT = 1_800_000_000.0


class Label(msgspec.Struct, gc=False):
    """The label that joins a series to a GPU."""

    UUID: str


class Series(msgspec.Struct, gc=False):
    """A series as the reference decodes it: the join label, the time and the value."""

    metric: Label
    value: tuple[float, float]


class _Data(msgspec.Struct):
    result: list[Series]


class Bare(msgspec.Struct):
    """The whole answer, nothing but what a merge cannot do without."""

    data: _Data


def labels(node: int, gpu: int, series: str) -> dict[str, str]:
    """Return the labels of one GPU's series as a Prometheus that scrapes dcgm-exporter has them."""
    rack = node // NODES_PER_RACK
    name = f"h{rack // RACKS_PER_HALL + 1}-r{rack:04d}-n{node:05d}"
    return {
        "__name__": series,
        "Hostname": name,
        "UUID": f"GPU-{node:08x}-{gpu:04x}-4abc-8def-{node * 8 + gpu:012x}",
        "device": f"nvidia{gpu}",
        "gpu": str(gpu),
        "instance": f"{name}:9400",
        "job": "dcgm-exporter",
        "modelName": "NVIDIA H100 80GB HBM3",
        "pci_bus_id": f"00000000:{gpu:02X}:00.0",
    }


def vector_body(nodes: int, phase: int = 0, metric: str = "temp_c") -> bytes:
    """Return an instant vector of `nodes` x 8 series; `phase` moves all values."""
    result = [
        {"metric": labels(node, gpu, SERIES[metric]), "value": [AT + phase, _value(node * GPUS_PER_NODE + gpu, phase)]}
        for node in range(nodes)
        for gpu in range(GPUS_PER_NODE)
    ]
    return msgspec.json.encode({"status": "success", "data": {"resultType": "vector", "result": result}})


def _value(row: int, phase: int) -> str:
    return f"{600 + (row * 7 + phase * 13) % 997 / 10:.3f}"


class Decoding:
    """The Prometheus source's decoder and a merger; `first` is a body of power_w, in which a sweep learns its GPUs."""

    def __init__(self, first: bytes) -> None:
        known = labels(0, 0, SERIES["power_w"])
        self._columns = Columns(BUILTIN, choose_spelling([known], LabelNames(), tuple(known)), Who(SITE, "prometheus"))
        self.merger = SiteMerger(empty_topology(SITE), BUILTIN, layout=Layout(LAYOUT))
        self._turn = 0
        self.take("power_w", first)

    def take(self, metric: str, content: bytes) -> None:
        """Decode and merge one answer, as the engine does part by part."""
        self._turn += 1
        received_at = AT + self._turn
        answer = Answer(Shape.VECTOR, {SERIES[metric]: [content]}, received_at, metric)
        for part in self._columns.decode(answer):
            self.merger.apply(part, source="prometheus", stale_after_s=30.0, received_at=received_at)
