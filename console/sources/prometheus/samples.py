"""Takes the newest sample of each raw series out of its JSON, which is decoded as one flat array for many series.

A list for each series would be a hundred thousand objects for the garbage collector to walk, with the lock held.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Samples = tuple[list[float], list[float]]
Loose = float | str | None

_floats = msgspec.json.Decoder(list[float], strict=False)
_loose = msgspec.json.Decoder(list[Loose])
_pairs = msgspec.json.Decoder(list[tuple[float, msgspec.Raw]])
_stamps = msgspec.json.Decoder(list[float])


def is_empty(piece: msgspec.Raw) -> bool:
    """Return whether a series has no samples: `[]`."""
    return len(memoryview(piece)) < 3


def newest_pairs(pieces: Sequence[msgspec.Raw]) -> Samples:
    """Return times (s) and values of the last of each `[[time, "value"], ...]`; raises msgspec.ValidationError."""
    tails = [bytes(piece).rpartition(b"[")[2].rstrip(b"] \n\t") for piece in pieces]
    flat = _numbers(b"[" + b",".join(tails) + b"]")
    if len(flat) != 2 * len(tails):
        raise msgspec.ValidationError("samples are not pairs of time and value")
    return flat[::2], flat[1::2]


def newest_lines(values: Sequence[msgspec.Raw], stamps: Sequence[msgspec.Raw]) -> Samples:
    """Return times (s) and values of the newest sample of each export line; raises msgspec.ValidationError.

    Raw samples of two replicas are not in order of time. What is no number reads as NaN.
    """
    times, lengths = _flat(stamps, _floats.decode)
    numbers, counts = _flat(values, _values)
    if not len(lengths):
        return [], []
    if not np.array_equal(lengths, counts):
        raise msgspec.ValidationError("a line has not as many values as timestamps")
    starts = np.cumsum(lengths) - lengths
    newest = np.maximum.reduceat(times, starts)
    # The first of a series' samples that has its newest time.
    hits = np.flatnonzero(times == np.repeat(newest, lengths))
    first = hits[np.searchsorted(hits, starts)]
    return (newest / 1000).tolist(), numbers[first].tolist()


def gaps_of_pairs(piece: msgspec.Raw) -> list[float]:
    """Return the seconds between the samples of a series of pairs."""
    return _gaps([at for at, _ in _pairs.decode(piece)])


def gaps_of_line(stamps: msgspec.Raw) -> list[float]:
    """Return the seconds between the samples of an export line."""
    return _gaps([at / 1000 for at in _stamps.decode(stamps)])


def _gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times) if after > before]


def _flat(
    pieces: Sequence[msgspec.Raw], decode: Callable[[bytes], list[float]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return all numbers of many arrays, and how many each has."""
    texts = [bytes(piece)[1:-1] for piece in pieces]
    counts = np.fromiter((text.count(b",") + 1 for text in texts), dtype=np.int64, count=len(texts))
    numbers = np.array(decode(b"[" + b",".join(texts) + b"]"), dtype=np.float64)
    if len(numbers) != counts.sum():
        raise msgspec.ValidationError("samples are not numbers")
    return numbers, counts


def _values(text: bytes) -> list[float]:
    # Exports have text like "Infinity", or null, now and then.
    try:
        return _floats.decode(text)
    except msgspec.ValidationError:
        return [_number(each) for each in _loose.decode(text)]


def _numbers(text: bytes) -> list[float]:
    try:
        return _floats.decode(text)
    except msgspec.ValidationError:  # +Inf is a number to Prometheus alone
        return _floats.decode(text.replace(b'"+Inf"', b'"Inf"'))


def _number(value: Loose) -> float:
    try:
        return float("nan") if value is None else float(value)
    except ValueError:
        return float("nan")
