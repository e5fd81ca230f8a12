"""Asks a store now and then what the labels of its series say that nodes have: one row a node and fact."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.model.reading import FactsPart, NamedKeys
from console.sources.exposition.labels import strip_port
from console.sources.prometheus.promql import quote, selector
from console.sources.prometheus.small import labelled_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.sources.exposition.who import Who
    from console.sources.prometheus.api import Api
    from console.sources.prometheus.catalog import Catalog

EVERY_S = 600.0


class Facts:
    """The facts of one store; `ask` on the loop thread, `decode` on the compute thread."""

    def __init__(self, who: Who) -> None:
        self._who = who
        self._asked_at = -math.inf

    async def ask(self, api: Api, catalog: Catalog, match: str, now: float) -> bytes | None:
        """Return the answer where the question is due and the series carry such labels; raises SourceError."""
        if not catalog.facts or not catalog.spelling.node or now - self._asked_at < EVERY_S:
            return None
        # A store that cannot answer this is not asked again at every turn.
        self._asked_at = now
        by = ", ".join((*catalog.spelling.node, *catalog.facts.values()))
        return (await api.query(f"group by ({by}) ({selector(f'__name__={quote(catalog.anchor)}', match)})")).content

    def decode(self, content: bytes, catalog: Catalog, at: float) -> Iterator[FactsPart]:
        """Yield a part for each fact; raises BadPayload."""
        rows, _ = labelled_rows(content, self._who)
        for fact, label in catalog.facts.items():
            told: dict[str, set[str]] = {}
            for row in rows:
                node = next((row.metric[name] for name in catalog.spelling.node if row.metric.get(name)), "")
                if node and row.metric.get(label):
                    name = strip_port(node) if catalog.spelling.with_port else node
                    told.setdefault(name, set()).add(row.metric[label])
            texts = tuple(", ".join(sorted(each)) for each in told.values())
            yield FactsPart(fact, NamedKeys("node", tuple(told)), texts, at)
