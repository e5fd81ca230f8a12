"""The GPU columns that change seldom: each published array stays the same object until a value in it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint

    Rows = slice | NDArray[np.intp] | int

COUNTERS = ("ecc_sbe", "ecc_dbe", "remapped_rows", "remap_failed", "remap_pending", "nvlink_errors", "pcie_replays")
CODES = ("xid", "recovery_action")
MEMORY_AT_REST = 0.006
MEMORY_RESERVED = 0.008
PCIE_WIDTH = 16.0


class Ledger:
    """Copy-on-write float32[gpus] columns by metric name; a GPU that is not reporting reads as NaN in all of them."""

    def __init__(self, blueprint: Blueprint) -> None:
        gpus = blueprint.topology.gpus
        self._published: dict[str, NDArray[np.float32]] = {}
        self._edited: dict[str, NDArray[np.float32]] = {}
        self._kept: dict[int, dict[str, float]] = {}
        limit = np.empty(gpus, dtype=np.float32)
        for block in blueprint.blocks:
            limit[block.gpus] = block.platform.limit_w
        self._capacity = _capacity(blueprint)
        # Not `zeros`, whose pages come only when a first fault copies them: memory would grow for an hour.
        self._edited.update({name: np.full(gpus, 0.0, dtype=np.float32) for name in COUNTERS + CODES})
        self._edited["power_limit_w"] = limit
        self._edited["pcie_width"] = np.full(gpus, PCIE_WIDTH, dtype=np.float32)
        self._edited["mem_used_bytes"] = self._capacity * np.float32(MEMORY_AT_REST)
        self._edited["mem_free_bytes"] = self._capacity - self._edited["mem_used_bytes"]

    def set(self, name: str, rows: Rows, value: Any) -> None:
        """Write a value to some GPUs; ones that do not report keep it for later."""
        if isinstance(rows, int) and rows in self._kept:
            self._kept[rows][name] = float(value)
            return
        self._writable(name)[rows] = value

    def add(self, name: str, row: int, value: float) -> None:
        """Count up one GPU."""
        self.set(name, row, self.get(name, row) + value)

    def get(self, name: str, row: int) -> float:
        """Return one GPU's value, reporting or not."""
        kept = self._kept.get(row)
        if kept is not None:
            return kept[name]
        return float(self._edited.get(name, self._published.get(name))[row])  # type: ignore[index] # one has it

    def use_memory(self, rows: slice | NDArray[np.intp], ratio: float | NDArray[np.float32]) -> None:
        """Let the GPUs of a job use a part of their memory (0: none); an array has the part of each."""
        used = self._capacity[rows] * np.maximum(np.float32(MEMORY_AT_REST), np.float32(ratio))
        self._writable("mem_used_bytes")[rows] = used
        self._writable("mem_free_bytes")[rows] = self._capacity[rows] - used

    def silence(self, row: int) -> None:
        """Let a GPU vanish from every column."""
        if row in self._kept:
            return
        kept = {}
        for name in (*COUNTERS, *CODES, "power_limit_w", "pcie_width", "mem_used_bytes", "mem_free_bytes"):
            column = self._writable(name)
            kept[name] = float(column[row])
            column[row] = np.nan
        self._kept[row] = kept

    def restore(self, row: int) -> None:
        """Let a GPU report again, with what it had."""
        for name, value in self._kept.pop(row, {}).items():
            self._writable(name)[row] = value

    def publish(self) -> Mapping[str, NDArray[np.float32]]:
        """Return the columns as they are now; they are never written again."""
        for column in self._edited.values():
            column.flags.writeable = False
        self._published.update(self._edited)
        self._edited.clear()
        return self._published

    def _writable(self, name: str) -> NDArray[np.float32]:
        column = self._edited.get(name)
        if column is None:
            column = self._edited[name] = self._published[name].copy()
        return column


def _capacity(blueprint: Blueprint) -> NDArray[np.float32]:
    """Return the bytes that jobs can have of each GPU; one number in the place of many where all are alike."""
    blocks = blueprint.blocks
    sizes = np.array([block.platform.memory_bytes * (1 - MEMORY_RESERVED) for block in blocks], dtype=np.float32)
    if len(blocks) == 1:
        return np.broadcast_to(sizes[0], blueprint.topology.gpus)
    return np.repeat(sizes, [block.gpus.stop - block.gpus.start for block in blocks])
