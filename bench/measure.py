"""Measures: medians of several runs, whole processes by the operating system's own accounting, the machine's name."""

from __future__ import annotations

import gc
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Figure:
    """One row of the table: a value beside its reference, both measured in this run.

    `ratio` is value / reference; `must` is the highest ratio (or value, where there is no reference) that reaches the
    goal; None where nothing was promised. `columns` make it a row of the side-by-side table, by their titles, instead.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    reference_name: str = ""
    must: float | None = None
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Value over reference."""
        return None if not self.reference else self.value / self.reference

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.must is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.must

    def as_json(self) -> dict[str, Any]:
        """Return the figure with its ratio, JSON-safe: what was not measured is null."""
        value = None if math.isnan(self.value) else self.value
        return {**asdict(self), "value": value, "ratio": self.ratio, "reached": self.reached}


def seconds(function: Callable[[], object], runs: int) -> float:
    """Return the median wall time of a call."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    ascending = sorted(values)
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


def process(command: Sequence[str], **more: Any) -> tuple[float, float]:
    """Run a command to its end; return (wall seconds, user + system seconds). Raises if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, **more)
    wall_s = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def alternately(commands: Sequence[Sequence[str]], runs: int, **more: Any) -> list[list[float]]:
    """Return the wall times of several commands run in turn, so that a drifting machine touches all alike."""
    times: list[list[float]] = [[] for _ in commands]
    for _ in range(runs):
        for number, command in enumerate(commands):
            times[number].append(process(command, **more)[0])
    return times


def in_turns(ours: Callable[[], object], reference: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the median seconds of two calls made in turn, after a call of each to warm it."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for each, function in zip(times, (ours, reference), strict=True):
            gc.collect()
            started = time.perf_counter()
            function()
            if number:
                each.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def rss_bytes(pid: int | None = None) -> int:
    """Return the resident memory of a process (this one by default)."""
    import psutil

    return int(psutil.Process(pid).memory_info().rss)


def float32_add_s(length: int, runs: int = 51) -> float:
    """Return the median time of one float32 add over `length` values: the unit that array work is measured in."""
    import numpy as np

    a, b = np.ones(length, dtype=np.float32), np.ones(length, dtype=np.float32)
    out = np.empty_like(a)
    np.add(a, b, out=out)
    return seconds(lambda: np.add(a, b, out=out), runs)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    import numpy as np

    return {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load average": round(os.getloadavg()[0], 1),
        "scheduled as": "real time, before other work" if os.sched_getscheduler(0) else "usual",
    }
