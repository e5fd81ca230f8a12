"""Turns one node's kernel log into events: storms are folded, PCI addresses become GPUs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.kernel_log import RECOVERY, gpu_link, read_line
from console.core.kernel_signs import read_sign, worth_reading
from console.model.events import Event
from console.model.xid import xid_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.core.kernel_log import KernelFault
    from console.core.kernel_signs import KernelSign
    from console.model.levels import Severity

# 13 gives about six lines a fault, 119 comes again every 6 s: what repeats within a minute is one event.
WINDOW_S = 60.0
MOST_GROUPS = 512
# The last XID of a GPU is told for so long, as exporters tell it until the driver is loaded anew.
LAST_XID_S = 86_400.0
TEXT_LIMIT = 240


class FaultLog:
    """The kernel log of one node; `slots` maps PCI keys to GPU indices and may be told or learned later.

    Events of a GPU have the path `SITE/NODE/gN`, or `SITE/NODE/GPU-...` where its UUID alone is known. The first line
    of a fault is an event at once; the same fault (GPU, code, link, recovery action) is silent for a minute after its
    last event, and the next event says how often it came meanwhile. At most 512 of anything are kept.
    """

    def __init__(self, site: str, node: str, source: str) -> None:
        self._site, self._node, self._source = site, node, source
        self._groups: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()
        self.slots: Mapping[str, int] = {}
        self.uuids: dict[str, str] = {}
        self._last: dict[str, tuple[int, float]] = {}

    def last_xid(self, pci: str, now: float) -> int:
        """Return the last XID of a GPU (PCI key) within a day, 0 if there was none; 154 only tells of another one."""
        code, at = self._last.get(pci, (0, 0.0))
        return code if now - at < LAST_XID_S else 0

    def feed(
        self, line: str, received_at: float, *, boot_at: float = 0.0, local_offset_s: float = 0.0, at: float = 0.0
    ) -> Event | None:
        """Return the event that a line makes, None for most lines.

        `at` is when it was written, where somebody knows that better than the line; a line without a time has
        `received_at`.
        """
        if not worth_reading(line):
            return None
        joined = gpu_link(line)
        if joined is not None:
            if len(self.uuids) < MOST_GROUPS:
                self.uuids[joined[0]] = joined[1]
            return None
        fault = read_line(line, boot_at=boot_at, now=received_at, local_offset_s=local_offset_s)
        if fault is not None:
            return self.take(replace(fault, at=at or fault.at), received_at)
        sign = read_sign(line, boot_at=boot_at, now=received_at, local_offset_s=local_offset_s)
        return None if sign is None else self.take_sign(replace(sign, at=at or sign.at), received_at)

    def take(self, fault: KernelFault, received_at: float) -> Event | None:
        """Return the event of a fault, None if it belongs to one that was told."""
        at = _past(fault.at, received_at)
        if fault.kind == "xid" and fault.code != RECOVERY and len(self._last) < MOST_GROUPS:
            self._last[fault.pci] = (fault.code, at)
        key = (fault.kind, fault.pci, fault.code, fault.recovery, fault.switch)
        return self._once(key, at, self._path(fault), fault.kind, fault.severity, describe(fault))

    def take_sign(self, sign: KernelSign, received_at: float) -> Event | None:
        """Return the event of a sign of the node, None if it belongs to one that was told."""
        at, where = _past(sign.at, received_at), f"{self._site}/{self._node}"
        return self._once((sign.kind, sign.about), at, where, sign.kind, sign.severity, sign.text)

    def _once(
        self, key: tuple[object, ...], at: float, path: str, kind: str, severity: Severity, text: str
    ) -> Event | None:
        told_at, silent = self._groups.get(key, (0.0, 0))
        if told_at and 0 <= at - told_at < WINDOW_S:
            self._groups[key] = (told_at, silent + 1)
            return None
        self._groups[key] = (at, 0)
        self._groups.move_to_end(key)
        while len(self._groups) > MOST_GROUPS:
            self._groups.popitem(last=False)
        more = f" (came {silent} more times)" if silent else ""
        return Event(at, self._site, path, kind, severity, (text + more)[:TEXT_LIMIT], self._source)

    def _path(self, fault: KernelFault) -> str:
        """Return the GPU's address by its slot, else by the UUID that the driver told, else the node's."""
        where = f"{self._site}/{self._node}"
        if fault.kind != "xid":
            return where
        slot = self.slots.get(fault.pci, -1)
        name = f"g{slot}" if slot >= 0 else self.uuids.get(fault.pci, "")
        return f"{where}/{name}" if name else where


def _past(at: float, received_at: float) -> float:
    """Return when it was: a clock that runs ahead must not put an event into the future."""
    return min(at, received_at) if at else received_at


def describe(fault: KernelFault) -> str:
    """Return a fault in one line of plain words."""
    if fault.kind == "sxid":
        return f"SXID {fault.code} on NVSwitch {fault.switch} ({fault.pci}): {fault.text}"
    xid = xid_of(fault.code)
    process = f" by {fault.process}" if fault.process else ""
    said = f": {fault.text}" if fault.text and fault.text.rstrip(".") != xid.meaning else ""
    return f"XID {fault.code} {xid.meaning}{process} ({fault.pci}){said}; {xid.advice}"
