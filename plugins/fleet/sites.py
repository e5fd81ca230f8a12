"""The sites: who is live, how they are doing, and what the fleet adds up to without the blind ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.plugin import Align, Level, Severity, Table, TableColumn, clean, select

from .incidents import counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.plugin import SiteFrame, Snapshot

    Floats = NDArray[np.float64]

MISSING = "—"
WIDE = 120


@dataclass(frozen=True, eq=False)
class Column:
    """A number that sites may have: the field, its heading, how it is written, in what order it leaves."""

    field: str
    title: str
    format: str
    drop: int = 0
    heat: tuple[float, float] | None = None
    wide: bool = False


NUMBERS = (
    Column("sm_active_ratio", "SM act", "ratio_pct"),
    Column("util_pct", "util", "pct", drop=5),
    Column("temp_c_max", "temp max", "temp", heat=(25, 90)),
    Column("temp_c_avg", "temp avg", "temp", drop=6, wide=True, heat=(25, 90)),
    Column("gpu_power_w_sum", "GPU MW", "megawatt", drop=6, wide=True),
    Column("it_power_w", "IT MW", "megawatt", drop=1),
    Column("pue", "PUE", "pue", drop=2),
    Column("supply_c", "supply", "temp", drop=7, wide=True),
    Column("return_c", "return", "temp", drop=7, wide=True),
    Column("grid_g_kwh", "gCO2/kWh", "int", drop=8, wide=True),
    Column("jobs", "jobs", "int", drop=4, wide=True),
)


def site_table(snapshot: Snapshot, width: int) -> Table:
    """Return one row a site in the fleet's order; a stale site shows dashes and its age."""
    sites = snapshot.frame.sites
    wanted = [column for column in NUMBERS if width >= WIDE or not column.wide]
    rows = select(snapshot, Level.SITE, fields=("gpus_reporting", *(column.field for column in wanted)))
    order = {site: at for at, site in enumerate(rows.ids)}
    at = np.array([order.get(site.site, -1) for site in sites], dtype=np.int64)
    stale = np.array([site.stale or not site.data_at for site in sites], dtype=bool)
    numbers = [_number(column, rows.columns.get(column.field), at, stale) for column in wanted]
    return Table(
        columns=(
            TableColumn("site", "site", [clean(site.site, 24) for site in sites], width=8, weight=1),
            _live(sites, _aligned(rows.columns.get("gpus_reporting"), at), stale),
            _trouble(snapshot, stale),
            *(number for number in numbers if number is not None),
            _age(sites, snapshot.at, stale),
        ),
        ids=[site.site for site in sites],
        title=_title(sites, _aligned(rows.columns.get("gpus_reporting"), at), stale, snapshot),
        total=len(sites),
        empty="no sites yet: waiting for the first reading" if snapshot.loading else "this fleet has no sites",
        severities=[
            "unknown" if each else _worst(snapshot, site.site).value for site, each in zip(sites, stale, strict=True)
        ],
    )


def _aligned(values: object, at: NDArray[np.int64]) -> Floats:
    if values is None:
        return np.full(len(at), np.nan)
    found = np.asarray(values, dtype=np.float64)
    return np.where(at >= 0, found[at], np.nan) if len(found) else np.full(len(at), np.nan)


def _number(column: Column, values: object, at: NDArray[np.int64], stale: NDArray[np.bool_]) -> TableColumn | None:
    """Return a column, or None where no site offers the number."""
    shown = np.where(stale, np.nan, _aligned(values, at))
    if not len(shown) or np.isnan(shown).all():
        return None
    return TableColumn(
        column.field, column.title, shown, column.format, Align.RIGHT, drop=column.drop, heat=column.heat
    )


def _live(sites: Sequence[SiteFrame], reporting: Floats, stale: NDArray[np.bool_]) -> TableColumn:
    texts, tokens = [], []
    for site, live, blind in zip(sites, reporting, stale, strict=True):
        known = not blind and not np.isnan(live)
        texts.append(f"{int(live) if known else MISSING:{',' if known else ''}}/{site.topology.gpus:,}")
        tokens.append("text.dim" if blind else "state.warning" if not known or live < site.topology.gpus else "text")
    return TableColumn("live", "live/expected", texts, align=Align.RIGHT, tokens=tokens)


def _trouble(snapshot: Snapshot, stale: NDArray[np.bool_]) -> TableColumn:
    texts, tokens = [], []
    for site, blind in zip(snapshot.frame.sites, stale, strict=True):
        critical, warning = counts(snapshot, site.site)
        counted = " ".join([f"✖{critical}"] * bool(critical) + [f"▲{warning}"] * bool(warning))
        waiting = "no data" if snapshot.unheard(site.site) else "waiting"
        texts.append((waiting if not site.data_at else "stale") if blind else counted or "ok")
        tokens.append("state.stale" if blind else f"state.{_worst(snapshot, site.site).value}")
    return TableColumn("trouble", "✖▲", texts, tokens=tokens)


def _worst(snapshot: Snapshot, site: str) -> Severity:
    critical, warning = counts(snapshot, site)
    return Severity.CRITICAL if critical else Severity.WARNING if warning else Severity.OK


def _age(sites: Sequence[SiteFrame], now: float, stale: NDArray[np.bool_]) -> TableColumn:
    ages = np.array([now - site.data_at if site.data_at else np.nan for site in sites])
    tokens = ["state.stale" if blind else "text.dim" for blind in stale]
    return TableColumn("age_s", "age", ages, "age", Align.RIGHT, tokens=tokens)


def _title(sites: Sequence[SiteFrame], reporting: Floats, stale: NDArray[np.bool_], snapshot: Snapshot) -> str:
    expected = sum(site.topology.gpus for site in sites)
    live = int(np.nansum(np.where(stale, np.nan, reporting)))
    seen = int((~stale).sum())
    text = f"SITES  live {live:,}/{expected:,}"
    return f"{text} ({seen} of {len(sites)} sites)" if seen < len(sites) else text
