"""One cell of `nvidia-smi`: a number in our unit, or why there is none; what is absent is told from what is broken.

Spellings: captured outputs of drivers 418 to 595, and NVIDIA's issue tracker for the faults.
"""

from __future__ import annotations

import math
import re
from enum import Enum

_NO_NUMBER = """n/a;-;none;not supported;not active;disabled;unknown;function not found;not found;no permissions;
insufficient permissions;requested functionality has been deprecated"""
ABSENT = frozenset(["", *(text.strip() for text in _NO_NUMBER.split(";"))])
FAULTS = ("unknown error", "gpu is lost", "gpu requires reset", "err!")
TRUE, FALSE = ("yes", "true", "active", "enabled"), ("no", "false", "not active", "disabled")
# NVML's codes, and the texts of several drivers.
RECOVERY_ACTIONS = {
    "none": 0,
    "reset": 1, "gpu reset": 1, "gpu reset required": 1,
    "reboot": 2, "node reboot": 2, "node reboot required": 2,
    "drain p2p": 3,
    "drain and reset": 4,
    "recover imex domain": 5,
}  # fmt: skip
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
NAN = math.nan


class Trouble(Enum):
    """Why a cell has no number."""

    ABSENT = "absent"
    FAULT = "fault"
    ODD = "odd"


def plain(cell: str) -> str:
    """Return a cell's text without brackets and outer white space."""
    text = " ".join(cell.split())
    return text[1:-1].strip() if text[:1] == "[" and text[-1:] == "]" else text


def read_number(cell: str) -> tuple[float, Trouble | None]:
    """Return (number without its unit, None), or (NaN, why there is none).

    Hexadecimal (`0x04`) and yes/no read as numbers; a text that is none of all that is odd.
    """
    text = plain(cell)
    low = text.lower()
    if any(fault in low for fault in FAULTS):
        return NAN, Trouble.FAULT
    if low in TRUE or low in ("no", "false"):
        return float(low in TRUE), None
    if low in ABSENT:
        return NAN, Trouble.ABSENT
    if low[:2] == "0x":
        try:
            return float(int(low, 16)), None
        except ValueError:
            return NAN, Trouble.ODD
    found = _NUMBER.match(low)
    if found is None:
        return NAN, Trouble.ODD
    number = float(found[0])
    return (number, None) if math.isfinite(number) else (NAN, Trouble.ODD)


def read_recovery(cell: str) -> tuple[float, Trouble | None]:
    """Return the code of a recovery action; a text that we do not know is not healthy: it is odd."""
    low = plain(cell).lower()
    if low in RECOVERY_ACTIONS:
        return float(RECOVERY_ACTIONS[low]), None
    number, trouble = read_number(cell)
    return (number, trouble) if trouble is not Trouble.ODD else (NAN, Trouble.ODD)
