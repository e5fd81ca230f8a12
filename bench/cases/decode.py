"""A vector of 100,000 series, decoded and merged, beside msgspec's decode of the same bytes to value and label."""

from __future__ import annotations

from itertools import cycle

from bench.measure import Figure, in_turns

NODES = 12_500


def run(*, quick: bool) -> list[Figure]:
    """Return the figure of a metric whose GPUs are known, and that of a sweep's first one, which looks at the nodes."""
    return [
        _figure("temp_c", "decode + merge of a 100,000-series vector", must=2, quick=quick),
        _figure("power_w", "the same of a sweep's first metric, where GPUs are looked for", must=None, quick=quick),
    ]


def _figure(metric: str, name: str, *, must: float | None, quick: bool) -> Figure:
    import msgspec

    from bench.prometheus_body import Bare, Decoding, vector_body

    bodies = [vector_body(NODES, phase, metric) for phase in range(2)]
    decoding = Decoding(vector_body(NODES, 0, "power_w"))
    # Numbers are strings to the query API: the reference makes numbers of them, too.
    decoder = msgspec.json.Decoder(Bare, strict=False)
    turns = cycle(bodies)
    ours, reference = in_turns(
        lambda: decoding.take(metric, next(turns)), lambda: decoder.decode(bodies[0]), 7 if quick else 21
    )
    assert decoding.merger.topology.gpus == NODES * 8
    size = f"{len(bodies[0]) / 1e6:.0f} MB of JSON; all values new"
    return Figure(name, ours, "s", reference, "msgspec into value + join label", must=must, note=size)
