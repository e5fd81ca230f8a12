"""The two log stores that we speak to: how each is asked for kernel lines, and how its answers are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

import msgspec

from console.model.values import dataclass
from console.sources.logs.lines import LONGEST_LINE, NODE_LABELS, LogLine, log_line, node_of
from console.sources.prometheus.promql import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES = "application/stream+json, application/json"
JSON = "application/json"
SECOND_NS = 1_000_000_000
# What says in VictoriaLogs that a line is the kernel's, by the ways it comes: journald, syslog, Vector, Fluent Bit.
KERNEL_FIELDS = (
    ("_TRANSPORT", "kernel"), ("transport", "kernel"), ("SYSLOG_IDENTIFIER", "kernel"), ("syslog_identifier", "kernel"),
    ("app_name", "kernel"), ("appname", "kernel"), ("facility_keyword", "kern"), ("facility", "kern"),
    ("job", "kernel"),
)  # fmt: skip
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$")


@dataclass(frozen=True, slots=True)
class Ask:
    """Lines of a window (UTC epoch nanoseconds, both ends included), at most `limit` of them.

    `words` are texts one of which a line must hold (none: any line), `nodes` names one of which its node must have;
    the oldest lines come first, and where there are too many the newest are left out, or (`newest`) the oldest.
    """

    start_ns: int
    end_ns: int
    limit: int
    words: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A request: path, parameters, what is accepted."""

    path: str
    params: tuple[tuple[str, str], ...]
    accept: str


class Store(Protocol):
    """One kind of log store."""

    flavour: str
    selector: str

    def question(self, ask: Ask) -> Question:
        """Return the request for lines."""
        ...

    def lines(self, content: bytes) -> list[LogLine]:
        """Return the lines of an answer in order of time; raises ValueError for one that is none."""
        ...


class _Stream(msgspec.Struct, gc=False):
    stream: dict[str, str]
    values: list[list[msgspec.Raw]]


class _Data(msgspec.Struct, gc=False):
    resultType: str = ""  # noqa: N815 - the API's own name
    result: list[_Stream] | None = None


class _Answer(msgspec.Struct, gc=False):
    status: str
    data: _Data | None = None


_answers = msgspec.json.Decoder(_Answer)
_texts = msgspec.json.Decoder(str)
_rows = msgspec.json.Decoder(dict[str, object])


class Loki:
    """Grafana Loki, 2.0 and newer (/loki/api/v1/query_range); `selector` is LogQL, such as `{job="kernel"}`."""

    flavour = "loki"

    def __init__(self, selector: str, node_label: str = "", *, known_label: str = "") -> None:
        self.selector = selector
        self._node_label = node_label
        self._match_label = node_label or known_label

    def question(self, ask: Ask) -> Question:
        """Return the request for lines; Loki's end is not part of the window, so one more nanosecond is asked for."""
        selector, names = self.selector, pattern_of(ask.nodes)
        if names and self._match_label:
            inside = selector.lstrip().removeprefix("{")
            comma = "" if inside.lstrip().startswith("}") else ","
            selector = f"{{{self._match_label}=~{quote(names)}{comma}{inside}"
        elif names:
            selector = f"{selector} |~ {quote('|'.join(literal(name) for name in ask.nodes))}"
        words = f" |~ {quote('|'.join(map(literal, ask.words)))}" if ask.words else ""
        params = (
            ("query", selector + words),
            ("start", str(ask.start_ns)),
            ("end", str(ask.end_ns + 1)),
            ("limit", str(ask.limit)),
            ("direction", "backward" if ask.newest else "forward"),
        )
        return Question("/loki/api/v1/query_range", params, JSON)

    def lines(self, content: bytes) -> list[LogLine]:
        """Return the lines of all streams in order of time; raises ValueError."""
        try:
            answer = _answers.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(str(error)) from None
        data = answer.data
        if answer.status != "success" or data is None or data.resultType != "streams":
            raise ValueError(f"it is {data.resultType or 'nothing' if data else answer.status!r}, not streams of lines")
        lines = [self._line(each.stream, value) for each in data.result or () for value in each.values]
        return sorted(lines)

    def _line(self, labels: dict[str, str], value: list[msgspec.Raw]) -> LogLine:
        try:
            at, text = _texts.decode(value[0]), _texts.decode(value[1])
            return log_line(int(at), labels, text, self._node_label)
        except (IndexError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"a line is no pair of time and text: {error}") from None


class VictoriaLogs:
    """VictoriaLogs (/select/logsql/query); `selector` is a LogsQL filter without pipes, empty for the usual ones."""

    flavour = "victorialogs"

    def __init__(self, selector: str = "", node_label: str = "") -> None:
        self.selector = selector or " or ".join(f"{_field(name)}:={quote(value)}" for name, value in KERNEL_FIELDS)
        self._node_label = node_label

    def question(self, ask: Ask) -> Question:
        """Return the request for lines in order of time; without the order the store may answer with any of them."""
        parts = [f"({self.selector})"]
        if ask.words:
            parts.append(f"_msg:~{quote('|'.join(map(literal, ask.words)))}")
        if ask.nodes:
            names = (self._node_label,) if self._node_label else NODE_LABELS
            pattern = quote(f"^{pattern_of(ask.nodes)}$")
            parts.append(f"({' or '.join(f'{_field(name)}:~{pattern}' for name in names)})")
        order = " desc" if ask.newest else ""
        params = (
            ("query", f"{' and '.join(parts)} | sort by (_time{order}) limit {ask.limit}"),
            ("start", str(ask.start_ns)),
            ("end", str(ask.end_ns)),
        )
        return Question("/select/logsql/query", params, LINES)

    def lines(self, content: bytes) -> list[LogLine]:
        """Return the lines in order of time, one JSON object each; raises ValueError."""
        return sorted(self._line(row) for row in content.splitlines() if row.strip())

    def _line(self, row: bytes) -> LogLine:
        try:
            fields = _rows.decode(row)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(str(error)) from None
        said, at = fields.get("_msg", ""), fields.get("_time")
        if not isinstance(said, str) or not isinstance(at, str):
            raise ValueError("a row has no _time and _msg")
        found = log_line(time_ns(at), {}, said[:LONGEST_LINE], self._node_label)
        return found._replace(node=node_of(fields, self._node_label) or found.node)


def pattern_of(names: Sequence[str]) -> str:
    """Return a pattern of exactly these names, each also with a port or a domain; empty for none."""
    return f"({'|'.join(literal(name) for name in names)})([.:].*)?" if names else ""


def literal(text: str) -> str:
    """Return a text as an RE2 pattern that matches it alone; nothing is escaped that need not be: it goes in a URL."""
    return _META.sub(r"\\\g<0>", text)


def time_ns(text: str) -> int:
    """Return an RFC 3339 time as epoch nanoseconds, which float seconds do not hold; raises ValueError."""
    from datetime import datetime

    found = _TIME.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    whole = datetime.fromisoformat(f"{text[:19]}{'+00:00' if found[8] == 'Z' else found[8]}")
    return round(whole.timestamp()) * SECOND_NS + int((found[7] or "0").ljust(9, "0"))


def _field(name: str) -> str:
    return name if re.fullmatch(r"\w+", name) else quote(name)
