"""What comes from one node, taken apart as it arrives; no I/O here, and nothing without a bound."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from console.core.kernel_log import pci_key
from console.core.kernel_signs import worth_reading
from console.sources.smi.failures import SmiFailure, read_failure, read_form
from console.sources.smi.xml import END
from console.sources.ssh.script import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINE_BYTES = 16 * 1024
MOST_XML_BYTES = 8 * 1024 * 1024
MOST_ROWS = 1024
MOST_GPUS = 256
MOST_SAID = 20
MOST_KERNEL_LINES = 1000
MOST_NOISE_BYTES = 1024 * 1024


class FloodError(Exception):
    """A node sends more than anything we asked for could be."""


class LineCutter:
    """Cuts bytes into lines; a line longer than `limit` is dropped, and counted."""

    def __init__(self, limit: int = MOST_LINE_BYTES) -> None:
        self.limit = limit
        self.dropped = 0
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield every line that is whole."""
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._skipping or len(line) > self.limit:
                self._skipping = False
                self.dropped += 1
                continue
            yield line.rstrip(b"\r").decode("utf-8", "replace")
        if len(rest) > self.limit:
            self._skipping, rest = True, b""
        self._rest = rest


class NodeStream:
    """The output of one session on a node.

    `rows` hold (arrived at, field names, line) of CSV rows, or (arrived at, (), document) of XML; `kernel` (arrived
    at, line). Both are filled on the loop thread and emptied on the compute thread. Rows are given out when all of one
    time are there: half of a node must not look like lost GPUs. Whatever comes before the script's first word (banner,
    message of the day, what a shell's start-up prints) is noise.
    """

    def __init__(self) -> None:
        self.started_at = 0.0
        self.row_at = 0.0
        self.fields: tuple[str, ...] = ()
        self.pcis: tuple[str, ...] = ()
        self.kernel_log = ""
        self.exit_code: int | None = None
        self.noise_bytes = 0
        self.body_bytes = 0
        self.lost: set[str] = set()
        self.form: SmiFailure | None = None
        self.rows: deque[tuple[float, tuple[str, ...], str]] = deque(maxlen=MOST_ROWS)
        self.kernel: deque[tuple[float, str]] = deque(maxlen=MOST_KERNEL_LINES)
        self.said: deque[str] = deque(maxlen=MOST_SAID)
        self._out, self._err = LineCutter(), LineCutter()
        self._batch: list[tuple[float, tuple[str, ...], str]] = []
        self._last_index = -1
        self._batches = 0
        self._since_rows = 0
        self._xml: list[str] | None = None
        self._xml_bytes = 0

    def feed(self, data: bytes, at: float) -> bool:
        """Take output; return whether there are new rows. Raises FloodError."""
        self.body_bytes += len(data)
        if not self.started_at:
            self.noise_bytes += len(data)
            if self.noise_bytes > MOST_NOISE_BYTES:
                raise FloodError("1 MiB came before the first word of our script: look at the shell's start-up files")
        before = self._batches
        for line in self._out.feed(data):
            self._line(line, at)
        self._since_rows = 0 if self._batches != before else self._since_rows + len(data)
        if self.started_at and self._since_rows > (MOST_XML_BYTES if self._xml is not None else MOST_NOISE_BYTES):
            raise FloodError("it sends and sends, and no row of it can be read")
        return self._batches != before

    @property
    def held(self) -> bool:
        """Whether rows wait for the others of their time."""
        return bool(self._batch)

    def flush(self) -> None:
        """Give out the rows that wait: no more of their time will come."""
        if self._batch:
            self.row_at = self._batch[-1][0]
            self.rows.extend(self._batch)
            self._batch = []
            self._batches += 1
        self._last_index = -1

    def feed_kernel(self, data: bytes, at: float) -> bool:
        """Take kernel log lines; return whether one of them may tell of a fault."""
        self.body_bytes += len(data)
        told = False
        for line in self._err.feed(data):
            if self.started_at and worth_reading(line):
                self.kernel.append((at, line))
                told = True
            elif not self.started_at:
                self.said.append(line)
        return told

    def failure(self) -> SmiFailure | None:
        """Return what went wrong with nvidia-smi, from what it said and how it ended; None for nothing."""
        return read_failure("\n".join(self.said), self.exit_code or 0) or (None if self.row_at else self.form)

    def _line(self, line: str, at: float) -> None:
        if line.startswith(MARK):
            self._control(line[len(MARK) :].split(), at)
        elif not self.started_at:
            self.said.append(line)
        elif self._xml is not None:
            self._xml_line(line, at)
        elif line[:1].isdecimal() and "," in line:
            self._row(line, at)
        elif line.strip():
            self._words(line)

    def _row(self, line: str, at: float) -> None:
        cells = line.split(",")
        if len(cells) < len(self.fields):  # a name may hold commas, but nothing takes any away
            self._words(line)
            return
        index = int(cells[0]) if cells[0].isdecimal() and len(cells[0]) < 5 else 0
        if index <= self._last_index:
            self.flush()
        self._batch.append((at, self.fields, line))
        self._last_index = index
        where = self.fields.index("count") if "count" in self.fields else -1
        told = cells[where].strip() if 0 <= where < len(cells) else ""
        if len(self._batch) >= (int(told) if told.isdecimal() and 0 < int(told[:4]) <= MOST_GPUS else MOST_GPUS):
            self.flush()

    def _words(self, line: str) -> None:
        self.said.append(line)
        failure = read_failure(line)
        if failure is not None and failure.lost:
            self.lost.add(failure.lost)
        self.form = read_form(line) or self.form  # the last one: other forms begin as the list of GPUs does

    def _control(self, words: list[str], at: float) -> None:
        what, rest = (words[0], words[1:]) if words else ("", [])
        if what == "start":
            self.started_at = at
            self.said.clear()
        elif what == "pci" and rest:
            self.pcis = tuple(dict.fromkeys((*self.pcis, pci_key(rest[0]))))[:64]
        elif what == "kernel" and rest:
            self.kernel_log = rest[0]
        elif what == "fields" and rest:
            self.fields = tuple(rest[0].split(","))
        elif what == "xml":
            self._xml = []
            self._out.limit = MOST_LINE_BYTES
        elif what == "exit" and rest and rest[0].isdecimal():
            self.exit_code = int(rest[0])

    def _xml_line(self, line: str, at: float) -> None:
        assert self._xml is not None  # called only in XML form
        if not self._xml and not line.lstrip().startswith("<"):
            self._words(line)
            return
        self._xml.append(line)
        self._xml_bytes += len(line)
        if END in line:
            self._batch.append((at, (), "\n".join(self._xml)))
            self.flush()
        if END in line or self._xml_bytes > MOST_XML_BYTES:
            self._xml, self._xml_bytes = [], 0
