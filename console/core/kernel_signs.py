"""Kernel log lines, beside those of GPU faults, that tell why a job ended: memory, links, storage, hangs, restarts.

Shapes: the printk formats of Linux 4.18 to 6.8 (mm/oom_kill.c, kernel/hung_task.c, drivers/nvme, net, pci/pcie/aer.c,
fs/ext4, xfs, nfs), of Lustre, mlx5 and NVIDIA's driver.
"""

from __future__ import annotations

import re

from console.core.kernel_log import LINE_LIMIT, line_time
from console.model.levels import Severity
from console.model.values import dataclass

TEXT_LIMIT = 200
_CRITICAL, _WARNING, _INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True)
class KernelSign:
    """One thing that a kernel log line tells of.

    `kind` is `oom`, `link`, `storage`, `pcie`, `hardware`, `hang`, `crash`, `panic`, `thermal`, `driver` or `boot`.
    `about` is what it is about (a process id, a device), which tells its repetitions; `at` is UTC epoch seconds, 0.0
    where the line does not tell.
    """

    kind: str
    severity: Severity
    about: str
    text: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sign:
    """A kind of line: it holds one of `words` and matches `pattern`, which may name what it is about."""

    kind: str
    severity: Severity
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    says: str = ""


def _sign(kind: str, severity: Severity, words: str | tuple[str, ...], pattern: str, says: str = "") -> _Sign:
    return _Sign(kind, severity, (words,) if isinstance(words, str) else words, re.compile(pattern), says)


_DEVICE = r"(?P<about>[\w:.\-]+)"
_SIGNS = (
    _sign("oom", _CRITICAL, "oom-kill:", r"oom-kill:constraint=\S*?task=[^,]*,pid=(?P<about>\d+)"),
    _sign("oom", _CRITICAL, "ut of memory: Kill", r"[Oo]ut of memory: Kill(?:ed)? process (?P<about>\d+) \("),
    _sign("panic", _CRITICAL, "Kernel panic", r"Kernel panic - not syncing"),
    _sign("hang", _CRITICAL, "lockup", r"BUG: soft lockup - (?P<about>CPU#\d+) stuck"),
    _sign("hang", _CRITICAL, "hard LOCKUP", r"detected hard LOCKUP on (?P<about>cpu \d+)"),
    _sign("hang", _WARNING, "blocked for more than",
          r"INFO: task (?P<about>.{1,80}?:\d+) blocked for more than \d+ sec"),
    _sign("hang", _WARNING, "detected stall", r"rcu:? .*detected stalls? on (?P<about>CPU\w*)"),
    _sign("crash", _WARNING, "segfault at", r"(?P<about>[^\s;]{1,64}\[\d+\]): segfault at "),
    _sign("crash", _WARNING, "general protection", r"(?P<about>[^\s;]{1,64}\[\d+\])?:? ?general protection fault"),
    _sign("hardware", _CRITICAL, "[Hardware Error]", r"\[Hardware Error\]: event severity: (?P<about>fatal)"),
    _sign("hardware", _WARNING, ("Machine check", "Machine Check"), r"Machine [Cc]heck (?:events logged|Exception)"),
    _sign("hardware", _CRITICAL, "EDAC", r"EDAC (?P<about>\w+): \d+ UE "),
    _sign("pcie", _CRITICAL, "AER:", rf"{_DEVICE}: AER: .*(?:Uncorrect\w+ \(Fatal\)|\(Fatal\) error)"),
    _sign("pcie", _WARNING, "AER:", rf"{_DEVICE}: AER: .*Uncorrect\w+ \(Non-Fatal\)"),
    _sign("pcie", _CRITICAL, "pciehp", r"pciehp: (?P<about>Slot\([^)]*\)): (?:Link Down|Card not present)"),
    _sign("link", _CRITICAL, "health compromised", rf"mlx5_core {_DEVICE}.*health compromised"),
    _sign("link", _CRITICAL, "able unplugged", rf"{_DEVICE}: Port module event.*[Cc]able unplugged"),
    _sign("link", _WARNING, "link status definitely down",
          r"\(slave (?P<about>[\w.\-]+)\): link status definitely down"),
    _sign("link", _WARNING, ("ink down", "ink DOWN", "ink is Down", "ink is down"),
          rf"{_DEVICE}:? (?:Port:? ?\d+ |NIC |NIC Copper )?[Ll]ink (?:is )?(?:[Dd]own|DOWN)\b"),
    _sign("storage", _CRITICAL, "I/O error", rf"I/O error(?:,| on) dev(?:ice)? {_DEVICE}"),
    _sign("storage", _CRITICAL, ("medium error", "target error"), rf"critical (?:medium|target) error, dev {_DEVICE}"),
    _sign("storage", _CRITICAL, "nvme nvme",
          r"(?P<about>nvme\d+): (?:controller is down|Removing after probe failure|Disabling device)"),
    _sign("storage", _WARNING, "nvme nvme", r"(?P<about>nvme\d+): I/O .*timeout"),
    _sign("storage", _CRITICAL, "EXT4-fs", rf"EXT4-fs (?:error|\S+: error) \(device {_DEVICE}\)"),
    _sign("storage", _CRITICAL, "emounting filesystem read-only",
          r"\((?P<about>[\w\-]+)\): [Rr]emounting filesystem read-only"),
    _sign("storage", _CRITICAL, "XFS (",
          rf"XFS \({_DEVICE}\): .*(?:[Ss]hut(?:ting)? down|[Cc]orruption|metadata I/O error)"),
    _sign("storage", _WARNING, "not responding", r"nfs:? (?:server )?(?P<about>\S+) not responding"),
    _sign("storage", _WARNING, "LustreError", r"LustreError: (?:[\d:\-]+\S* )?(?P<about>\S+)"),
    _sign("storage", _WARNING, "was lost", r"Lustre: (?P<about>[^:]+): Connection to \S+ .*was lost"),
    _sign("storage", _WARNING, ("libceph", "ceph:"),
          r"(?:lib)?ceph: (?P<about>(?:mds|osd|mon)\d+).*(?:hung|down|socket closed|caps (?:stale|went))"),
    _sign("thermal", _WARNING, "above threshold", r"(?P<about>CPU\d+): (?:Core|Package) temperature above threshold"),
    _sign("driver", _CRITICAL, "RmInitAdapter", r"NVRM: .*RmInitAdapter failed"),
    _sign("driver", _CRITICAL, "API mismatch", r"NVRM: API mismatch"),
    _sign("driver", _INFO, "NVRM: loading", r"NVRM: loading NVIDIA .*Kernel Module", "the NVIDIA driver was loaded"),
    _sign("boot", _WARNING, "Linux version",
          r"(?:^|[:;\]] ?|\d )Linux version \d+\.\d+.*\((?:gcc|\S+@)", "the node started"),
    _sign("boot", _WARNING, "reboot:", r"reboot: (?:Restarting system|Power down|System halted)", "the node went down"),
)  # fmt: skip

FAULT_WORDS = ("NVRM: ", "SXid (", "detected NVSwitch ")
WORDS = tuple(dict.fromkeys((*FAULT_WORDS, *(word for sign in _SIGNS for word in sign.words))))
"""Any line that tells of something holds one of these, as it stands: what a log store can be asked for."""

_WORTH = re.compile("|".join(map(re.escape, WORDS)))
_JOB = re.compile(r"/job_(?P<job>\d+)")
_TASK = re.compile(r"\btask=(?P<task>[^,]*),pid=(?P<pid>\d+)")


def worth_reading(line: str) -> bool:
    """Return whether a line may tell of anything: quick, and never wrong where it says no."""
    return _WORTH.search(line, 0, LINE_LIMIT) is not None


def read_sign(line: str, *, boot_at: float = 0.0, now: float = 0.0, local_offset_s: float = 0.0) -> KernelSign | None:
    """Return what a line tells of, None for any other line; times as in `kernel_log.read_line`."""
    line = line[:LINE_LIMIT].rstrip()
    for sign in _SIGNS:
        if not any(word in line for word in sign.words):
            continue
        found = sign.pattern.search(line)
        if found is not None:
            start = found.start()
            about = (found.groupdict().get("about") or "").strip(" :")
            at = line_time(line[:start], boot_at, now, local_offset_s)
            return KernelSign(sign.kind, sign.severity, about, _text(sign, line[start:].lstrip("]: ;")), at)
    return None


def _text(sign: _Sign, said: str) -> str:
    if sign.kind == "oom" and said.startswith("oom-kill:"):
        task, job = _TASK.search(said), _JOB.search(said)
        of = f" of job {job['job']}" if job else ""
        name, pid = (task["task"], task["pid"]) if task else ("a process", "?")
        limit = "its memory limit" if "CONSTRAINT_MEMCG" in said else "the node's memory"
        return f"{name} (pid {pid}){of} was killed: {limit} was used up"
    return (f"{sign.says}: {said}" if sign.says else said)[:TEXT_LIMIT]
