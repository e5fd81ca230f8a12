"""Decodes small answers with all their labels: aggregates, own metrics, samples of what a store has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from console.sources.prometheus.answers import datas, open_envelope, partial_warnings, short

if TYPE_CHECKING:
    from console.sources.exposition.who import Who


class LabelledRow(msgspec.Struct, gc=False):
    """One row of a small answer with all its labels."""

    metric: dict[str, str]
    value: tuple[float, float] = (0.0, float("nan"))
    values: list[tuple[float, float]] = []


_small = msgspec.json.Decoder(list[LabelledRow], strict=False)


def labelled_rows(content: bytes, who: Who) -> tuple[list[LabelledRow], tuple[str, ...]]:
    """Return the rows of a small answer with all labels, and the server's warnings."""
    envelope = open_envelope(content, who)
    try:
        data = datas.decode(envelope.data)
        rows = _small.decode(bytes(data.result).replace(b'"+Inf"]', b'"Inf"]'))
    except msgspec.MsgspecError as error:
        raise who.bad(f"the answer holds rows of another shape: {short(error)}") from None
    return rows, partial_warnings(envelope)
