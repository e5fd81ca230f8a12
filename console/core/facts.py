"""What voices say that nodes have (`driver`, `vbios`, firmware): on node rows, and as domains that rows group by."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.registry import COUNTS, JOB_TEXTS
from console.model.levels import Level
from console.model.scheduling import NodeFacts
from console.model.topology import Domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from console.core.join import Join
    from console.model.metrics import MetricTable
    from console.model.reading import FactsPart

    Rows = NDArray[np.int32]

MOST_FACTS = 64
MOST_TEXT = 200
NOT_TOLD = -1
_UNTOUCHED = -2
_TAKEN = {*COUNTS, *JOB_TEXTS, *Level, "id", "name", "parent", "source", "uuid", "serial", "bmc", "model", "slot"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def sound(part: FactsPart) -> bool:
    """Whether a part speaks of nodes, has a text for each, and a name that an expression can say."""
    return (
        part.keys.level == Level.NODE and len(part.values) == len(part.keys) and _NAME.fullmatch(part.fact) is not None
    )


def told_facts(before: NodeFacts | None, part: FactsPart, join: Join, nodes: int, source: str) -> NodeFacts:
    """Return what a source says now of one thing, in `nodes` rows.

    Nodes that the part does not name keep what was said of them; an empty text takes that back.
    """
    table: dict[str, int] = {} if before is None else {text: code for code, text in enumerate(before.texts)}
    # Many nodes, few texts: what a text means is worked out once.
    meant = {
        text: table.setdefault(text[:MOST_TEXT], len(table)) if text else NOT_TOLD
        for text in dict.fromkeys(part.values)
    }
    said = np.fromiter(map(meant.__getitem__, part.values), dtype=np.int32, count=len(part.values))
    codes = join.spread(said, nodes, _UNTOUCHED)
    if len(codes) != nodes:
        codes = np.full(nodes, _UNTOUCHED, dtype=np.int32)
    kept = np.full(nodes, NOT_TOLD, dtype=np.int32) if before is None else before.codes
    return _compact(NodeFacts(part.fact, tuple(table), np.where(codes == _UNTOUCHED, kept, codes), part.at, source))


def same_facts(one: NodeFacts, other: NodeFacts) -> bool:
    """Whether two say the same of every node, whenever that was."""
    return one.texts == other.texts and np.array_equal(one.codes, other.codes)


def facts_remapped(old: NodeFacts, rows: Rows) -> NodeFacts:
    """Return facts in a new topology's order; `rows` is the old node row of each new one, -1 for a new node."""
    picked = old.codes[np.maximum(rows, 0)] if len(old.codes) else np.full(len(rows), NOT_TOLD, dtype=np.int32)
    codes = np.where(rows >= 0, picked, np.int32(NOT_TOLD))
    codes.flags.writeable = False
    return replace(old, codes=codes)


def combined(facts: Iterable[NodeFacts], nodes: int) -> NodeFacts:
    """Return several voices' word on one thing as one: of each node, that of the voice that spoke last."""
    ordered = sorted(facts, key=lambda each: (each.at, each.source))
    if len(ordered) == 1:
        return ordered[0]
    table: dict[str, int] = {}
    codes = np.full(nodes, NOT_TOLD, dtype=np.int32)
    for each in ordered:
        translated = np.array([*(table.setdefault(text, len(table)) for text in each.texts), NOT_TOLD], dtype=np.int32)
        theirs = translated[each.codes]
        codes = np.where(theirs >= 0, theirs, codes)
    names = "+".join(sorted(each.source for each in ordered))
    return _compact(NodeFacts(ordered[-1].fact, tuple(table), codes, ordered[-1].at, names))


def fact_domains(facts: Mapping[tuple[str, str], NodeFacts], nodes: int, metrics: MetricTable) -> dict[str, Domain]:
    """Return a domain of nodes for each fact, in order of name: nodes of one text belong together.

    A fact with the name of another field of rows makes none.
    """
    by_fact: dict[str, list[NodeFacts]] = {}
    for (_, fact), each in facts.items():
        if fact not in _TAKEN and fact not in metrics and metrics.aggregate(fact) is None:
            by_fact.setdefault(fact, []).append(each)
    return {fact: _domain(fact, combined(by_fact[fact], nodes)) for fact in sorted(by_fact)}


def _domain(kind: str, facts: NodeFacts) -> Domain:
    order = np.argsort(facts.codes, kind="stable").astype(np.int32)
    told = order[np.searchsorted(facts.codes[order], 0) :]
    starts = np.searchsorted(facts.codes[told], np.arange(len(facts.texts) + 1)).astype(np.int32)
    return Domain(kind, facts.texts, Level.NODE, told, starts)


def _compact(facts: NodeFacts) -> NodeFacts:
    """Return the same facts with their texts in order and without those that no node has any more."""
    used = np.zeros(len(facts.texts) + 1, dtype=bool)
    used[facts.codes] = True
    texts = tuple(sorted(text for text, is_used in zip(facts.texts, used[:-1].tolist(), strict=True) if is_used))
    place = {text: code for code, text in enumerate(texts)}
    moved = np.array([*(place.get(text, NOT_TOLD) for text in facts.texts), NOT_TOLD], dtype=np.int32)
    codes = moved[facts.codes]
    codes.flags.writeable = False
    return replace(facts, texts=texts, codes=codes)
