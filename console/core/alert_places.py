"""Where another system's alert is: its labels, in every usual spelling, on the rows of a site's topology."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.spellings import GPU, NODE, SITE, UUID
from console.model.identity import parse_uuid
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from console.model.events import Alert
    from console.model.topology import SiteTopology


def place_of(
    pairs: tuple[tuple[str, str], ...], topology: SiteTopology, node_row: Callable[[str], int]
) -> tuple[str, int]:
    """Return the address that an alert's labels lead to and how many GPUs are there; the site and 0 if nowhere."""
    labels = dict(pairs)
    row = _gpu_row(labels, topology)
    if row is not None:
        return topology.path(Level.GPU, row), 1
    node = next((at for name in NODE if labels.get(name) and (at := node_row(labels[name])) >= 0), -1)
    if node < 0:
        return topology.site, 0
    gpus = topology.span(Level.NODE, node, Level.GPU)
    slot = next((labels[name].removeprefix("nvidia") for name in GPU if labels.get(name)), "")
    if slot.isascii() and slot.isdigit():
        found = np.flatnonzero(topology.gpu_slot[gpus] == int(slot[:4]))
        if len(found):
            return topology.path(Level.GPU, gpus.start + int(found[0])), 1
    return topology.path(Level.NODE, node), gpus.stop - gpus.start


def _gpu_row(labels: Mapping[str, str], topology: SiteTopology) -> int | None:
    uuid = next((labels[name] for name in UUID if labels.get(name)), "")
    high, low = parse_uuid(uuid)
    if not high and not low:
        return None
    row = topology.uuids.find(np.array([high], dtype=np.uint64), np.array([low], dtype=np.uint64))[0]
    return int(row) if row >= 0 else None


def alerts_by_site(alerts: Iterable[Alert], home: str, sites: Collection[str]) -> dict[str, tuple[Alert, ...]]:
    """Return alerts by the site that their labels name, those of none or of an unknown one at `home`.

    Every site is there, so that one without alerts any more is told so.
    """
    found: dict[str, list[Alert]] = {site: [] for site in sites}
    for alert in alerts:
        site = next((value for name, value in alert.labels if name in SITE and value in found), home)
        found[site].append(alert if site == alert.site else replace(alert, site=site))
    return {site: tuple(each) for site, each in found.items()}
