"""What a source that sends columns, jobs and events knows of one object, as text: its record for those who look."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from console.model.columns import Values
    from console.model.events import Event
    from console.model.jobs import Job
    from console.model.ports import Subject
    from console.model.topology import SiteTopology

MOST_EVENTS = 50


def known_text(
    subject: Subject,
    topology: SiteTopology,
    columns: Mapping[str, tuple[str, Values]],
    jobs: Sequence[Job] = (),
    events: Iterable[Event] = (),
) -> str:
    """Return every value of a node or GPU, or every field of a job; empty where it is not known.

    `columns` are (level, values in the order of the topology) by metric.
    """
    if subject.job:
        job = next((each for each in jobs if each.id == subject.job), None)
        return "" if job is None else "\n".join(f"{field.name}={getattr(job, field.name)}" for field in fields(job))
    row = topology.node_row(subject.node)
    if row is None:
        return ""
    lines = [f"node={topology.nodes[row]}", *_rows(topology, Level.NODE, row, columns)]
    for gpu in range(*topology.span(Level.NODE, row, Level.GPU).indices(topology.gpus)):
        if subject.gpu in (-1, int(topology.gpu_slot[gpu])):
            lines.append(f"{topology.name(Level.GPU, gpu)} uuid={topology.uuid(gpu)} model={topology.gpu_model(gpu)}")
            lines += _rows(topology, Level.GPU, gpu, columns)
    path = subject.path if subject.gpu >= 0 else topology.path(Level.NODE, row)
    told = [each for each in events if each.path == path or each.path.startswith(f"{path}/")]
    lines += [f"event at={each.at:.3f} {each.kind} {each.path}: {each.text}" for each in told[-MOST_EVENTS:]]
    return "\n".join(lines)


def _rows(topology: SiteTopology, level: Level, row: int, columns: Mapping[str, tuple[str, Values]]) -> Iterator[str]:
    for name, (of, values) in sorted(columns.items()):
        if of == level.value and len(values) == topology.count(level) and not np.isnan(values[row]):
            yield f"  {name}={float(values[row]):.10g}"
