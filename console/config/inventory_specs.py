"""From rows of an inventory to nodes: what each column means, and what a row must not say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from console.config.inventory_rows import SEPARATOR, Cell, Faults, Row
from console.config.scalars import shown
from console.model.inventory import NodeSpec

COLUMNS = ("node", "hall", "rack", "gpus", "aliases", "bmc", "serial", "model", "gpu_uuids")
MAX_NAME = 253  # a DNS name
DEFAULT_GPUS = 8
MAX_GPUS = 256
DOMAIN = re.compile(r"[a-z][a-z0-9_]{0,31}")
TEXTS = ("hall", "rack", "serial", "bmc", "model")


def node_specs(rows: Sequence[Row], faults: Faults) -> list[NodeSpec]:
    """Return the nodes of some rows; a column that is not one of COLUMNS is a kind of domain."""
    kinds = _domain_kinds(rows, faults)
    specs: list[NodeSpec] = []
    owners: dict[str, tuple[int, str]] = {}
    for number, row in enumerate(rows):
        spec = _spec(*row, kinds, faults)
        if spec is not None:
            _claim(spec, number, row, owners, faults)
            specs.append(spec)
    return specs


def _domain_kinds(rows: Sequence[Row], faults: Faults) -> tuple[str, ...]:
    kinds: dict[str, None] = {}
    for line, called, cells in rows:
        for column in cells.keys() - kinds.keys() - frozenset(COLUMNS):
            kinds[column] = None
            if not DOMAIN.fullmatch(column):
                message = f"is no kind of domain (lower-case letters, digits, '_') and none of {', '.join(COLUMNS)}"
                faults.add(line, f"{called}.{shown(column)}".lstrip("."), message)
    return tuple(sorted(kinds))


def _spec(line: int, called: str, cells: Mapping[str, Cell], kinds: Iterable[str], faults: Faults) -> NodeSpec | None:
    before = len(faults.errors)
    texts = {column: _one(cells, column, line, called, faults) for column in ("node", *TEXTS)}
    if not texts["node"] and len(faults.errors) == before:
        faults.add(line, f"{called}.node".lstrip("."), "is required")
    uuids = several(cells.get("gpu_uuids"))
    gpus = _gpus(cells.get("gpus"), len(uuids), line, called, faults)
    domains = {kind: names for kind in kinds if (names := several(cells.get(kind)))}
    aliases = several(cells.get("aliases"))
    for text in (*texts.values(), *aliases, *(name for names in domains.values() for name in names)):
        if len(text) > MAX_NAME or not text.isprintable():
            faults.add(line, called, f"{shown(text)} is longer than {MAX_NAME} or holds what cannot be shown")
    if len(faults.errors) > before:
        return None
    return NodeSpec(
        name=texts["node"],
        hall=texts["hall"],
        rack=texts["rack"],
        gpus=gpus,
        aliases=aliases,
        serial=texts["serial"],
        bmc=texts["bmc"],
        model=texts["model"],
        gpu_uuids=uuids,
        domains=domains,
    )


def _one(cells: Mapping[str, Cell], column: str, line: int, called: str, faults: Faults) -> str:
    value = cells.get(column, "")
    if isinstance(value, str):
        return value.strip()
    found = "the number" if isinstance(value, int) else "a list"
    message = f"expected text, found {found}" + ("; put it in quotes" if isinstance(value, int) else "")
    faults.add(line, f"{called}.{column}".lstrip("."), message)
    return ""


def several(value: Cell | None) -> tuple[str, ...]:
    """Return the values of one cell: those of a list, or of a text that `;` splits."""
    if not value:
        return ()
    if isinstance(value, tuple):
        return tuple(each.strip() for each in value if each.strip())
    text = str(value)
    if SEPARATOR not in text:
        return (text.strip(),) if text.strip() else ()
    return tuple(part.strip() for part in text.split(SEPARATOR) if part.strip())


def _gpus(value: Cell | None, uuids: int, line: int, called: str, faults: Faults) -> int:
    text = str(value).strip() if value is not None else ""
    if not text:
        return uuids or DEFAULT_GPUS
    if not (text.isascii() and text.isdigit()) or int(text[:9]) > MAX_GPUS:
        faults.add(line, f"{called}.gpus".lstrip("."), f'expected 0 to {MAX_GPUS}, found "{shown(text)}"')
        return 0
    if uuids > int(text):
        faults.add(line, f"{called}.gpu_uuids".lstrip("."), f"names {uuids} GPUs, but gpus is {text}")
    return int(text)


def _claim(spec: NodeSpec, number: int, row: Row, owners: dict[str, tuple[int, str]], faults: Faults) -> None:
    """Note the names of a node as taken; a name that another row has is a fault."""
    line, called, _ = row
    for name in (spec.name, *spec.aliases):
        owner, where = owners.setdefault(name, (number, f"line {line}" if line else called))
        if owner != number:
            kind = "node" if name == spec.name else "alias"
            faults.add(line, called, f"{kind} {shown(name)} is a duplicate of {where}")
