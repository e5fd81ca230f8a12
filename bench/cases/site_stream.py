"""The stream of 100,000 GPUs at 1 Hz: what it weighs, what encoding it once costs, and what each console pays.

The site is the emulator's; a console looks at a rack. Times are of the processor; the world's and the merger's own are
left out, and merging at the console is told beside its decoding.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GPUS = 100_000
SWEEPS_S, QUICK_SWEEPS_S = 185, 65
AT = 1_700_000_000.0
MOST_BYTES_A_SECOND, MOST_OPENING_BYTES = 15_000, 3_000_000
MOST_DECODE_S, MOST_ENCODE_S = 0.005, 0.05


def run(*, quick: bool) -> list[Figure]:
    """Return bytes a second, bytes of the opening, and the processor's time of either side."""
    site = _Site()
    site.step()
    opening_s = _timed(lambda: site.encoder.opening())
    opening = site.encoder.opening()
    console = _Console(site)
    console.hear(opening)
    sizes: Counter[str] = Counter()
    encoded: list[float] = []
    console.times.clear()
    seconds = QUICK_SWEEPS_S if quick else SWEEPS_S
    for _ in range(seconds):
        took_s, records = site.step()
        focused = site.encoder.focus(site.snapshot, site.rack)
        records = [*records, *([focused] if focused else [])]
        for record in records:
            sizes[record.kind] += len(record.data)
        encoded.append(took_s)
        console.hear(records)
    opened = sum(len(record.data) for record in opening)
    shares = ", ".join(f"{kind} {size / seconds:.0f}" for kind, size in sizes.most_common())
    uuids = f"its topology {len(opening[0].data) / 1e6:.1f} MB, made in {opening_s * 1e3:.0f} ms"
    decode_s = statistics.mean(each[0] for each in console.times)
    longest_s = max(each[0] for each in console.times)
    merge_s = statistics.mean(each[1] for each in console.times)
    return [
        Figure(
            "stream of 100,000 GPUs to one console", sum(sizes.values()) / seconds, "B/s", must=MOST_BYTES_A_SECOND,
            note=f"over {seconds} s at 1 Hz, in B/s: {shares}",
        ),
        Figure("what a console gets first", opened / 1e6, "MB", must=MOST_OPENING_BYTES / 1e6, note=uuids),
        Figure(
            "processor to encode it, once for all", statistics.mean(encoded), "s each second", must=MOST_ENCODE_S,
            note=f"longest {max(encoded) * 1e3:.0f} ms",
        ),
        Figure(
            "processor to decode it in a console", decode_s, "s each second", must=MOST_DECODE_S,
            note=f"longest {longest_s * 1e3:.0f} ms; merging takes {merge_s * 1e3:.1f} ms more",
        ),
    ]  # fmt: skip


class _Site:
    """The emulated site and its encoder, a second a step."""

    def __init__(self) -> None:
        from console.core.inventory import empty_topology
        from console.core.merge import SiteMerger
        from console.core.site_api.stream import SiteEncoder
        from console.emulator.fleet import FleetPlan
        from console.emulator.world import World
        from console.model.builtin_metrics import BUILTIN
        from console.sources.emulator import open_emulator

        self.at = AT
        self.name = "muc1"
        world = World(FleetPlan(gpus=GPUS, sites=1, seed=3, name=self.name), AT)
        self._source = open_emulator(world, self.name, lambda: self.at)
        self._merger = SiteMerger(empty_topology(self.name), BUILTIN)
        self.encoder = SiteEncoder(self.name, BUILTIN, log="bench")
        self.snapshot: Any = None
        self.rack = ""

    def step(self) -> tuple[float, list[Any]]:
        """Return the seconds that encoding took, and the records."""
        from console.model.builtin_metrics import BUILTIN
        from console.model.levels import Level
        from console.model.snapshot import Frame, Snapshot

        self.at += 1.0
        reading = asyncio.run(self._source.read())
        for part in reading.decode():
            self._merger.apply(part, source="emulator", stale_after_s=10.0, received_at=self.at)
        frame = self._merger.frame(self.at)
        self.rack = frame.topology.path(Level.RACK, 0)
        seq = self.snapshot.seq + 1 if self.snapshot else 1
        self.snapshot = Snapshot(seq, Frame(self.at, "bench", BUILTIN, (frame,)))
        records: list[Any] = []
        return _timed(lambda: records.extend(self.encoder.update(self.snapshot))), records


class _Console:
    """What an attached console does: decode and merge; `times` has both of each step."""

    def __init__(self, site: _Site) -> None:
        from console.core.inventory import empty_topology
        from console.core.merge import SiteMerger
        from console.model.builtin_metrics import BUILTIN
        from console.sources.site_bodies import Faults
        from console.sources.site_stream import StreamDecoder

        self._site = site
        self._decoder = StreamDecoder(Faults(site.name, "api"), site.name, site.name, BUILTIN)
        self._merger = SiteMerger(empty_topology(site.name), BUILTIN)
        self.times: list[tuple[float, float]] = []

    def hear(self, records: Sequence[Any]) -> None:
        """Decode and merge records."""
        from console.sources.site_stream import split

        bodies, _ = split(b"".join(record.data for record in records))
        parts: list[Any] = []
        decode_s = _timed(lambda: parts.extend(part for body in bodies for part in self._decoder.feed(body)))

        def merge() -> None:
            for part in parts:
                self._merger.apply(part, source="api", stale_after_s=200.0, received_at=self._site.at)
            self._merger.frame(self._site.at)

        self.times.append((decode_s, _timed(merge)))


def _timed(function: Callable[[], object]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started
