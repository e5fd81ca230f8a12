"""Decodes exposition text: pages of exporters, and `/federate` answers, whose lines carry each sample's own time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.sources.exposition.labels import strip_port
from console.sources.exposition.series import Rows

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from console.sources.exposition.labels import Spelling
    from console.sources.exposition.who import Who

# Labels that are new take 20 us a line to read: a slice of them is still a step of a few milliseconds.
SLICE_BYTES = 64 * 1024
PEEK_BYTES = 256 * 1024
REMEMBERED = 400_000
LABEL = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*+)"')
LABELS = re.compile(r'\s*(?:[a-zA-Z_]\w*\s*=\s*"(?:[^"\\]|\\.)*+"\s*(?:,\s*|$))*+')
NAME = re.compile(r"[a-zA-Z_:][\w:]*")
ESCAPE = re.compile(r"\\(.)")
EXEMPLAR = b" # {"
Joined = tuple[str, str, str, str, str]
NOT_JOINED: Joined = ("", "", "", "", "")


def parse_labels(text: str) -> dict[str, str]:
    """Return the labels of `{a="1", b="x"}` without its braces; raises ValueError."""
    if not LABELS.fullmatch(text):
        raise ValueError(f"labels cannot be read: {text[:60]!r}")
    labels = dict(LABEL.findall(text))
    if "\\" in text:
        labels = {name: ESCAPE.sub(_unescaped, value) for name, value in labels.items()}
    return labels


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


class TextDecoder:
    """Decodes lines by looking their label text up as bytes: only text that was not seen before is parsed.

    Of metrics that are not `wanted` (None: all are) only the names are looked at; `samples` counts every line.
    """

    def __init__(self, spelling: Spelling, who: Who, wanted: Container[str] | None = None) -> None:
        self._spelling = spelling
        self._who = who
        self._wanted = wanted
        self._known: dict[bytes, Joined] = {}
        self._ticks_a_second = 1000.0
        self.samples = 0

    def page(
        self, content: bytes, into: dict[str, Rows], received_at: float, *, openmetrics: bool = False
    ) -> Iterator[None]:
        """Add the rows of a page to `into` by metric name; yields after each slice. Raises BadPayload.

        A sample without a time gets `received_at`, and a row without labels is left out: it joins nothing. OpenMetrics
        writes times in seconds instead of milliseconds, and exemplars behind samples.
        """
        self._ticks_a_second = 1.0 if openmetrics else 1000.0
        exemplars = openmetrics and EXEMPLAR in content
        if len(self._known) > REMEMBERED:
            self._known = {}
        at = 0
        while at < len(content):
            cut = content.find(b"\n", at + SLICE_BYTES) if at + SLICE_BYTES < len(content) else -1
            end = len(content) if cut < 0 else cut
            lines = content[at:end].split(b"\n")
            self._slice([_bare_of_exemplar(line) for line in lines] if exemplars else lines, into, received_at)
            at = end + 1
            yield

    def _slice(self, lines: list[bytes], into: dict[str, Rows], received_at: float) -> None:
        # The value and time never hold a brace, so the last one ends the labels.
        split = [line.rpartition(b"}") for line in lines if line.strip() and line[0] != 35]
        runs: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for head, brace, tail in split:
            name, _, labels = head.partition(b"{")
            if brace:
                runs.setdefault(name, []).append((labels, tail))
            else:
                self._check_bare(tail)
        self.samples += len(split)
        for name, found in runs.items():
            text = self._name(name.strip())
            if self._wanted is None or text in self._wanted:
                self._append(text, found, into.setdefault(text, Rows()), received_at)

    def _check_bare(self, line: bytes) -> None:
        """Raise BadPayload for a line that is not a sample without labels (which joins nothing)."""
        words = line.split()
        try:
            float(words[1])
        except (IndexError, ValueError):
            raise self._who.bad(f"a line is not a sample: {line[:60].decode(errors='replace')!r}") from None

    def _append(self, name: str, found: list[tuple[bytes, bytes]], rows: Rows, received_at: float) -> None:
        known = self._known
        joins = [known.get(labels) or self._learn(labels) for labels, _ in found]
        for target, column in zip(
            (rows.uuids, rows.nodes, rows.gpus, rows.models, rows.slices), zip(*joins, strict=True), strict=True
        ):
            target.extend(column)
        numbers = b" ".join([tail for _, tail in found]).split()
        try:
            if len(numbers) == 2 * len(found):
                rows.values.extend(map(float, numbers[::2]))
                rows.at.extend([at / self._ticks_a_second for at in map(float, numbers[1::2])])
            else:
                self._some_without_time(found, rows, received_at)
        except (ValueError, IndexError):
            raise self._who.bad(f"a sample of {name[:80]} is not a number") from None

    def _some_without_time(self, found: list[tuple[bytes, bytes]], rows: Rows, received_at: float) -> None:
        for _, tail in found:
            words = tail.split()
            rows.values.append(float(words[0]))
            rows.at.append(float(words[1]) / self._ticks_a_second if len(words) > 1 else received_at)

    def _name(self, name: bytes) -> str:
        text = name.decode(errors="replace")
        if not NAME.fullmatch(text):
            raise self._who.bad(f"{text[:60]!r} is not a metric's name")
        return text

    def _learn(self, labels: bytes) -> Joined:
        try:
            joined = self.joined(parse_labels(labels.decode()))
        except (ValueError, UnicodeDecodeError):
            raise self._who.bad(f"labels cannot be read: {labels[:80].decode(errors='replace')!r}") from None
        self._known[labels] = joined
        return joined

    def joined(self, labels: Mapping[str, str]) -> Joined:
        """Return what joins a row: UUID, node, index, model, MIG instance."""
        spelling = self._spelling
        node = first_of(labels, spelling.node)
        return (
            first_of(labels, spelling.uuid),
            strip_port(node) if spelling.with_port else node,
            first_of(labels, spelling.gpu),
            first_of(labels, spelling.model),
            first_of(labels, spelling.mig),
        )


def _bare_of_exemplar(line: bytes) -> bytes:
    return line.partition(EXEMPLAR)[0] if line[:1] != b"#" else line


def first_of(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Return the first label that is there and not empty."""
    return next((labels[name] for name in names if labels.get(name)), "")


def sample_labels(content: bytes, limit: int = 50) -> list[dict[str, str]]:
    """Return the labels of the first samples of a page; unreadable lines are left out."""
    found: list[dict[str, str]] = []
    for line in content[:PEEK_BYTES].decode(errors="replace").split("\n"):
        head, brace, _ = line.rpartition("}")
        if brace and not line.startswith("#") and len(found) < limit:
            try:
                found.append(parse_labels(head.partition("{")[2]))
            except ValueError:
                continue
    return found
