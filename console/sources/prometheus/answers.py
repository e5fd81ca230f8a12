"""Decodes JSON answers in slices: instant vectors, range selectors (raw samples) and VictoriaMetrics' export lines."""

from __future__ import annotations

from enum import StrEnum
from json import JSONDecoder
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from console.sources.exposition.labels import strip_port
from console.sources.exposition.series import Rows
from console.sources.prometheus.samples import (
    Samples,
    gaps_of_line,
    gaps_of_pairs,
    is_empty,
    newest_lines,
    newest_pairs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console.sources.exposition.labels import Spelling
    from console.sources.exposition.who import Who

SLICE_BYTES = 256 * 1024
ROLES = ("uuid", "node", "gpu", "model", "mig")
BETWEEN = b'},{"metric":'
WARNINGS = 10
PEEK_BYTES = 8192
INTERVALS = 200
Pair = tuple[float, float]


class Shape(StrEnum):
    """What an answer's rows look like."""

    VECTOR = "vector"
    MATRIX = "matrix"
    EXPORT = "export"
    TEXT = "text"


class _Data(msgspec.Struct, gc=False):
    resultType: str = ""  # noqa: N815 - the protocol's own name
    result: msgspec.Raw = msgspec.Raw(b"[]")


class Envelope(msgspec.Struct):
    """An answer without its rows."""

    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    errorType: str = ""  # noqa: N815 - the protocol's own name
    warnings: list[str] = []
    infos: list[str] = []
    isPartial: bool = False  # noqa: N815 - VictoriaMetrics' own name


_envelopes = msgspec.json.Decoder(Envelope)
datas = msgspec.json.Decoder(_Data)
_text_decoder = JSONDecoder()


def open_envelope(content: bytes, who: Who) -> Envelope:
    """Return a small answer's envelope; raises BadPayload for another shape and for an error inside a good status."""
    try:
        envelope = _envelopes.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise who.bad(f"the answer is not what the query API promises: {short(error)}") from None
    if envelope.status != "success":
        raise who.bad(f"the query failed: {envelope.errorType or 'error'}: {envelope.error[:200]}", "look at the query")
    return envelope


def partial_warnings(envelope: Envelope) -> tuple[str, ...]:
    """Return what the server says of an incomplete answer."""
    partial = ("the store answered in part (isPartial)",) if envelope.isPartial else ()
    return (*partial, *envelope.warnings[:WARNINGS])


def peek_warnings(content: bytes) -> tuple[str, ...]:
    """Return what a query's answer says of being incomplete, without decoding its rows."""
    at = content.rfind(b'"warnings":[', max(0, len(content) - PEEK_BYTES))
    found = ("the store answered in part (isPartial)",) if b'"isPartial":true' in content[:400] else ()
    if at < 0:
        return found
    try:
        warnings, _ = _text_decoder.raw_decode(content[at + len('"warnings":') :].decode(errors="replace"))
    except ValueError:
        return found
    return (*found, *(str(warning) for warning in warnings[:WARNINGS]))


# Numbers are strings to the query API.
FIELDS: dict[Shape, dict[str, Any]] = {
    Shape.VECTOR: {"value": Pair},
    Shape.MATRIX: {"values": msgspec.Raw},
    Shape.EXPORT: {"values": msgspec.Raw, "timestamps": msgspec.Raw},
}


def _decoder(labels: type[msgspec.Struct], fields: dict[str, Any]) -> msgspec.json.Decoder[Any]:
    row = msgspec.defstruct("Row", [("metric", labels), *fields.items()], gc=False)
    lines = "timestamps" in fields
    return msgspec.json.Decoder(row) if lines else msgspec.json.Decoder(list.__class_getitem__(row), strict=False)


class RowDecoder:
    """Decodes rows into lists of what joins them, keeping only the labels of one spelling (`lean`: the UUID alone)."""

    def __init__(self, spelling: Spelling, who: Who, *, lean: bool = False) -> None:
        self._spelling = spelling
        self._who = who
        roles = ROLES[:1] if lean else ROLES
        self._fields = {role: tuple(f"{role}{i}" for i in range(len(getattr(spelling, role)))) for role in roles}
        labels = {
            name: label
            for role in roles
            for name, label in zip(self._fields[role], getattr(spelling, role), strict=True)
        }
        labels |= {} if lean else {"name": "__name__"}
        joined = msgspec.defstruct("Labels", [(name, str, "") for name in labels], rename=labels, gc=False)
        self._rows = {shape: _decoder(joined, fields) for shape, fields in FIELDS.items()}
        self._intervals: list[float] = []
        self._warnings: tuple[str, ...] = ()

    def take_findings(self) -> tuple[tuple[float, ...], tuple[str, ...]]:
        """Return the gaps between samples and the warnings that were met since the last call."""
        found = tuple(self._intervals), self._warnings
        self._intervals, self._warnings = [], ()
        return found

    def query(self, content: bytes, into: dict[str, Rows], only: str = "") -> Iterator[None]:
        """Add the rows of a query's answer to `into` by metric name; yields after each slice. Raises BadPayload.

        `only` names the metric where all rows are of one (an aggregate's rows have no name).
        """
        start, stop, last = self._bounds(content)
        if start < 0:
            yield from self._whole(content, into, only)
            return
        self._note(content[:start] + content[stop:])
        shape = Shape.MATRIX if b'"resultType":"matrix"' in content[:start] else Shape.VECTOR
        at = start
        while at < stop:
            cut = content.find(BETWEEN, at + SLICE_BYTES, last) if at + SLICE_BYTES < last else -1
            end = stop if cut < 0 else cut + 1
            self._add(shape, self._decode(shape, b"[" + content[at:end] + b"]"), into, only)
            at = end + 1
            yield

    def export(self, content: bytes, into: dict[str, Rows], only: str = "") -> Iterator[None]:
        """Add the rows of an export answer (JSON lines); yields after each slice."""
        at = 0
        while at < len(content):
            cut = content.find(b"\n", at + SLICE_BYTES) if at + SLICE_BYTES < len(content) else -1
            end = len(content) if cut < 0 else cut
            self._add(Shape.EXPORT, self._export_lines(content[at:end]), into, only)
            at = end + 1
            yield

    def _bounds(self, content: bytes) -> tuple[int, int, int]:
        """Return where the rows start and stop, and where the last one starts; -1 where slicing is not possible."""
        start = content.find(b'"result":[{"metric":', 0, 4096)
        if start < 0:
            return -1, -1, -1
        start += len(b'"result":[')
        last = max(content.rfind(BETWEEN) + 2, start)
        tail = content[last : last + SLICE_BYTES * 4]
        try:
            _, length = _text_decoder.raw_decode(tail.decode())
        except ValueError:
            return -1, -1, -1
        # Characters are not bytes where names are not ASCII.
        stop = last + len(tail.decode()[:length].encode())
        return start, stop, last

    def _note(self, frame: bytes) -> None:
        self._warnings += partial_warnings(open_envelope(frame, self._who))

    def _whole(self, content: bytes, into: dict[str, Rows], only: str) -> Iterator[None]:
        envelope = open_envelope(content, self._who)
        self._warnings += partial_warnings(envelope)
        try:
            data = datas.decode(envelope.data)
        except msgspec.MsgspecError as error:
            raise self._who.bad(f"the answer holds no result: {short(error)}") from None
        if data.resultType not in ("vector", "matrix"):
            raise self._who.bad(f"the answer is a {data.resultType[:40] or 'nothing'} instead of a vector")
        shape = Shape(data.resultType)
        yield
        self._add(shape, self._decode(shape, bytes(data.result)), into, only)

    def _decode(self, shape: Shape, piece: bytes) -> list[Any]:
        decoder = self._rows[shape]
        try:
            return decoder.decode(piece)  # type: ignore[no-any-return]  # rows of a struct made at run time
        except msgspec.ValidationError:
            pass
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._who.bad(f"the answer is damaged: {short(error)}") from None
        try:  # +Inf is a number to Prometheus alone; native histograms have no value
            return decoder.decode(piece.replace(b'"+Inf"]', b'"Inf"]'))  # type: ignore[no-any-return]  # as above
        except msgspec.MsgspecError as error:
            raise self._who.bad(f"rows of another shape than a {shape}: {short(error)}") from None

    def _export_lines(self, piece: bytes) -> list[Any]:
        try:
            return self._rows[Shape.EXPORT].decode_lines(piece)
        except msgspec.ValidationError as error:
            raise self._who.bad(f"export lines of another shape: {short(error)}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._who.bad(f"the export is damaged: {short(error)}") from None

    def _add(self, shape: Shape, found: list[Any], into: dict[str, Rows], only: str) -> None:
        found = [row for row in found if not is_empty(row.values)] if shape is not Shape.VECTOR else found
        if only:
            self._append(shape, found, into.setdefault(only, Rows()))
            return
        by_name: dict[str, list[Any]] = {}
        for row in found:
            by_name.setdefault(row.metric.name, []).append(row)
        for name, rows in by_name.items():
            self._append(shape, rows, into.setdefault(name, Rows()))

    def _append(self, shape: Shape, found: list[Any], rows: Rows) -> None:
        labels = [row.metric for row in found]
        rows.uuids += self._column("uuid", labels)
        if "node" in self._fields:
            nodes = self._column("node", labels)
            rows.nodes += [strip_port(node) for node in nodes] if self._spelling.with_port else nodes
            rows.gpus += self._column("gpu", labels)
            rows.models += self._column("model", labels)
            rows.slices += self._column("mig", labels)
        try:
            at, values = _SAMPLES[shape](found)
            self._learn_interval(shape, found)
        except msgspec.MsgspecError as error:
            raise self._who.bad(f"samples of another shape than a {shape}'s: {short(error)}") from None
        rows.at += at
        rows.values += values

    def _column(self, role: str, labels: list[Any]) -> list[str]:
        names = self._fields[role]
        if not names:
            return [""] * len(labels)
        column: list[str] = list(map(attrgetter(names[0]), labels))
        for name in names[1:]:
            if not all(column):
                column = [text or other for text, other in zip(column, map(attrgetter(name), labels), strict=True)]
        return column

    def _learn_interval(self, shape: Shape, found: list[Any]) -> None:
        if shape is Shape.VECTOR or len(self._intervals) >= INTERVALS:
            return
        for row in found[:20]:
            self._intervals += gaps_of_line(row.timestamps) if shape is Shape.EXPORT else gaps_of_pairs(row.values)


def _vector_samples(found: list[Any]) -> Samples:
    pairs = [row.value for row in found]
    return [at for at, _ in pairs], [value for _, value in pairs]


def _matrix_samples(found: list[Any]) -> Samples:
    return newest_pairs([row.values for row in found])


def _export_samples(found: list[Any]) -> Samples:
    return newest_lines([row.values for row in found], [row.timestamps for row in found])


_SAMPLES: dict[Shape, Callable[[list[Any]], Samples]] = {
    Shape.VECTOR: _vector_samples,
    Shape.MATRIX: _matrix_samples,
    Shape.EXPORT: _export_samples,
}


def drain(steps: Iterator[None]) -> None:
    """Run a decoder to its end (tests, small answers)."""
    for _ in steps:
        pass


def short(error: Exception) -> str:
    """Return an error's text in one short line."""
    return " ".join(str(error).split())[:160]
