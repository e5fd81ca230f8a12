"""A site's stream for tests: a merger on the server's side, an encoder, and consoles that listen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.core.site_api.stream import SiteEncoder
from console.model.builtin_metrics import BUILTIN
from console.model.snapshot import Frame, Snapshot
from console.sources.site_bodies import Faults
from console.sources.site_stream import StreamDecoder, split
from tests.support.fleets import NOW, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.core.site_api.framing import Record
    from console.model.metrics import MetricTable
    from console.model.reading import Part
    from console.model.topology import SiteTopology

FAULTS = Faults("muc1", "api")


class Server:
    """A site as its serve knows it; `step` merges what its sources say and returns the records."""

    def __init__(
        self, topology: SiteTopology, *, sweep_s: float = 1.0, metrics: MetricTable = BUILTIN, keeper: str = "serve1"
    ) -> None:
        self.merger = SiteMerger(topology, metrics)
        self.metrics = metrics
        self.encoder = SiteEncoder(topology.site, metrics, log="log-1", sweep_s=sweep_s, keeper=keeper)
        self.at = NOW
        self.seq = 0
        self.snapshot: Snapshot | None = None

    def step(self, *parts: Part, dt: float = 1.0, stale_after_s: float = 30.0, source: str = "prom", **more: Any):
        """Return the records that lead to a new snapshot, `dt` seconds after the last one."""
        self.at += dt
        self.seq += 1
        tell(self.merger, *parts, at=self.at, stale_after_s=stale_after_s, source=source)
        frame = Frame(self.at, "europe", self.metrics, (self.merger.frame(self.at),))
        self.snapshot = Snapshot(self.seq, frame, **more)
        return self.encoder.update(self.snapshot)

    @property
    def frame(self):
        """The site in the last snapshot."""
        return self.snapshot.frame.sites[0]


class Listener:
    """A console that is attached: its decoder and what it merges of it."""

    def __init__(self, site: str = "muc1", there: str = "muc1", metrics: MetricTable = BUILTIN) -> None:
        self.decoder = StreamDecoder(FAULTS, site, there, metrics)
        self.merger = SiteMerger(empty_topology(site), metrics)
        self.parts: list[Part] = []

    def hear(self, records: Iterable[Record], at: float = NOW + 10_000) -> list[Part]:
        """Decode and merge records; return their parts."""
        bodies, rest = split(b"".join(record.data for record in records))
        assert rest == b""
        parts = [part for body in bodies for part in self.decoder.feed(body)]
        tell(self.merger, *parts, source="api", at=at, stale_after_s=1e9)
        self.parts += parts
        return parts

    def holds_what(self, server: Server) -> None:
        """Check that the columns are to the bit what the encoder takes as told."""
        told = server.encoder.columns.told()
        held = self.decoder.columns()
        assert held.keys() >= told.keys()
        for name, values in told.items():
            assert np.array_equal(held[name][1], values, equal_nan=True), name


def of_type(parts: Sequence[Part], kind: type) -> list[Any]:
    """Return the parts of one type."""
    return [part for part in parts if isinstance(part, kind)]
