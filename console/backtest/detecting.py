"""Runs the plugins' detectors over frames and turns what they find into alerts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from console.core.scoring.values import WHOLE_NODE, BacktestAlert
from console.model.errors import ConsoleError, PluginError
from console.model.events import Finding
from console.model.levels import Level, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.backtest.replay import Moment
    from console.model.ports import Detector
    from console.model.topology import SiteTopology

# A finding says how bad it is, not how likely a stop within a day; the reliability diagram shows what these are worth.
PROBABILITY = {Severity.CRITICAL: 0.5, Severity.WARNING: 0.1}
_Key = tuple[str, str, int, str]


class Detecting:
    """Detectors at work, each with its own memory; a finding that is there is an alert that is up.

    A detector that fails is left out from then on, and `complaints` says why. `unplaced` counts findings of whole
    sites, racks or halls (each once while it lasts): no single GPU or node can be held to them.
    """

    name, title = "detectors", "gigadeck's detectors"

    def __init__(self, detectors: Mapping[str, Detector], topologies: Sequence[SiteTopology]) -> None:
        self._topologies = {each.site: each for each in topologies}
        self._detectors = dict(detectors)
        self._state: dict[str, Mapping[str, Mapping[str, NDArray[np.generic]]]] = {}
        self._up: dict[_Key, tuple[float, float, float]] = {}
        self._alerts: list[BacktestAlert] = []
        self._told: set[tuple[str, str]] = set()
        self.complaints: list[str] = []
        self.unplaced = 0

    def take(self, moment: Moment) -> None:
        """Show a frame to every detector."""
        now, seen = moment.frame.at, set()
        for finding in self._found(moment):
            key = self._key(finding)
            if key is not None:
                seen.add(key)
                sure = PROBABILITY.get(finding.severity, 0.0)
                first, _, before = self._up.get(key, (now, now, 0.0))
                self._up[key] = first, now, max(sure, before)
        for key in self._up.keys() - seen:
            self._end(key)

    def finished(self) -> tuple[BacktestAlert, ...]:
        """Return all alerts; those that are up yet end with the data."""
        for key in list(self._up):
            self._end(key)
        self._alerts.sort(key=lambda each: (each.at, each.site, each.node, each.gpu, each.fault_class))
        return tuple(self._alerts)

    def _found(self, moment: Moment) -> list[Finding]:
        found: list[Finding] = []
        for name, detector in list(self._detectors.items()):
            try:
                found += _checked(name, detector.update(moment.frame, self._memory(name, detector)))
            except Exception as error:  # whatever a plugin raises is the plugin's, and the others go on
                said = str(error) if isinstance(error, ConsoleError) else f"{type(error).__name__}: {error}"
                self.complaints.append(f"detector {name} was left out: {said}")
                del self._detectors[name]
        places = {(each.fault, each.key) for each in found if each.level not in (Level.GPU, Level.NODE)}
        self.unplaced += len(places - self._told)
        self._told = places
        return found

    def _memory(self, name: str, detector: Detector) -> Mapping[str, Mapping[str, NDArray[np.generic]]]:
        if name not in self._state:
            columns = tuple(detector.state_columns)
            self._state[name] = MappingProxyType(
                {
                    site: MappingProxyType(
                        {each.name: np.full(topology.count(each.level), each.fill, each.dtype) for each in columns}
                    )
                    for site, topology in self._topologies.items()
                }
            )
        return self._state[name]

    def _key(self, finding: Finding) -> _Key | None:
        """Return the hardware that a finding is about, None for a whole site, hall or rack."""
        topology = self._topologies.get(finding.site)
        place = topology.resolve(finding.path) if topology is not None else None
        if topology is None or place is None or place[0] not in (Level.GPU, Level.NODE):
            return None
        level, row = place
        gpu = int(topology.gpu_slot[row]) if level is Level.GPU else WHOLE_NODE
        return finding.site, topology.nodes[topology.parent(level, row, Level.NODE)], gpu, finding.fault

    def _end(self, key: _Key) -> None:
        site, node, gpu, fault = key
        at, until, sure = self._up.pop(key)
        self._alerts.append(BacktestAlert(at, site, node, gpu, fault, sure, until))


def _checked(name: str, findings: object) -> tuple[Finding, ...]:
    if not isinstance(findings, tuple) or not all(isinstance(each, Finding) for each in findings):
        raise PluginError(name, "update() must return a tuple of Finding")
    return findings
