"""Sites with random columns for properties of the core, and a judge that knows no columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.rollup import roll_up
from console.model.builtin_metrics import BUILTIN
from console.model.columns import Column, same_time
from tests.support.panels import NOW, site_frame

if TYPE_CHECKING:
    from console.model.snapshot import SiteFrame


def random_site(name: str, seed: int, *, stale: bool = False) -> SiteFrame:
    """Return a small site whose temperatures and utilisation are random integers, a fifth of them missing."""
    rng = np.random.default_rng(seed)
    frame = site_frame(name, stale=stale)
    columns, rollups = dict(frame.columns), dict(frame.rollups)
    for metric in ("temp_c", "util_pct"):
        values = rng.integers(0, 6, frame.topology.gpus).astype(np.float32)
        values[rng.random(len(values)) < 0.2] = np.nan
        columns[metric] = Column(metric, values, same_time(NOW - 1, len(values)), 30.0, "prometheus")
        rollups[metric] = roll_up(frame.topology, BUILTIN[metric], values)
    return replace(frame, columns=columns, rollups=rollups)
