"""The GPUs of all nodes as columns; owned by the compute thread. The order of rows stays, so that joins are cached."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.model.identity import parse_uuids
from console.model.reading import ColumnPart, FactsPart, GpuKeys, NamedKeys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.columns import Times, Values
    from console.sources.smi.values import SmiGpu

GROW = 256


class GpuTable:
    """Rows of (node, GPU); every row has its own sample time, so that one silent node ages alone."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int | str], int] = {}
        self._nodes: list[str] = []
        self._slots: list[int] = []
        self._uuids: list[str] = []
        self._models: list[str] = []
        self._pci: dict[tuple[str, str], int] = {}
        self._at: Times = np.zeros(0)
        self._values: dict[str, Values] = {}
        self._keys: GpuKeys | None = None
        self._facts: dict[str, dict[str, dict[str, str]]] = {}
        self._fact_keys: dict[str, NamedKeys] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def put(self, node: str, gpu: SmiGpu, at: float) -> None:
        """Take what a GPU says; a value that it does not give is missing from now on."""
        row = self._row(node, gpu)
        self._at[row] = at
        for fact, text in gpu.facts.items():
            self._facts.setdefault(fact, {}).setdefault(node, {})[gpu.key] = text
        for name, column in self._values.items():
            column[row] = gpu.values.get(name, math.nan)
        for name in gpu.values.keys() - self._values.keys():
            self._values[name] = np.full(len(self._at), np.nan, dtype=np.float32)
            self._values[name][row] = gpu.values[name]

    def lose(self, node: str, pci: str, at: float) -> None:
        """Say of a GPU that it is lost: it has no values any more."""
        row = self._pci.get((node, pci), -1)
        if row >= 0:
            self._at[row] = at
            for column in self._values.values():
                column[row] = np.nan

    def slots_of(self, node: str) -> dict[str, int]:
        """Return the GPU index of each PCI key of a node."""
        return {pci: self._slots[row] for (name, pci), row in self._pci.items() if name == node}

    def parts(self) -> Iterator[ColumnPart]:
        """Yield a column for each metric that any GPU gave, with copies that nobody writes to."""
        count = len(self._nodes)
        if not count:
            return
        keys, at = self._joined(), self._at[:count].copy()
        for name, column in self._values.items():
            yield ColumnPart(name, keys, column[:count].copy(), at)

    def fact_parts(self, at: float) -> Iterator[FactsPart]:
        """Yield what the nodes have of each thing; GPUs of one node that differ are told side by side."""
        for fact, nodes in self._facts.items():
            keys = self._fact_keys.get(fact)
            if keys is None or len(keys) != len(nodes):
                keys = self._fact_keys[fact] = NamedKeys("node", tuple(nodes))
            yield FactsPart(fact, keys, tuple(", ".join(sorted(set(each.values()))) for each in nodes.values()), at)

    def _row(self, node: str, gpu: SmiGpu) -> int:
        key = (node, gpu.index if gpu.index >= 0 else gpu.key)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._nodes)
            self._nodes.append(node)
            self._slots.append(gpu.index)
            self._uuids.append(gpu.uuid)
            self._models.append(gpu.model)
            self._keys = None
            self._make_room(row)
        elif gpu.uuid and self._uuids[row] != gpu.uuid:
            self._uuids[row], self._models[row] = gpu.uuid, gpu.model
            self._keys = None
        if gpu.pci:
            self._pci[node, gpu.pci] = row
        return row

    def _make_room(self, row: int) -> None:
        if row < len(self._at):
            return
        self._at = np.concatenate([self._at, np.zeros(GROW)])
        more = np.full(GROW, np.nan, dtype=np.float32)
        self._values = {name: np.concatenate([column, more]) for name, column in self._values.items()}

    def _joined(self) -> GpuKeys:
        if self._keys is None:
            high, low = parse_uuids(self._uuids)
            slots = np.array(self._slots, dtype=np.int16)
            self._keys = GpuKeys(tuple(self._nodes), slots, high, low, tuple(self._models))
        return self._keys
