"""What the workload asks of the GPUs at one moment: one value for each slot (0 is a free GPU, the others are jobs)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Signals:
    """What each slot asks for, float32[slots].

    `activity` is 0..1 of full electrical load, `tensor_ratio` a part of the activity, `context` 1 where a process
    holds the GPU.
    """

    activity: NDArray[np.float32]
    util_pct: NDArray[np.float32]
    tensor_ratio: NDArray[np.float32]
    context: NDArray[np.float32]
