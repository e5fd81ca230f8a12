"""A small fleet in every state that a panel may meet, and a way to load a built-in plugin as the host does."""

from __future__ import annotations

import importlib
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.incident_book import IncidentBook
from console.core.signs import heard_sites, signs_of
from console.model.builtin_metrics import BUILTIN
from console.model.columns import Column, same_time
from console.model.events import CheckResult
from console.model.jobs import Job, Jobs, JobState
from console.model.levels import SITE_LEVELS, Level, Severity
from console.model.snapshot import Frame, RollUps, SiteFrame, Snapshot, SourceState, SourceStatus, Unjoined
from console.model.topology import Domain, SiteTopology
from console.model.views import HeatMap, Plot, Split, Table, Text, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.model.ports import Panel
    from console.model.views import View

NOW = 1_800_000_000.0
HALLS, RACKS, NODES, GPUS = 2, 3, 4, 8
ROOT = Path(__file__).resolve().parents[2]


def load_panel(plugin: str) -> Panel:
    """Return the `panel:PANEL` of a built-in plugin, imported by path under `gigadeck_plugins`."""
    parent = sys.modules.setdefault("gigadeck_plugins", types.ModuleType("gigadeck_plugins"))
    parent.__dict__.setdefault("__path__", [])
    name = f"gigadeck_plugins.{plugin}"
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__path__ = [str(ROOT / "plugins" / plugin)]
        sys.modules[name] = package
    panel: Panel = importlib.import_module(f"{name}.panel").PANEL
    return panel


def topology(site: str, node_prefix: str = "n", halls: int = HALLS) -> SiteTopology:
    """Return 2 halls of 3 racks of 4 nodes of 8 GPUs, with one CDU a rack."""
    racks, nodes = halls * RACKS, halls * RACKS * NODES
    step = np.arange(racks + 1, dtype=np.int32)
    return SiteTopology(
        site=site,
        version=1,
        halls=tuple(f"h{i + 1}" for i in range(halls)),
        racks=tuple(f"r{i + 1:03}" for i in range(racks)),
        nodes=tuple(f"{node_prefix}{i + 1:04}" for i in range(nodes)),
        hall_racks=np.arange(halls + 1, dtype=np.int32) * RACKS,
        rack_nodes=step * NODES,
        node_gpus=np.arange(nodes + 1, dtype=np.int32) * GPUS,
        gpu_slot=np.tile(np.arange(GPUS, dtype=np.uint8), nodes),
        uuid_high=np.arange(1, nodes * GPUS + 1, dtype=np.uint64),
        uuid_low=np.ones(nodes * GPUS, dtype=np.uint64),
        models=("NVIDIA H100 80GB HBM3",),
        model_code=np.zeros(nodes * GPUS, dtype=np.uint8),
        domains={
            "cdu": Domain(
                "cdu", tuple(f"c{i}" for i in step[:-1]), Level.NODE, np.arange(nodes, dtype=np.int32), step * NODES
            )
        },
        serials=tuple(f"S{i:05}" for i in range(nodes)),
        declared=True,
    )


def site_frame(
    name: str, *, age_s: float = 1.0, stale: bool = False, hot: int = -1, gone: int = 0, node_prefix: str = "n"
) -> SiteFrame:
    """Return a site at 60 C and 500 W; `hot` is a GPU row at 95 C; the last `gone` GPUs report nothing."""
    topo = topology(name, node_prefix)
    at = NOW - age_s if age_s else 0.0
    values = {"temp_c": 60.0, "power_w": 500.0, "util_pct": 90.0, "sm_active_ratio": 0.5}
    columns = {metric: _column(metric, topo.gpus, value, at, gone) for metric, value in values.items()}
    if hot >= 0:
        columns["temp_c"].values[hot] = 95.0
    rollups = {metric: _rolled(topo, column) for metric, column in columns.items()}
    it = Column("it_power_w", np.array([1e8], dtype=np.float32), same_time(at, 1), 30.0, "facility")
    reporting = (np.arange(topo.gpus) < topo.gpus - gone) & (not stale)
    jobs = Jobs(
        (Job("7", "llm-7", "ada", JobState.RUNNING, 16, 2),),
        np.where(np.arange(topo.gpus) < 16, 0, -1).astype(np.int32),
        at,
        "slurm",
    )
    return SiteFrame(topo, {**columns, "it_power_w": it}, rollups, reporting, jobs, (), at, stale)


def _column(metric: str, length: int, value: float, at: float, gone: int) -> Column:
    values = np.full(length, value, dtype=np.float32)
    values[length - gone :] = np.nan
    return Column(metric, values, same_time(at, length), 30.0, "prometheus")


def _rolled(topo: SiteTopology, column: Column) -> RollUps:
    counts, sums, maxima = {}, {}, {}
    for level in SITE_LEVELS[:-1]:
        starts = topo.starts(level, Level.GPU)[:-1]
        counts[level] = np.add.reduceat((~np.isnan(column.values)).astype(np.int32), starts)
        sums[level] = np.add.reduceat(np.nan_to_num(column.values), starts).astype(np.float32)
        maxima[level] = np.fmax.reduceat(column.values, starts)
    return RollUps(column.metric, counts, sums, maxima)


def check(name: str, severity: Severity, matches: int = 0, **more: Any) -> CheckResult:
    """Return a check of GPUs, in this state for ten minutes."""
    paths = tuple(more.pop("paths", ()))
    text = more.pop("text", f"{name} {severity.value}")
    return CheckResult(name, severity, matches, more.pop("unknown", 0), 384, NOW - 600, paths, text, **more)


def source(site: str, name: str, state: SourceState = SourceState.OK, **more: Any) -> SourceStatus:
    """Return an endpoint that was read a second ago."""
    more.setdefault("data_at", NOW - 1)
    return SourceStatus(
        site, name, "prometheus", f"https://{name}.{site}.example", state, NOW - 100, 15.0, 60.0, **more
    )


def snapshot(sites: Sequence[SiteFrame] = (), **more: Any) -> Snapshot:
    """Return a snapshot of these sites at NOW."""
    return with_incidents(Snapshot(7, Frame(NOW, "europe", BUILTIN, tuple(sites)), **more))


def with_incidents(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with what a memory that begins now makes of its signs."""
    book = IncidentBook(snapshot.incidents)
    return replace(snapshot, incidents=book.update(signs_of(snapshot), snapshot.at, heard_sites(snapshot)))


def normal() -> Snapshot:
    """Return two sites, one hot GPU at muc1, eight GPUs gone at bcn1, three checks and two sources."""
    hot = "muc1/h1/r002/n0006/g3"
    return snapshot(
        (site_frame("muc1", hot=43), site_frame("bcn1", gone=8)),
        checks=(
            check("ecc", Severity.OK),
            check("cool", Severity.WARNING, 40, by_site=(("bcn1", 40, 0),), level=Level.GPU),
            check("hot", Severity.CRITICAL, 1, paths=(hot,), by_site=(("muc1", 1, 0), ("bcn1", 0, 8)), jobs=("llm-7",)),
        ),
        sources=(source("muc1", "prom"), source("bcn1", "prom", SourceState.FAILING, last_error="bcn1/prom: refused")),
    )


def stale() -> Snapshot:
    """Return muc1 live and hel1 stale for 41 s."""
    return snapshot((site_frame("muc1"), site_frame("hel1", age_s=41, stale=True)))


def hostile() -> Snapshot:
    """Return names made of escape sequences, markup, bidi overrides and 300 characters."""
    evil = "\x1b[31m[bold]\u202egpu\r\n" + "x" * 300
    site = site_frame("muc1", node_prefix=f"n{evil}")
    return snapshot(
        (site_frame(f"s{evil}"), site),
        checks=(check(evil, Severity.CRITICAL, 3, text=evil, by_site=((f"s{evil}", 3, 0),), jobs=(evil,)),),
        sources=(source("muc1", evil, SourceState.FAILING, last_error=evil, warnings=(evil,), notes={evil: evil}),),
    )


def with_unjoined(site: SiteFrame, names: tuple[str, ...]) -> SiteFrame:
    """Return the site with names that lead to no node."""
    return SiteFrame(**{**site.__dict__, "unjoined": (Unjoined("prom", names, len(names)),)})


def flat(view: View) -> Iterator[Table | HeatMap | Plot | Text | Tree]:
    """Yield the views inside a view, in reading order."""
    if isinstance(view, Split):
        for part in view.parts:
            yield from flat(part.view)
    else:
        yield view


def words(view: View) -> Iterator[str]:
    """Yield every text that a view would show, ids left out (they are keys, never drawn)."""
    for each in flat(view):
        yield getattr(each, "title", "")
        if isinstance(each, Table):
            yield each.empty
            for column in each.columns:
                yield column.title
                yield from (value for value in column.values if isinstance(value, str))
        elif isinstance(each, HeatMap):
            yield from (group.label for group in each.groups)
        elif isinstance(each, Plot):
            yield from (series.label for series in each.series)
        elif isinstance(each, Text):
            yield from (span.text for line in each.lines for span in line)


def cells(table: Table, key: str) -> list[Any]:
    """Return one column's values."""
    return list(next(column.values for column in table.columns if column.key == key))


def is_safe(text: str) -> bool:
    """Whether a text holds no control character, no bidi control, and is not endless."""
    bad = any(
        ord(char) < 32 or ord(char) == 127 or "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"
        for char in text
    )
    return not bad and len(text) <= 620
