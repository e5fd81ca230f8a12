"""Takes readings apart a part at a time, in turns between the sources; the newest reading of a source wins."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from console.model.errors import BadPayload, SourceError
from console.model.reading import AggregatePart, ColumnPart, Part, Reading
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.engine.record import SourceRecord
    from console.model.columns import Times
    from console.model.ports import Clock

DECODE_LIMIT_S = 60.0
Key = tuple[str, str]


class DecodeSink(Protocol):
    """Who takes the parts, and hears of the end."""

    def prepare(self, record: SourceRecord, part: Part) -> Iterator[None]:
        """Do in short steps what applying a part would take long for."""
        ...

    def apply(self, record: SourceRecord, reading: Reading, part: Part) -> None:
        """Merge one part."""
        ...

    def decoded(self, record: SourceRecord, reading: Reading, data_at: float) -> None:
        """Hear that a whole reading is merged; `data_at` is its newest sample."""
        ...

    def undecodable(self, record: SourceRecord, error: SourceError) -> None:
        """Hear that a reading is not what it should be."""
        ...


@dataclass(eq=False)
class _Decoding:
    record: SourceRecord
    reading: Reading
    parts: Iterator[Part]
    started: float
    data_at: float = 0.0
    part: Part | None = None
    steps: Iterator[None] | None = None


class DecodeRing:
    """At most one reading of each source in decode and one waiting.

    `offer` and `admit` are called under the owner's lock, `step` without it: a step may take its time.
    """

    def __init__(self, sink: DecodeSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._waiting: dict[Key, tuple[SourceRecord, Reading]] = {}
        self._active: OrderedDict[Key, _Decoding] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._active)

    def offer(self, record: SourceRecord, reading: Reading) -> None:
        """Queue a reading; one that still waits for its turn is dropped for it, and counted."""
        if record.key in self._waiting:
            record.dropped += 1
        self._waiting[record.key] = (record, reading)

    def admit(self) -> None:
        """Let waiting readings in where their source has none in decode."""
        for key in [key for key in self._waiting if key not in self._active]:
            record, reading = self._waiting.pop(key)
            self._active[key] = _Decoding(record, reading, _parts(reading), self._clock.monotonic())

    def step(self) -> bool:
        """Take one part of one reading; return False when there is nothing to do."""
        if not self._active:
            return False
        key, decoding = self._active.popitem(last=False)
        try:
            if self._advance(decoding):
                self._active[key] = decoding
        except SourceError as error:
            self._sink.undecodable(decoding.record, error)
        except Exception as error:  # whatever a decoder raises is its source's failure alone
            text = f"the answer cannot be read: {type(error).__name__}: {error}"
            self._sink.undecodable(decoding.record, BadPayload(*key, text))
        return True

    def _advance(self, decoding: _Decoding) -> bool:
        part = next(decoding.parts, None) if decoding.part is None else decoding.part
        decoding.part = None
        if part is None:
            self._sink.decoded(decoding.record, decoding.reading, decoding.data_at)
            return False
        if self._clock.monotonic() - decoding.started > DECODE_LIMIT_S:
            raise BadPayload(*decoding.record.key, f"the answer is not decoded after {DECODE_LIMIT_S:g} s")
        if not self._is_prepared(decoding, part):
            decoding.part = part
            return True
        self._sink.apply(decoding.record, decoding.reading, part)
        if isinstance(part, ColumnPart | AggregatePart):
            # A clock that runs ahead must not keep its data fresh after the source is gone.
            decoding.data_at = max(decoding.data_at, min(_newest(part.at), decoding.reading.received_at))
        return True

    def _is_prepared(self, decoding: _Decoding, part: Part) -> bool:
        """Take one step of what prepares a part; return whether there is none left."""
        if decoding.steps is None:
            decoding.steps = self._sink.prepare(decoding.record, part)
        for _ in decoding.steps:
            return False
        decoding.steps = None
        return True


def _parts(reading: Reading) -> Iterator[Part]:
    """Call decode() at the first step only, where its faults are caught."""
    yield from reading.decode()


def _newest(at: Times) -> float:
    if not len(at):
        return 0.0
    return float(at[0]) if at.strides == (0,) else float(at.max())
