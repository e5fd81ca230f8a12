"""What a check says to a reader, and which jobs its matches hit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from console.core.disagreements.kinds import is_counted
from console.model.levels import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.disagreements import Disagreements
    from console.model.events import CheckSpec
    from console.model.snapshot import SiteFrame


def words(spec: CheckSpec, matches: int, unknown: int, expected: int) -> str:
    """Return such as `3 GPUs of 400,000: temp_c > 87`; the check's title stands for its condition."""
    what = spec.title or spec.where
    if not expected:
        return f"no {_noun(spec.level, 1)} is known yet: {what}"
    if unknown == expected:
        return f"{_all_of(spec.level, expected)} can be judged: {what}"
    found = f"{matches:,} {_noun(spec.level, matches)} of {expected:,}: {what}" if matches else _none(spec, expected)
    return f"{found}; {unknown:,} not judged" if unknown else found


def _none(spec: CheckSpec, expected: int) -> str:
    return f"no {_noun(spec.level, 1)} of {expected:,}: {spec.title or spec.where}"


def _all_of(level: Level, expected: int) -> str:
    return f"none of {expected:,} {_noun(level, expected)}"


def _noun(level: Level, count: int) -> str:
    name = "GPU" if level is Level.GPU else level.value
    return name if count == 1 else f"{name}s"


def disagreement_words(found: Disagreements, nodes: int) -> str:
    """Return such as `3 disagreements on 2 of 400 nodes: gpu-count 1, gpus-silent 2; 8 nodes not judged`.

    What is only worth knowing is left out.
    """
    if not nodes:
        return "no node is known yet"
    if not found.at:
        return "the voices of the nodes have not been compared yet"
    if found.unjudged == nodes and not found.total:
        return f"{_all_of(Level.NODE, nodes)} can be judged: a voice that it takes is silent or stale"
    what = "disagreement" if found.total == 1 else "disagreements"
    told = ", ".join(f"{kind} {count:,}" for kind, count in found.counts.items() if is_counted(kind))
    text = f"{found.total:,} {what} on {found.disputed:,} of {nodes:,} {_noun(Level.NODE, nodes)}: {told}"
    text = text if found.total else f"no disagreement on {nodes:,} {_noun(Level.NODE, nodes)}"
    return f"{text}; {found.unjudged:,} not judged" if found.unjudged else text


def jobs_on(site: SiteFrame, true: NDArray[np.bool_], level: Level) -> Counter[str]:
    """Return the jobs on the GPUs of what matches at a site by name, and on how many such GPUs each is."""
    jobs = site.jobs
    if len(jobs.gpu_job) != site.topology.gpus or not true.any():
        return Counter()
    gpus = true if level is Level.GPU else true[site.topology.parents(Level.GPU, level)]
    rows, counts = np.unique(jobs.gpu_job[gpus], return_counts=True)
    pairs = zip(rows.tolist(), counts.tolist(), strict=True)
    found: Counter[str] = Counter()
    for row, count in pairs:
        if 0 <= row < len(jobs.rows):
            found[jobs.rows[row].name] += count
    return found


def most_hit(jobs: Counter[str], limit: int) -> tuple[str, ...]:
    """Return the names of the jobs that are hit, those with most such GPUs first."""
    return tuple(name for name, _ in sorted(jobs.items(), key=lambda pair: (-pair[1], pair[0]))[:limit])
