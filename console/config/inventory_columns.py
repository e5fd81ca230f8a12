"""Reads a CSV inventory by whole columns where all of it is sound; anything odd is left to the reader of rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from console.config.inventory_rows import without_comments
from console.config.inventory_specs import COLUMNS, DEFAULT_GPUS, DOMAIN, MAX_GPUS, MAX_NAME, TEXTS, several
from console.model.inventory import NodeSpec

Lists = Sequence[tuple[str, ...]]


def sound_specs(text: str) -> list[NodeSpec] | None:
    """Return the nodes of a CSV text, the same as the careful reader does; None where that one must have a look.

    125,000 nodes take a fifth of its time.
    """
    columns = _columns(text)
    if columns is None:
        return None
    kinds = sorted(columns.keys() - set(COLUMNS))
    nodes = len(columns["node"])
    texts = {name: [*map(str.strip, columns.get(name, [""] * nodes))] for name in ("node", *TEXTS)}
    lists = {name: _lists(columns.get(name), nodes) for name in ("aliases", "gpu_uuids", *kinds)}
    gpus = _counts(columns.get("gpus", [""] * nodes), lists["gpu_uuids"])
    shown = [*texts.values(), *(chain.from_iterable(lists[name]) for name in ("aliases", *kinds))]
    sound = all(texts["node"]) and all(map(DOMAIN.fullmatch, kinds)) and all(map(_readable, shown))
    if gpus is None or not sound or not _distinct(texts["node"], lists["aliases"]):
        return None
    fields = (
        texts["node"], texts["hall"], texts["rack"], gpus, lists["aliases"], texts["serial"], texts["bmc"],
        texts["model"], lists["gpu_uuids"], _domains(kinds, lists, nodes),
    )  # fmt: skip
    return list(map(NodeSpec, *fields))


def _columns(text: str) -> Mapping[str, Sequence[str]] | None:
    """Return the cells by column; None for what is no CSV with a good header and rows of its length."""
    reader = csv.reader(without_comments(text), strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error:
        return None
    header = [name.strip() for name in rows[0]] if rows else []
    if len(rows) < 2 or "node" not in header or len(set(header)) < len(header) or len(set(map(len, rows))) > 1:
        return None
    return dict(zip(header, zip(*rows[1:], strict=True), strict=True))


def _lists(cells: Sequence[str] | None, nodes: int) -> Lists:
    """Return the values of each cell; many nodes share what one CDU or feed is called."""
    if cells is None:
        return [()] * nodes
    meant = {cell: several(cell) for cell in set(cells)}
    return [*map(meant.__getitem__, cells)]


def _counts(cells: Sequence[str], uuids: Lists) -> list[int] | None:
    """Return the GPUs of each node, None if any cell says no such number or names more GPUs."""
    meant: dict[str, int] = {}
    for cell in set(cells):
        digits = cell.strip()
        if digits and not (digits.isascii() and digits.isdigit() and int(digits[:9]) <= MAX_GPUS):
            return None
        meant[cell] = int(digits) if digits else -1
    counts = [
        meant[cell] if meant[cell] >= 0 else len(named) or DEFAULT_GPUS
        for cell, named in zip(cells, uuids, strict=True)
    ]
    return counts if all(len(named) <= count for named, count in zip(uuids, counts, strict=True)) else None


def _readable(texts: Iterable[str]) -> bool:
    given = list(texts)
    return max(map(len, given), default=0) <= MAX_NAME and "".join(given).isprintable()


def _distinct(names: Sequence[str], aliases: Lists) -> bool:
    """Return whether no name stands for two nodes (nor twice for one, which the careful reader lets pass)."""
    claimed = [*names, *chain.from_iterable(aliases)]
    return len(set(claimed)) == len(claimed)


def _domains(kinds: Sequence[str], lists: Mapping[str, Lists], nodes: int) -> list[dict[str, tuple[str, ...]]]:
    if not kinds:
        return [{} for _ in range(nodes)]
    rows = zip(*(lists[kind] for kind in kinds), strict=True)
    return [{kind: names for kind, names in zip(kinds, row, strict=True) if names} for row in rows]
