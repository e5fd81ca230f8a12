"""What each voice says of one node, and what a disagreement says to a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.disagreements import kinds
from console.core.disagreements.hearing import hearing_of
from console.core.disagreements.judge import node_of
from console.core.disagreements.minorities import minority_of
from console.core.texts import remembered
from console.model.disagreements import Statement
from console.model.events import AlertState
from console.model.levels import Level
from console.model.scheduling import NOT_TOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.core.disagreements.hearing import Hearing
    from console.core.disagreements.kinds import Kind
    from console.model.columns import Column
    from console.model.events import Alert
    from console.model.snapshot import SiteFrame, Snapshot

TELEMETRY, ALERTS, INVENTORY = "telemetry", "alerts", "inventory"
OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)
MOST_TITLES = 3


def node_voices(snapshot: Snapshot, site: SiteFrame, node: int) -> tuple[Statement, ...]:
    """Return what every voice says of the node in one row of a site, those that are stale marked so."""
    return voices_of(site, node, hearing_of(snapshot.sources), snapshot.at)


def voices_of(site: SiteFrame, node: int, hearing: Hearing, now: float) -> tuple[Statement, ...]:
    """Return what every voice says of the node in one row: schedulers, telemetry, alerts, inventory, facts."""
    return (
        *_schedulers(site, node, hearing, now),
        _telemetry(site, node, now),
        *_alerts(site, node, hearing),
        *_inventory(site, node),
        *_facts(site, node, hearing),
    )


def _schedulers(site: SiteFrame, node: int, hearing: Hearing, now: float) -> Iterator[Statement]:
    for source, reports in sorted(site.reports.items()):
        stale = not hearing.hears(site.site, source, reports.at, now)
        report = reports.report(node) if node < len(reports.codes) else None
        if report is None:
            yield Statement(source, "knows no such node", reports.at, stale)
            continue
        said = [report.state.text]
        if report.gpus != NOT_TOLD:
            held = f", {report.gpus_allocated} allocated" if report.gpus_allocated != NOT_TOLD else ""
            said.append(f"{report.gpus} GPUs{held}")
        if report.reason is not None:
            by = f" ({report.reason.by})" if report.reason.by else ""
            said.append(f"{report.reason.text}{by}")
        yield Statement(source, "; ".join(said), reports.at, stale)


def _telemetry(site: SiteFrame, node: int, now: float) -> Statement:
    gpus = site.topology.span(Level.NODE, node, Level.GPU)
    there = gpus.stop - gpus.start
    newest = [float(each.at[gpus].max()) for each in _gpu_columns(site) if there]
    at = max(newest, default=0.0)
    reporting = int(np.count_nonzero(site.reporting[gpus])) if not site.stale else 0
    said = [f"{reporting} of {there} GPUs report" if at else "has never seen it"]
    util = site.columns.get("util_pct")
    if reporting and util is not None and len(util.values) == site.topology.gpus:
        # These GPUs alone: to blank what is stale in a whole column, once a node, takes a second.
        mine = util.values[gpus]
        known = mine[~np.isnan(mine) & (now - util.at[gpus] <= util.stale_after_s)]
        said += [f"{known.mean():.0f} % busy"] if len(known) else []
    return Statement(TELEMETRY, ", ".join(said), at, site.stale)


def _gpu_columns(site: SiteFrame) -> list[Column]:
    """Return the columns of GPUs, one for each table of times."""

    def make() -> list[Column]:
        times = {id(each.at): each for each in site.columns.values() if len(each.at) == site.topology.gpus}
        return list(times.values())

    return remembered(site, "columns by time", make)


def _alerts(site: SiteFrame, node: int, hearing: Hearing) -> Iterator[Statement]:
    mine = alerts_by_node(site).get(node, ())
    if mine:
        titles = "; ".join(alert.title for alert in mine[:MOST_TITLES])
        more = f" +{len(mine) - MOST_TITLES}" if len(mine) > MOST_TITLES else ""
        stale = all(hearing.is_quiet(site.site, alert.origin) for alert in mine)
        yield Statement(ALERTS, f"{len(mine)} firing: {titles}{more}", max(alert.heard_at for alert in mine), stale)


def alerts_by_node(site: SiteFrame) -> dict[int, list[Alert]]:
    """Return the open alerts at or below each node that has any."""

    def make() -> dict[int, list[Alert]]:
        found: dict[int, list[Alert]] = {}
        for alert in site.alerts:
            row = node_of(site, alert.path) if alert.state in OPEN else -1
            if row >= 0:
                found.setdefault(row, []).append(alert)
        return found

    return remembered(site, "alerts by node", make)


def _inventory(site: SiteFrame, node: int) -> Iterator[Statement]:
    topology = site.topology
    if topology.declared:
        gpus = topology.span(Level.NODE, node, Level.GPU)
        model = topology.gpu_model(gpus.start) if gpus.stop > gpus.start else ""
        rack = topology.name(Level.RACK, topology.parent(Level.NODE, node, Level.RACK))
        yield Statement(
            INVENTORY, " ".join(part for part in (f"{gpus.stop - gpus.start} GPUs", model, f"in {rack}") if part)
        )


def _facts(site: SiteFrame, node: int, hearing: Hearing) -> Iterator[Statement]:
    said: dict[str, list[str]] = {}
    at: dict[str, float] = {}
    for (source, fact), facts in sorted(site.facts.items()):
        code = int(facts.codes[node]) if node < len(facts.codes) else -1
        if code >= 0:
            said.setdefault(source, []).append(f"{kinds.fact_words(fact)} {facts.texts[code]}")
            at[source] = max(at.get(source, 0.0), facts.at)
    for source, texts in said.items():
        yield Statement(source, ", ".join(texts), at[source], hearing.is_quiet(site.site, source))


def minority_text(site: SiteFrame, fact: str, node: int, hearing: Hearing) -> str:
    """Return such as `driver 570.86.15; most of its like have 570.133.20`."""
    has, often = minority_of(site, fact, node, hearing)
    return f"{kinds.fact_words(fact)} {has}; most of its like have {often}"


def spoken(kind: Kind, voices: tuple[Statement, ...], schedulers: frozenset[str]) -> str:
    """Return what a disagreement says in one line: who says what, of what it is about."""
    loud = [each for each in voices if not each.stale]
    told = {each.voice: _short(kind, each.says) for each in reversed(loud) if each.voice in schedulers}
    wanted = {kinds.DRAINED: (), kinds.ALERTED: (ALERTS,), kinds.GPU_COUNT: (INVENTORY, TELEMETRY)}
    for voice in wanted.get(kind, (TELEMETRY,)):
        told |= {each.voice: each.says for each in loud if each.voice == voice}
    return "; ".join(f"{voice}: {says}" for voice, says in told.items())


def _short(kind: Kind, says: str) -> str:
    """Return the part of a scheduler's statement (state; GPUs; reason) that matters to a kind."""
    state, _, rest = says.partition("; ")
    gpus, _, reason = rest.partition("; ")
    if kind is kinds.GPU_COUNT:
        return gpus or state
    if kind in (kinds.ALLOCATED_IDLE, kinds.IDLE_LATELY):
        return f"{state}, {gpus}" if gpus else state
    return f"{state}, {reason}" if reason else state
