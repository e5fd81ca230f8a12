"""What a Prometheus-compatible store has of one object now: every series of it, as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.sources.prometheus.promql import literal, quote, selector
from console.sources.prometheus.small import labelled_rows

if TYPE_CHECKING:
    from console.model.ports import Subject
    from console.sources.exposition.labels import Spelling
    from console.sources.exposition.who import Who
    from console.sources.prometheus.api import Api
    from console.sources.prometheus.small import LabelledRow

MOST_SERIES = 2000


async def record_of(api: Api, subject: Subject, spelling: Spelling, match: str, who: Who) -> str:
    """Return the series of a node or GPU with their newest values, 2,000 at most; raises SourceError."""
    matchers = matchers_of(subject, spelling)
    rows: list[LabelledRow] = []
    for matcher in matchers:
        body = await api.query(selector(*matcher, match))
        rows += labelled_rows(body.content, who)[0]
    lines = sorted({_written(row) for row in rows})
    more = [f"... and {len(lines) - MOST_SERIES:,} more series"] if len(lines) > MOST_SERIES else []
    return "\n".join([*lines[:MOST_SERIES], *more])


def matchers_of(subject: Subject, spelling: Spelling) -> list[tuple[str, ...]]:
    """Return the label matchers of a subject, each set a question: by UUID where it is known, else by the node."""
    if subject.job or not subject.node:
        return []
    if subject.uuid and spelling.uuid:
        return [(f"{spelling.uuid[0]}={quote(subject.uuid)}",)]
    names = "|".join(literal(name) for name in (subject.node, *subject.aliases))
    gpu = (f"{spelling.gpu[0]}={quote(str(subject.gpu))}",) if subject.gpu >= 0 and spelling.gpu else ()
    return [(f"{label}=~{quote(f'({names})([.:].*)?')}", *gpu) for label in spelling.node]


def _written(row: LabelledRow) -> str:
    labels = ", ".join(f"{name}={quote(value)}" for name, value in sorted(row.metric.items()) if name != "__name__")
    return f"{row.metric.get('__name__', '')}{{{labels}}} {row.value[1]:.10g} @{row.value[0]:.3f}"
