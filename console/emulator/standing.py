"""What is already broken or worn when a world begins: parts under repair, and counters that have run for months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.emulator.fault_kinds import FAULTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.emulator.chance import Chance
    from console.emulator.faults import Faults
    from console.emulator.ledger import Ledger

# Parts of all GPUs; repairs wait for a technician, so that more is broken than rate times repair time.
BACKLOG = {
    "gpu-off-bus": 1.2e-4,
    "node-crash": 4.0e-5,
    "thermal-interface": 1.2e-4,
    "nvlink-error": 3.0e-5,
    "hbm-uncorrectable": 3.0e-5,
    "gsp-timeout": 1.0e-5,
}
CORRECTED, REMAPPED, PENDING = 0.045, 0.006, 1.0e-4
REPLAYS, LINK_ERRORS, NARROW = 0.004, 0.0008, 3.0e-5
APPLICATION_XIDS = {31: 2.5e-4, 13: 1.5e-4, 43: 2.0e-4, 45: 1.0e-4}


def break_standing(faults: Faults, now: float, gpus: int, scale: float, rng: Chance) -> None:
    """Break what is broken at the start; nothing at scale 0."""
    for kind in FAULTS:
        for _ in range(rng.poisson(BACKLOG.get(kind.name, 0.0) * gpus * scale)):
            faults.strike(kind, now, quietly=True)
    faults.sort_events()


def wear(ledger: Ledger, gpus: int, scale: float, rng: Chance) -> None:
    """Set the counters that old age has moved; nothing at scale 0."""
    if scale <= 0:
        return

    def some(part: float) -> NDArray[np.intp]:
        return rng.rows(gpus, part)

    def heavy(rows: NDArray[np.intp], sigma: float) -> NDArray[np.float64]:
        values: NDArray[np.float64] = np.ceil(np.exp(sigma * rng.normals(len(rows)).astype(np.float64)))
        return values

    for name, part, sigma in (
        ("ecc_sbe", CORRECTED, 1.8),
        ("remapped_rows", REMAPPED, 0.6),
        ("pcie_replays", REPLAYS, 2.0),
        ("nvlink_errors", LINK_ERRORS, 2.0),
    ):
        rows = some(part)
        ledger.set(name, rows, heavy(rows, sigma))
    ledger.set("remap_pending", some(PENDING), 1)
    ledger.set("pcie_width", some(NARROW), 8)
    for xid, part in APPLICATION_XIDS.items():
        ledger.set("xid", some(part), xid)
