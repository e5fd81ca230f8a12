"""The ways in which a whole `nvidia-smi` fails, from what it prints; the one GPU that hides the others is named."""

from __future__ import annotations

import re
from dataclasses import dataclass

from console.core.kernel_log import pci_key

TEXT_LIMIT = 200
_HANDLE = re.compile(
    r"Unable to determine the device handle for (?:GPU|gpu) ?(?P<pci>[\da-fA-F:]{10,14}\.\d):?\s*"
    r"(?P<why>[^\n.]{0,80})"
)
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_FIELD = re.compile(r'Field "(?P<field>[\w.]{1,80})" is not a valid field to query')
_MISMATCH = ("the driver was updated under it", "restart the node, or unload and load the driver")
_SILENT = ("no driver answers", "is the NVIDIA driver loaded? look at lsmod and dmesg")
_NO_GPU = ("the driver finds no GPU", "look at lspci and at the kernel log")
_NO_RIGHT = ("the user may not use the GPUs", "give the user access to /dev/nvidia*")
_ABSENT = ("nvidia-smi is not installed or not in PATH", "install the driver's tools, or set `command`")
_WHOLE = (
    ("driver/library version mismatch", *_MISMATCH),
    ("couldn't communicate with the nvidia driver", *_SILENT),
    ("no devices were found", *_NO_GPU),
    ("insufficient permissions", *_NO_RIGHT),
    ("failed to initialize nvml", "NVML does not start", "look at the kernel log; the driver may need a reset"),
    ("command not found", *_ABSENT),
    ("not found", *_ABSENT),
    ("no such file", *_ABSENT),
)
# What nvidia-smi prints for other questions, by what only that has in one of its lines (blanks folded).
_FORMS = (
    (re.compile(r"^=+NVSMI LOG=+$"), "the text of `nvidia-smi -q`"),
    (re.compile(r"^\| NVIDIA-SMI \S+ "), "the table of a bare `nvidia-smi`"),
    (re.compile(r"^# gpu pwr "), "`nvidia-smi dmon`"),
    (re.compile(r"^# gpu pid "), "`nvidia-smi pmon`"),
    (re.compile(r"GPU\d+ (?:GPU\d+ )*CPU Affinity NUMA Affinity"), "`nvidia-smi topo -m`"),
    (re.compile(r"^Link \d+: |[Nn][Vv]link (?:information|queries)|support Nvlink"), "`nvidia-smi nvlink -s`"),
    (re.compile(r"^GPU \d+: .* \(UUID: "), "the list of `nvidia-smi -L`"),
    (re.compile(r"^timestamp,.*\bretired_pages\."), "`nvidia-smi --query-retired-pages`"),
    (re.compile(r"^timestamp,.*\bprocess_name\b"), "`nvidia-smi --query-compute-apps`"),
    (re.compile(r"Please run 'nvidia-smi -h' for help"), "a complaint about nvidia-smi's arguments"),
)
_REPLACED = "is `command` a wrapper that drops or changes nvidia-smi's arguments?"
_CODES = {
    4: _NO_RIGHT,
    6: _NO_GPU,
    9: _SILENT,
    15: ("a GPU is lost", "restart the node to recover it"),
    18: _MISMATCH,
    126: ("nvidia-smi may not be run", "give the user the right to run it"),
    127: _ABSENT,
}


@dataclass(frozen=True, slots=True)
class SmiFailure:
    """Why there are no rows; `lost` is the PCI key of a GPU that is gone, `field` one that this driver has not."""

    message: str
    advice: str = ""
    lost: str = ""
    field: str = ""


def read_failure(text: str, code: int = 0) -> SmiFailure | None:
    """Return what output and exit code tell of a failure, None for output that tells of none.

    Exit codes are NVML's (nvidia-smi(1)); messages may wrap over lines.
    """
    flat = " ".join(text.split())
    found = _FIELD.search(flat)
    if found:
        return SmiFailure(f"this driver does not know the field {found['field']}", field=found["field"])
    found = _HANDLE.search(flat)
    if found:
        why = found["why"].strip() or "no handle"
        return SmiFailure(f"GPU {found['pci']}: {why}", "restart the node to recover it", lost=pci_key(found["pci"]))
    low = flat.lower()
    for sign, message, advice in _WHOLE:
        if sign in low:
            return SmiFailure(message, advice)
    if not code:
        return None
    message, advice = _CODES.get(code, (f"nvidia-smi ended with {code}", "run it on the node by hand"))
    return SmiFailure(f"{message}: {flat[:TEXT_LIMIT]}" if flat and code not in _CODES else message, advice)


def read_form(line: str) -> SmiFailure | None:
    """Return what a line tells of output that nobody asked for (a table, a list, other queries), None for nothing."""
    flat = " ".join(_STYLE.sub("", line[: TEXT_LIMIT * 10]).split())
    for sign, what in _FORMS:
        if sign.search(flat):
            return SmiFailure(f"it prints {what}, not the rows that were asked for", _REPLACED)
    return None
