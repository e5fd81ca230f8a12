"""Hosts detectors: gives each its state columns, re-maps and keeps them, collects what they find."""

from __future__ import annotations

import logging
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.remap import row_map
from console.engine.worker import Call
from console.model.errors import PluginError
from console.model.events import Finding
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from console.engine.saved_columns import RowKeys, SavedColumn
    from console.engine.worker import PluginWorker
    from console.model.levels import Level
    from console.model.ports import Detector, StateColumn
    from console.model.snapshot import Frame
    from console.model.topology import SiteTopology

FINDINGS_LIMIT = 10_000

log = logging.getLogger("console.engine")
Columns = dict[str, "NDArray[np.generic]"]


@dataclass(eq=False)
class _Hosted:
    name: str
    detector: Detector
    declared: tuple[StateColumn, ...] | None = None
    topologies: dict[str, SiteTopology] = field(default_factory=dict)
    state: dict[str, Columns] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    busy: bool = False
    complaint: str = ""


class DetectorHost:
    """All detectors of a session; owned by the compute thread, which `post` leads back to.

    A detector has at most one call running. While it runs its state is its own; between calls it is re-mapped by key.
    """

    def __init__(
        self, detectors: Mapping[str, Detector], worker: PluginWorker, post: Callable[[Callable[[], None]], None]
    ) -> None:
        self._hosted = [_Hosted(name, detector) for name, detector in detectors.items()]
        self._worker = worker
        self._post = post
        self._saved: dict[tuple[str, str], dict[str, SavedColumn]] = {}
        self.skipped = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the detectors last said."""
        return tuple(finding for hosted in self._hosted for finding in hosted.findings)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong with detectors now."""
        return tuple(hosted.complaint for hosted in self._hosted if hosted.complaint)

    def offer(self, frame: Frame) -> None:
        """Show a frame to every detector that is free; one that is still busy misses it."""
        for hosted in self._hosted:
            if hosted.name in self._worker.refused:
                self._fail(hosted, self._worker.refused[hosted.name])
            elif hosted.busy:
                self.skipped += 1
            elif hosted.declared is None:
                self._declare(hosted)
            else:
                self._update(hosted, frame, hosted.declared)

    def restore(self, saved: Iterable[SavedColumn]) -> None:
        """Take what was kept of the detectors' memory; it is used once, when its site has spoken."""
        for column in saved:
            self._saved.setdefault((column.detector, column.site), {})[column.column] = column

    def columns(self, now: float, *, at_rest: bool = False) -> Iterator[SavedColumn]:
        """Yield a copy of each column of the detectors' memory, with the keys of its rows.

        A detector at work is left out, for it may be writing its own, unless it is known that all are `at_rest`.
        """
        from console.engine.saved_columns import SavedColumn, keys_of

        known: dict[tuple[str, Level], RowKeys] = {}
        for hosted in self._hosted:
            for site, state in hosted.state.items():
                for column in hosted.declared or ():
                    if (hosted.busy and not at_rest) or column.name not in state:
                        continue
                    if (site, column.level) not in known:
                        known[site, column.level] = keys_of(hosted.topologies[site], column.level)
                    values = state[column.name].copy()
                    yield SavedColumn(site, hosted.name, column.name, now, values, known[site, column.level])

    def _declare(self, hosted: _Hosted) -> None:
        # The first touch may import the plugin, so it goes through the worker like every other.
        self._call(hosted, "state_columns", lambda: tuple(hosted.detector.state_columns), self._declared)

    def _declared(self, hosted: _Hosted, result: Any) -> None:
        hosted.declared = result

    def _update(self, hosted: _Hosted, frame: Frame, declared: tuple[StateColumn, ...]) -> None:
        _fit_state(hosted, frame, declared)
        if self._saved:
            self._bring_back(hosted, frame, declared)
        state = MappingProxyType({site: MappingProxyType(columns) for site, columns in hosted.state.items()})
        self._call(hosted, "update", lambda: checked(hosted.name, hosted.detector.update(frame, state)), self._updated)

    def _bring_back(self, hosted: _Hosted, frame: Frame, declared: tuple[StateColumn, ...]) -> None:
        """Fill a detector's fresh memory with what was kept of it, at each site that has spoken."""
        from console.engine.saved_columns import OLDEST_S, keys_of, restored

        for site in frame.sites:
            saved = self._saved.pop((hosted.name, site.site), {}) if site.data_at else {}
            for column in declared:
                kept = saved.get(column.name)
                if kept is not None and 0 <= frame.at - kept.saved_at <= OLDEST_S:
                    restored(kept, keys_of(site.topology, column.level), hosted.state[site.site][column.name])

    def _updated(self, hosted: _Hosted, result: Any) -> None:
        hosted.findings = result
        hosted.complaint = ""

    def _call(
        self, hosted: _Hosted, what: str, function: Callable[[], Any], then: Callable[[_Hosted, Any], None]
    ) -> None:
        hosted.busy = True

        def done(result: Any, error: BaseException | None) -> None:
            self._post(lambda: self._ended(hosted, result, error, then))

        self._worker.submit((hosted.name, "detector"), Call(hosted.name, f"detector {what}", function, done))

    def _ended(
        self, hosted: _Hosted, result: Any, error: BaseException | None, then: Callable[[_Hosted, Any], None]
    ) -> None:
        hosted.busy = False
        if error is None:
            then(hosted, result)
        else:
            self._fail(hosted, str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}")

    def _fail(self, hosted: _Hosted, reason: str) -> None:
        complaint = f"detector {hosted.name}: {reason}"
        if not hosted.complaint:
            log.warning("%s", complaint)
        hosted.complaint = complaint
        hosted.findings = ()


def checked(name: str, findings: object) -> tuple[Finding, ...]:
    """Return what a detector said if it is what the port promises; raises PluginError."""
    if not isinstance(findings, tuple) or not all(isinstance(each, Finding) for each in findings):
        raise PluginError(name, "update() must return a tuple of Finding")
    return findings[:FINDINGS_LIMIT]


def _fit_state(hosted: _Hosted, frame: Frame, declared: tuple[StateColumn, ...]) -> None:
    """Give every site's state the shape of its topology of now; what belonged to a key stays with it."""
    for site in frame.sites:
        old, new = hosted.topologies.get(site.site), site.topology
        if old is not new:
            columns = hosted.state.get(site.site, {})
            hosted.state[site.site] = {each.name: _fit(each, columns.get(each.name), old, new) for each in declared}
            hosted.topologies[site.site] = new
    for gone in hosted.state.keys() - {site.site for site in frame.sites}:
        del hosted.state[gone], hosted.topologies[gone]


def _fit(
    column: StateColumn, values: NDArray[np.generic] | None, old: SiteTopology | None, new: SiteTopology
) -> NDArray[np.generic]:
    fitted: NDArray[np.generic] = np.full(new.count(column.level), column.fill, dtype=column.dtype)
    if values is not None and old is not None:
        rows = row_map(old, new, column.level)
        kept = rows >= 0
        fitted[kept] = values[rows[kept]]
    return fitted
