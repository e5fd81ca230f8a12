"""What a frame says of a site as a whole: roll-ups, who reports, how old; made anew only where something changed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from console.core.aggregates import with_told
from console.core.folding import Pyramid
from console.core.rollup import domain_roll_up, tree_level
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.core.aggregates import Told
    from console.core.voices import Voice
    from console.model.metrics import MetricTable
    from console.model.snapshot import RollUps
    from console.model.topology import SiteTopology

    Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Summed:
    """The parts of a SiteFrame that are computed."""

    rollups: Mapping[str, RollUps]
    reporting: Flags
    data_at: float
    stale: bool


@dataclass(frozen=True, eq=False)
class _Kept:
    voice: Voice
    rollups: RollUps
    made_at: float
    good_until: float

    def holds(self, voice: Voice, now: float) -> bool:
        """Whether the roll-ups are those of a voice at `now`: it is the same, or says the same, all of it current."""
        if self.voice is voice:
            return self.made_at <= now <= self.good_until
        same = self.voice.column.values is voice.column.values
        return same and self.voice.is_current(self.made_at) and voice.is_current(now)


class Summary:
    """Roll-ups of one site, each kept until its column changes or one of its values turns stale."""

    def __init__(self, metrics: MetricTable) -> None:
        self._metrics = metrics
        self._pyramid: Pyramid | None = None
        self._kept: dict[str, _Kept] = {}
        self._data_at = 0.0
        self._all_report: Flags = np.zeros(0, dtype=bool)

    def update(
        self,
        topology: SiteTopology,
        merged: Mapping[str, Voice],
        told: tuple[Told, ...],
        now: float,
        stale_sources: frozenset[str],
    ) -> Summed:
        """Return the summary at `now`; `told` are the aggregates that sources computed themselves."""
        pyramid = self._fit(topology)
        rollups: dict[str, RollUps] = {}
        for name, voice in merged.items():
            found = self._rolled(pyramid, name, voice, now)
            if found is not None:
                rollups[name] = found
        for name in dict.fromkeys(each.metric for each in told):
            with_aggregates = self._with_told(pyramid, name, rollups.get(name), merged.get(name), told, now)
            if with_aggregates is not None:
                rollups[name] = with_aggregates
        gpu_voices = [voice for name, voice in merged.items() if self._metrics[name].level == Level.GPU]
        gpu_told = [each for each in told if self._metrics[each.metric].level == Level.GPU]
        # A site whose values are all gone keeps the time when the last of them was there.
        self._data_at = _data_at(gpu_voices, gpu_told) or _data_at(list(merged.values()), told) or self._data_at
        return Summed(
            MappingProxyType(rollups),
            self._reporting(topology, gpu_voices, now),
            self._data_at,
            _stale(gpu_voices, gpu_told, now, stale_sources),
        )

    def _fit(self, topology: SiteTopology) -> Pyramid:
        if self._pyramid is None or self._pyramid.topology is not topology:
            self._pyramid = Pyramid(topology)
            self._kept.clear()
            self._all_report = np.ones(topology.gpus, dtype=bool)
            self._all_report.flags.writeable = False
        return self._pyramid

    def _rolled(self, pyramid: Pyramid, name: str, voice: Voice, now: float) -> RollUps | None:
        kept = self._kept.get(name)
        if kept is not None and kept.holds(voice, now):
            return kept.rollups
        level = tree_level(self._metrics[name].level)
        if level is Level.SITE:
            return None
        values = voice.current(now)
        if level is None:
            rollups = domain_roll_up(name, values)
        else:
            rollups = pyramid.roll_up(name, level, values, voice.gaps(now))
        self._kept[name] = _Kept(voice, rollups, now, voice.changes_at(now))
        return rollups

    def _with_told(
        self,
        pyramid: Pyramid,
        name: str,
        base: RollUps | None,
        voice: Voice | None,
        told: tuple[Told, ...],
        now: float,
    ) -> RollUps | None:
        own = tree_level(self._metrics[name].level)
        if own is None:
            return base
        # Aggregates tell their oldest sample: a few values that are read closely make the others no younger.
        base_at = voice.oldest_current_at(now) if voice is not None else 0.0
        return with_told(base, base_at, [each for each in told if each.metric == name], pyramid, own, now)

    def _reporting(self, topology: SiteTopology, voices: list[Voice], now: float) -> Flags:
        """Return bool[gpus]: whether any metric of a GPU is current; a shared array where all report."""
        silent = None
        for voice in voices:
            if now - voice.newest_at > voice.column.stale_after_s:
                continue
            silent = voice.gaps(now) if silent is None else silent[np.isnan(voice.current(now)[silent])]
            if not len(silent):
                return self._all_report
        reporting = np.zeros(topology.gpus, dtype=bool) if silent is None else np.ones(topology.gpus, dtype=bool)
        if silent is not None:
            reporting[silent] = False
        reporting.flags.writeable = False
        return reporting


def _data_at(voices: list[Voice], told: tuple[Told, ...] | list[Told]) -> float:
    newest = [voice.newest_at for voice in voices] + [each.newest_at() for each in told]
    return max(newest, default=0.0)


def _stale(voices: list[Voice], told: list[Told], now: float, stale_sources: frozenset[str]) -> bool:
    """Whether every source of telemetry is stale, or all that they said is too old; False before anybody spoke."""
    sources = {name for voice in voices for name in voice.column.source.split("+")} | {each.source for each in told}
    if not sources:
        return False
    if sources <= stale_sources:
        return True
    alive = any(now - voice.newest_at <= voice.column.stale_after_s for voice in voices)
    return not alive and not any(each.fresh(now).any() for each in told)
