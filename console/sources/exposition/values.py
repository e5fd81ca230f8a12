"""Tells measurements from what exporters print in their place: blanks, infinities, samples from the future."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.columns import Times

# How busy a GPU's MIG instances are, 0..1: in MIG mode there is no utilisation of the GPU, and this stands for it.
MIG_ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
# DCGM's blanks (dcgm_structs.h): a base for each type, and four reasons above it. Old exporters print them.
# Beyond 64 bits, either way, nothing is a measurement.
BLANKS = (
    (2147483632.0, 2147483635.0),
    (140737488355328.0, 140737488355331.0),
    (9.2233720368547e18, np.inf),
    (-np.inf, -9.2233720368547e18),
)
# Exporters' clocks differ by seconds; more than this ahead of the reader is a wrong clock, not fresh data.
AHEAD_S = 30.0


def measured(values: NDArray[np.float64], at: Times, now: float) -> tuple[NDArray[np.float64], int]:
    """Return values with NaN for blanks, infinities and samples from after `now`, and how many of the last there are.

    The same array comes back where all are measurements.
    """
    bad = ~np.isfinite(values)
    for low, high in BLANKS:
        bad |= (values >= low) & (values <= high)
    ahead = at > now + AHEAD_S
    bad |= ahead
    return (np.where(bad, np.nan, values) if bad.any() else values), int(np.count_nonzero(ahead))
