"""The small files of a folder: `events.csv`, `truth.csv`, and alerts that somebody else raised."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.backtest.chunks import numbers, times
from console.backtest.csv_table import CsvTable
from console.backtest.keys import MOST_SLOT, clean_names, gpu_slot
from console.backtest.problems import Problems
from console.core.scoring.values import BacktestAlert, Fault
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.backtest.chunks import Chunk

NO = frozenset({"0", "no", "false", "none", "n"})
HARDWARE = ("site", "node", "gpu")
ALERT_COLUMNS = ("at", "site", "node", "gpu", "class", "probability_24h", "until")


@dataclass(frozen=True, slots=True)
class XidEvent:
    """One XID: when (UTC epoch seconds) and on what; `gpu` -1 where the record names the node alone."""

    at: float
    site: str
    node: str
    gpu: int
    xid: int


def read_events(path: Path) -> tuple[XidEvent, ...]:
    """Return the XIDs of `at,site,node,gpu,xid` in the order of time, none for a missing file; raises ConfigErrors."""
    found = []
    for chunk, problems in _chunks(path, ("at", *HARDWARE, "xid")):
        at, xids = times(chunk, "at", problems), numbers(chunk, "xid", problems, needed=True)
        for i in range(len(chunk)):
            if xids[i] < 0 or xids[i] != int(max(xids[i], 0)):
                problems.add(chunk.lines[i], "xid", f"{xids[i]:g} is no number of an XID")
        named = _hardware(chunk, problems)
        problems.check()
        found += [
            XidEvent(at, *each, int(xid)) for at, each, xid in zip(at.tolist(), named, xids.tolist(), strict=True)
        ]
    return tuple(sorted(found, key=lambda each: each.at))


def read_truth(path: Path) -> tuple[Fault, ...]:
    """Return the faults of `at,site,node,gpu,class,onset,precursor` in the order of time; raises ConfigErrors.

    An empty `gpu` is the whole node; `onset` and `precursor` may be empty, and their columns may be missing.
    """
    found = []
    for chunk, problems in _chunks(path, ("at", *HARDWARE, "class"), ("onset", "precursor")):
        at = times(chunk, "at", problems)
        onset = (
            times(chunk, "onset", problems, needed=False).tolist() if "onset" in chunk.cells else [math.nan] * len(at)
        )
        for line, begins, fails in zip(chunk.lines, onset, at.tolist(), strict=True):
            if begins > fails:
                problems.add(line, "onset", "the fault begins after it has come")
        said = chunk.texts("precursor") if "precursor" in chunk.cells else [""] * len(at)
        named, classes = _hardware(chunk, problems), _classes(chunk, problems)
        problems.check()
        for fails, each, name, begins, hint in zip(at.tolist(), named, classes, onset, said, strict=True):
            found.append(Fault(fails, *each, name, None if math.isnan(begins) else begins, _flag(hint)))
    return tuple(sorted(found, key=lambda each: each.at))


def read_alerts(path: Path) -> tuple[BacktestAlert, ...]:
    """Return alerts of `at,site,node,gpu,class,probability_24h,until`, whoever raised them; raises ConfigErrors.

    An empty `until` is `at`; an empty `probability_24h` is 1: an alert that does not say how sure it is says yes.
    """
    found = []
    for chunk, problems in _chunks(path, ALERT_COLUMNS):
        at, until = times(chunk, "at", problems), times(chunk, "until", problems, needed=False)
        sure = numbers(chunk, "probability_24h", problems)
        for i, line in enumerate(chunk.lines):
            if sure[i] < 0 or sure[i] > 1:
                problems.add(line, "probability_24h", f"{sure[i]:g} is no probability: 0 to 1 is")
            if until[i] < at[i]:
                problems.add(line, "until", "the alert ends before it begins")
        named, classes = _hardware(chunk, problems), _classes(chunk, problems)
        problems.check()
        for i, each in enumerate(named):
            probability = 1.0 if math.isnan(sure[i]) else float(sure[i])
            end = float(at[i] if math.isnan(until[i]) else until[i])
            found.append(BacktestAlert(float(at[i]), *each, classes[i], probability, end))
    return tuple(found)


def _chunks(path: Path, needed: tuple[str, ...], more: tuple[str, ...] = ()) -> Iterator[tuple[Chunk, Problems]]:
    if path.exists():
        table = CsvTable(path, needed)
        for chunk in table.chunks([*needed, *(name for name in more if name in table.columns)]):
            yield chunk, Problems(path)


def _hardware(chunk: Chunk, problems: Problems) -> list[tuple[str, str, int]]:
    found = []
    rows = zip(chunk.lines, *(chunk.texts(name) for name in HARDWARE), strict=True)
    for line, site, node, gpu in rows:
        slot = gpu_slot(gpu)
        site, node = clean_names(site, node)
        if not site:
            problems.add(line, "site", "the name of a site is needed here")
        if not node:
            problems.add(line, "node", "the name of a node is needed here")
        if slot is None:
            problems.add(line, "gpu", f"{gpu[:40]!r} is no index of a GPU (0 to {MOST_SLOT}; empty: the whole node)")
        found.append((site, node, -1 if slot is None else slot))
    return found


def _classes(chunk: Chunk, problems: Problems) -> list[str]:
    found = [each.strip() for each in chunk.texts("class")]
    for line, name in zip(chunk.lines, found, strict=True):
        if not name:
            problems.add(line, "class", "the class of the fault is needed here, such as hbm or thermal")
    return found


def _flag(text: str) -> bool | None:
    text = text.strip().lower()
    return None if not text else text not in NO
