"""A vector of 100,000 series, decoded and merged, beside msgspec's decode of the same bytes to value and label."""

from __future__ import annotations

from bench.measure import Figure, seconds


def run(*, quick: bool) -> list[Figure]:
    """Return the figure."""
    import msgspec

    from bench.prometheus_body import BARE, decoded_and_merged, vector_body

    runs = 5 if quick else 15
    body = vector_body(12_500)
    decoder = msgspec.json.Decoder(BARE)
    warm = decoded_and_merged(body)
    warm()
    ours = seconds(warm, runs)
    reference = seconds(lambda: decoder.decode(body), runs)
    return [
        Figure(
            "decode + merge of a 100,000-series vector",
            ours,
            "s",
            reference,
            "msgspec into value + join label",
            must=2,
            note=f"{len(body) / 1e6:.0f} MB of JSON",
        )
    ]
