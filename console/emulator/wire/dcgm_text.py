"""The /metrics page of dcgm-exporter, for one node, a shard of a site, or whole sites, in chunks of text."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.wire.dcgm_fields import DCGM_FIELDS, UNKNOWN_XID, XID_TEXTS, DcgmField, Print
from console.emulator.wire.exporter_labels import GpuLabels, Pod, PodLabels
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.emulator.wire.feed import Sample, State
    from console.model.columns import Values
    from console.model.topology import SiteTopology

LINES_A_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class NodeRange:
    """Consecutive nodes of one site, at one time."""

    sample: Sample
    start: int
    stop: int

    @property
    def gpus(self) -> slice:
        """The GPU rows of these nodes."""
        offsets = self.sample.topology.node_gpus
        return slice(int(offsets[self.start]), int(offsets[self.stop]))


def shard(sample: Sample, index: int, count: int) -> NodeRange:
    """Return the nodes of one of `count` shards of a site, as even as can be; raises ValueError for a bad index."""
    if not 0 <= index < count:
        raise ValueError(f"shard={index} of shards={count}: shards count from 0 to {count - 1}")
    nodes = len(sample.topology.nodes)
    return NodeRange(sample, nodes * index // count, nodes * (index + 1) // count)


class DcgmPages:
    """Makes pages; keeps the labels of each site and the pods of its last state. Safe to call from many threads."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], tuple[SiteTopology, GpuLabels]] = {}
        self._pods: dict[str, tuple[State, PodLabels]] = {}
        self._lock = threading.Lock()

    def page(self, ranges: Sequence[NodeRange], host_label: str = "Hostname") -> Iterator[str]:
        """Yield a page in chunks of some thousand lines; a GPU or field that is not reported has no line."""
        blocks = [self._block(each, host_label) for each in ranges]
        for field in DCGM_FIELDS:
            yield from _family(field, blocks)

    def _block(self, nodes: NodeRange, host_label: str) -> _Block:
        topology, state = nodes.sample.topology, nodes.sample.state
        with self._lock:
            held = self._labels.get((topology.site, host_label))
            if held is None or held[0] is not topology:
                held = self._labels[topology.site, host_label] = (topology, GpuLabels(topology, host_label))
            pods = self._pods.get(topology.site)
            if pods is None or pods[0].gpu_job is not state.gpu_job or pods[0].jobs is not state.jobs:
                pods = self._pods[topology.site] = (state, PodLabels(topology, state))
        fixed = [label for node in range(nodes.start, nodes.stop) for label in held[1].of_node(node)]
        return _Block(state, nodes.gpus, fixed, pods[1].of_rows(nodes.gpus))


class _Block:
    """The labels of one range of GPUs, joined once for all families of a page."""

    def __init__(self, state: State, gpus: slice, fixed: list[str], pods: list[Pod]) -> None:
        self.state = state
        self.gpus = gpus
        self.fixed = fixed
        self.pods = pods
        self.whole = [f"{label}{pod.container}{pod.rest}}} " for label, pod in zip(fixed, pods, strict=True)]

    def values(self, field: DcgmField) -> Values | None:
        """Return what this field reads on these GPUs, in DCGM's unit; None where the world has no such metric."""
        column = self.state.columns.get(field.metric)
        return None if column is None else column[self.gpus] / np.float32(field.per_unit)


def _family(field: DcgmField, blocks: Sequence[_Block]) -> Iterator[str]:
    head = f"# HELP {field.name} {field.help}\n# TYPE {field.name} {field.type}\n"
    for block in blocks:
        values = block.values(field)
        if values is None:
            continue
        for start in range(0, len(values), LINES_A_CHUNK):
            text = _lines(field, block, start, values[start : start + LINES_A_CHUNK])
            if text:
                yield head + text
                head = ""


def _lines(field: DcgmField, block: _Block, start: int, values: Values) -> str:
    there = np.isfinite(values)
    if not there.any():
        return ""
    rows = range(start, start + len(values)) if there.all() else (np.flatnonzero(there) + start).tolist()
    numbers = values[there]
    if field.metric == "xid":
        return "".join(_xid_line(field.name, block, row, int(code)) for row, code in zip(rows, numbers, strict=True))
    name, labels = field.name, block.whole
    texts = _texts(field.printed, numbers)
    return "".join([f"{name}{labels[row]}{text}\n" for row, text in zip(rows, texts, strict=True)])


def _texts(printed: Print, numbers: Values) -> list[str]:
    if printed is Print.INTEGER:
        return [str(number) for number in np.rint(numbers).astype(np.int64).tolist()]
    return ["%f" % number for number in numbers.tolist()]  # noqa: UP031 - C's %f is the format, and it is the fastest


def _xid_line(name: str, block: _Block, row: int, code: int) -> str:
    pod = block.pods[row]
    error = f',err_code="{code}",err_msg="{XID_TEXTS.get(code, UNKNOWN_XID)}"'
    return f"{name}{block.fixed[row]}{pod.container}{error}{pod.rest}}} {code}\n"


def node_range(sample: Sample, node: str) -> NodeRange | None:
    """Return the range that is one node, by its name or an alias; None if the site has no such node."""
    row = sample.topology.node_row(node)
    return None if row is None else NodeRange(sample, row, row + 1)
