"""The grammar of kernel log lines that tell of GPU faults: XIDs, SXIDs of NVSwitches, GPUs off the bus.

Shapes: the printf formats of NVIDIA's open kernel modules (595.45.04, kernel_rc.c) and older drivers' lines; prefixes
of dmesg (plain, -T, --decode, iso), syslog, journald and raw /dev/kmsg records.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.model.levels import Severity
from console.model.values import dataclass
from console.model.xid import xid_of

if TYPE_CHECKING:
    from collections.abc import Callable

OFF_THE_BUS = 79
RECOVERY = 154
LINE_LIMIT = 2000
_PCI = r"(?:PCI:)?(?P<pci>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:?[0-9a-fA-F]{0,2}(?:\.[0-7])?)"
_XID = re.compile(
    rf"NVRM: Xid \({_PCI}(?: GPU-I:(?P<gi>\d+))?(?: GPU-CI:(?P<ci>\d+))?\): (?P<code>\d{{1,6}})(?:, *(?P<rest>.*))?$"
)
_SXID = re.compile(rf"nvidia-nvswitch(?P<switch>\d+): SXid \({_PCI}\): (?P<code>\d{{1,6}})(?:, *(?P<rest>.*))?$")
# The fabric manager's own words for an SXID, in its log and in the system's.
_FABRIC = re.compile(
    rf"detected NVSwitch (?P<rest>(?P<how>non-fatal|fatal) error (?P<code>\d{{1,6}}) on fid \d+ on NVSwitch "
    rf"pci bus id {_PCI} physical id (?P<switch>\d+) port (?P<port>\d+))"
)
_BUS = re.compile(
    rf"NVRM: (?:GPU|The NVIDIA GPU) {_PCI}\b.*?(?P<rest>(?:GPU )?has fallen off the bus|fallen off the bus.*)"
)
_UUID = re.compile(rf"NVRM: GPU at {_PCI}: (?P<uuid>GPU-[0-9a-fA-F-]{{36}})")
_PROCESS = re.compile(r"pid=(?P<pid>'<unknown>'|<unknown>|\d+)(?:, *|$)(?:name=(?P<name>.*?)(?:, +|$))?")
_ACTION = re.compile(r"changed from 0x[0-9a-f]+ \((?P<before>[^)]*)\) to 0x(?P<code>[0-9a-f]+) \((?P<after>[^)]*)\)")
_LINK = re.compile(r"^(?P<unit>\S+)\s+(?P<how>Fatal|Nonfatal)\s+\S+\s+i\d+\s+Link\s+(?P<link>-?\d+)")
_SWITCH_LINK = re.compile(r"\bLink (?P<link>\d+)\b")
_MONTHS = {"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * i : 3 * i + 3]: i + 1 for i in range(12)}
_ISO = re.compile(r"(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d))\s")
_EPOCH = re.compile(r"(?P<at>1\d{9}\.\d{3,9})\s")
_DATED = re.compile(r"\[?[A-Z][a-z]{2} (?P<day>[A-Z][a-z]{2} [ \d]\d) (?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})\]")
_FABRIC_DATED = re.compile(r"\[(?P<day>[A-Z][a-z]{2} [ \d]\d) (?P<year>\d{4}) (?P<clock>\d\d:\d\d:\d\d)\]")
_UPTIME = re.compile(r"\[\s*(?P<at>\d+\.\d+)\]")
_KMSG = re.compile(r"\d+,\d+,(?P<at>\d+),[^;]*;")
_SYSLOG = re.compile(r"(?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d)\s")
_RECOVERIES = {
    0: Severity.INFO,
    1: Severity.CRITICAL,
    2: Severity.CRITICAL,
    3: Severity.WARNING,
    4: Severity.CRITICAL,
    5: Severity.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class KernelFault:
    """One fault that a kernel log line tells of.

    `kind` is `xid` or `sxid`. `pci` is normalised (`0000:9b:00`, see `pci_key`). `at` is UTC epoch seconds, 0.0 where
    the line does not tell. `link` is -1 where no link is named; `instance` names a MIG instance (`gi.ci`).
    `recovery` is the recovery action that XID 154 changes to, -1 otherwise.
    """

    kind: str
    code: int
    pci: str
    text: str
    severity: Severity
    at: float = 0.0
    process: str = ""
    pid: int = 0
    unit: str = ""
    link: int = -1
    instance: str = ""
    recovery: int = -1
    switch: int = -1


def pci_key(text: str) -> str:
    """Return a PCI address as `0000:9b:00` in every spelling: domain of 4 digits where it fits, no function."""
    parts = text.strip().lower().removeprefix("pci:").partition(".")[0].split(":")
    if len(parts) == 2:
        parts.append("00") if len(parts[0]) > 2 else parts.insert(0, "0000")
    if len(parts) != 3:
        return ""
    domain, bus, device = parts
    return f"{domain.lstrip('0') or '0':>04}:{bus}:{device or '00'}"


def gpu_link(line: str) -> tuple[str, str] | None:
    """Return (PCI key, UUID) from the driver's line that joins them, else None."""
    found = _UUID.search(line[:LINE_LIMIT])
    return (pci_key(found["pci"]), found["uuid"]) if found else None


def read_line(line: str, *, boot_at: float = 0.0, now: float = 0.0, local_offset_s: float = 0.0) -> KernelFault | None:
    """Return the fault that a line tells of, None for any other line; malformed lines are other lines.

    Times that count from boot need `boot_at`; ones without a year need `now`; ones without a zone are `local_offset_s`
    ahead of UTC (all UTC epoch seconds or seconds).
    """
    line = line[:LINE_LIMIT].rstrip()
    for pattern, build in _BUILDERS:
        found = pattern.search(line)
        if found is not None:
            fault = build(found)
            at = line_time(line[: found.start()], boot_at, now, local_offset_s)
            return replace(fault, at=at) if fault else None
    return None


def _xid(found: re.Match[str]) -> KernelFault:
    code, rest = int(found["code"]), (found["rest"] or "").strip()
    pid, process = 0, ""
    taken = _PROCESS.match(rest)
    if taken:
        pid = int(taken["pid"]) if taken["pid"].isdigit() else 0
        process = "" if (taken["name"] or "") in ("", "<unknown>") else taken["name"]
        rest = rest[taken.end() :].strip()
    instance = ".".join(each for each in (found["gi"], found["ci"]) if each is not None)
    fault = KernelFault("xid", code, pci_key(found["pci"]), rest, xid_of(code).severity, 0.0, process, pid)
    return replace(_judged(fault), instance=instance)


def _judged(fault: KernelFault) -> KernelFault:
    """Return the fault with what its message says of link and severity (NVLink 5: 144 to 150; 154: the action)."""
    if fault.code == RECOVERY:
        change = _ACTION.search(fault.text)
        if change:
            code = int(change["code"], 16)
            return replace(fault, recovery=code, severity=_RECOVERIES.get(code, Severity.UNKNOWN))
    link = _LINK.match(fault.text)
    if link is None:
        return fault
    severity = Severity.CRITICAL if link["how"] == "Fatal" else Severity.WARNING
    return replace(fault, unit=link["unit"], link=int(link["link"]), severity=severity)


def _sxid(found: re.Match[str]) -> KernelFault:
    rest = (found["rest"] or "").strip()
    fatal = rest.lower().startswith("fatal")
    link = _SWITCH_LINK.search(rest)
    return KernelFault(
        "sxid",
        int(found["code"]),
        pci_key(found["pci"]),
        rest,
        Severity.CRITICAL if fatal else Severity.WARNING,
        link=int(link["link"]) if link else -1,
        switch=int(found["switch"]),
    )


def _bus(found: re.Match[str]) -> KernelFault:
    return KernelFault("xid", OFF_THE_BUS, pci_key(found["pci"]), "GPU has fallen off the bus", Severity.CRITICAL)


def _fabric(found: re.Match[str]) -> KernelFault:
    return KernelFault(
        "sxid",
        int(found["code"]),
        pci_key(found["pci"]),
        found["rest"],
        Severity.CRITICAL if found["how"] == "fatal" else Severity.WARNING,
        link=int(found["port"]),
        switch=int(found["switch"]),
    )


_BUILDERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], KernelFault]], ...] = (
    (_XID, _xid),
    (_SXID, _sxid),
    (_BUS, _bus),
    (_FABRIC, _fabric),
)


def line_time(prefix: str, boot_at: float, now: float, local_offset_s: float) -> float:
    """Return when, from what stands before the message; 0.0 if it does not tell."""
    found = _EPOCH.search(prefix)
    if found:
        return float(found["at"])
    found = _ISO.search(prefix)
    if found:
        return _iso(found["at"])
    dated = _DATED.search(prefix) or _FABRIC_DATED.search(prefix)
    if dated:
        return _local(f"{dated['day']} {dated['clock']}", int(dated["year"]), local_offset_s)
    since_boot = _UPTIME.search(prefix)
    kmsg = _KMSG.search(prefix)
    if boot_at and (since_boot or kmsg):
        return boot_at + (float(since_boot["at"]) if since_boot else float(kmsg["at"]) / 1e6 if kmsg else 0.0)
    found = _SYSLOG.search(prefix)
    return _yearless(found, now, local_offset_s) if found and now else 0.0


def _iso(text: str) -> float:
    try:
        return datetime.fromisoformat(text.replace(",", ".")).timestamp()
    except ValueError:
        return 0.0


def _local(text: str, year: int, offset_s: float) -> float:
    month, day, clock = text.split()
    try:
        hour, minute, second = map(int, clock.split(":"))
        return datetime(year, _MONTHS[month], int(day), hour, minute, second, tzinfo=UTC).timestamp() - offset_s
    except (KeyError, ValueError):
        return 0.0


def _yearless(found: re.Match[str], now: float, offset_s: float) -> float:
    """Return a syslog time in the year that puts it nearest before `now` (a day ahead is allowed for clocks)."""
    year = datetime.fromtimestamp(now, UTC).year
    text = f"{found['month']} {found['day']} {found['clock']}"
    at = _local(text, year, offset_s)
    return at if at <= now + 86_400 else _local(text, year - 1, offset_s)
