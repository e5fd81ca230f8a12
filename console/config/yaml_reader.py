"""YAML as this program means it: version 1.2, no duplicate keys, the line of every key, bounded in every way.

Nodes are built from the parser's events: PyYAML's C composer calls itself for each level and crashes on deep nesting,
and its constructor reads `NO` as false, `0777` as octal, `1:30` as 90 and lets the last of two equal keys win.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from console.config.scalars import scalar, shown
from console.model.errors import ConfigError

MAX_BYTES = 16 * 1024 * 1024
MAX_VALUES = 1_000_000  # with aliases written out: what a 'billion laughs' file would make of itself
MAX_DEPTH = 50
MERGE = "<<"

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")


class Map(dict[str, Any]):
    """A mapping with the line of each key; `line` is its own."""

    line = 0
    weight = 1
    depth = 1

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class Seq(list[Any]):
    """A sequence with the line of each item."""

    line = 0
    weight = 1
    depth = 1

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


@dataclass(frozen=True, eq=False)
class Document:
    """What a file holds (`data`, None if it cannot be read at all) and what is wrong with it as YAML."""

    file: str
    data: Any
    errors: tuple[ConfigError, ...] = ()

    def line_of(self, path: tuple[str | int, ...]) -> int:
        """Return the line of the deepest part of a path that the file has, 0 if it has none of it."""
        here, line = self.data, int(getattr(self.data, "line", 0))
        for step in path:
            if not has(here, step):
                break
            line = here.lines[step]
            here = here[step]
        return line

    def error(self, path: tuple[str | int, ...], message: str) -> ConfigError:
        """Return a fault at a path: `sites.muc1.sources[0].url`."""
        return ConfigError(self.file, self.line_of(path), self.key_of(path), message)

    def key_of(self, path: tuple[str | int, ...]) -> str:
        """Return a path as text; an item of a list goes by its name where it has one."""
        here, text = self.data, ""
        for step in path:
            here = here[step] if has(here, step) else None
            name = here.get("name") if isinstance(step, int) and isinstance(here, Map) else None
            text += f".{shown(name)}" if isinstance(name, str) and name else _step(step)
        return text.lstrip(".")


def has(here: Any, step: str | int) -> bool:
    """Whether a container has a key or an item."""
    if isinstance(here, Map):
        return step in here.lines
    return isinstance(here, Seq) and isinstance(step, int) and step < len(here)


def _step(step: str | int) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{shown(step)}"


def read_yaml(path: Path, limit_bytes: int = MAX_BYTES) -> Document:
    """Return what a YAML file holds; a file that cannot be read is a document with one error."""
    text = read_text(path, limit_bytes)
    return Document(str(path), None, (text,)) if isinstance(text, ConfigError) else parse_yaml(text, str(path))


def read_text(path: Path, limit_bytes: int = MAX_BYTES) -> str | ConfigError:
    """Return a file's text, or what is wrong with it (no such file, no permission, not UTF-8, over the limit)."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            return ConfigError(str(path), 0, "", f"is larger than the limit of {limit_bytes} bytes")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return ConfigError(str(path), data.count(b"\n", 0, error.start) + 1, "", "is not UTF-8 text")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a valid file name"
        return ConfigError(str(path), 0, "", f"cannot be read: {reason}")


def parse_yaml(text: str, file: str) -> Document:
    """Return the one document of a text; never raises for what the text holds."""
    composer = _Composer(file)
    try:
        for event in _events(text):
            composer.take(event)
    except _BrokenError as error:
        return Document(file, None, (*composer.errors, ConfigError(file, error.line, "", error.message)))
    return Document(file, composer.root, tuple(composer.errors))


class _BrokenError(Exception):
    """A text that is not one YAML document."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "cannot be parsed"
        raise _BrokenError(mark.line + 1 if mark else 0, f"is not valid YAML: {shown(reason, 120)}") from None
    except (yaml.YAMLError, ValueError) as error:
        line = text.count("\n", 0, getattr(error, "position", 0) or 0) + 1
        raise _BrokenError(line, "is not valid YAML: it holds a character that YAML does not allow") from None


@dataclass(eq=False)
class _Open:
    """A mapping or sequence that is being filled."""

    container: Map | Seq
    anchor: str | None
    key: str | None = None
    key_line: int = 0
    merges: bool = False
    merged: list[tuple[int, Any]] = field(default_factory=list)


class _Composer:
    """Builds values from events with a stack of its own, so that no text can exhaust the interpreter's."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Any = None
        self.errors: list[ConfigError] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Any] = {}
        self._documents = 0

    def take(self, event: Any) -> None:
        handler = _HANDLERS.get(type(event))
        if handler:
            handler(self, event, event.start_mark.line + 1)

    def document(self, event: Any, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _BrokenError(line, "holds more than one document (---)")

    def start(self, event: Any, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _BrokenError(line, f"is nested more than {MAX_DEPTH} levels deep")
        self._check_tag(event, line)
        container = Map() if isinstance(event, yaml.MappingStartEvent) else Seq()
        container.line = line
        if self._is_key():
            raise _BrokenError(line, "has a key that is not text")
        self._stack.append(_Open(container, event.anchor))

    def end(self, event: Any, line: int) -> None:
        opened = self._stack.pop()
        for at, value in opened.merged:
            self._merge(opened.container, value, at)
        self._put(opened.container, opened.container.line, opened.anchor)

    def scalar(self, event: Any, line: int) -> None:
        if self._is_key():
            self._key(event.value, line, plain=event.implicit[0])
            return
        if not event.implicit[0]:
            self._check_tag(event, line)
        self._put(scalar(event.value) if event.implicit[0] else event.value, line, event.anchor)

    def alias(self, event: Any, line: int) -> None:
        if self._is_key():
            raise _BrokenError(line, "has a key that is not text")
        if event.anchor not in self._anchors:
            raise _BrokenError(line, f"refers to *{shown(event.anchor)}, which is not defined before")
        self._put(self._anchors[event.anchor], line, None)

    def _is_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].container, Map) and self._stack[-1].key is None

    def _key(self, text: str, line: int, *, plain: bool) -> None:
        top = self._stack[-1]
        lines = top.container.lines
        if text in lines and not (plain and text == MERGE) and isinstance(lines, dict):
            self.errors.append(ConfigError(self.file, line, shown(text), f"is a duplicate of line {lines[text]}"))
        top.key, top.key_line, top.merges = text, line, plain and text == MERGE

    def _put(self, value: Any, line: int, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = value
        if not self._stack:
            self.root = value
            return
        top = self._stack[-1]
        if isinstance(top.container, Seq):
            top.container.append(value)
            top.container.lines.append(line)
        elif top.merges:
            top.merged.append((top.key_line, value))
        else:
            key = top.key or ""
            top.container[key] = value
            top.container.lines[key] = top.key_line
        top.key = None
        self._weigh(top.container, value, line)

    def _weigh(self, container: Map | Seq, value: Any, line: int) -> None:
        container.weight += getattr(value, "weight", 1)
        container.depth = max(container.depth, 1 + getattr(value, "depth", 0))
        if container.weight > MAX_VALUES:
            raise _BrokenError(line, f"holds more than {MAX_VALUES:,} values (aliases written out)")
        if container.depth > MAX_DEPTH:
            raise _BrokenError(line, f"is nested more than {MAX_DEPTH} levels deep")

    def _merge(self, into: Map | Seq, value: Any, line: int) -> None:
        """Add the keys of a merged mapping (or of several) that the mapping does not have itself."""
        for source in value if isinstance(value, Seq) else [value]:
            if not isinstance(source, Map) or not isinstance(into, Map):
                self.errors.append(ConfigError(self.file, line, MERGE, "must refer to a mapping, or to a list of them"))
                return
            for key in source:
                if key not in into:
                    into[key] = source[key]
                    into.lines[key] = source.lines[key]
                    self._weigh(into, source[key], line)

    def _check_tag(self, event: Any, line: int) -> None:
        if event.tag not in _STRING_TAGS or (event.tag == _STRING_TAGS[2] and not isinstance(event, yaml.ScalarEvent)):
            self.errors.append(ConfigError(self.file, line, "", f"uses a tag ({shown(event.tag)}); write plain values"))


_HANDLERS: dict[type, Any] = {
    yaml.DocumentStartEvent: _Composer.document,
    yaml.MappingStartEvent: _Composer.start,
    yaml.SequenceStartEvent: _Composer.start,
    yaml.MappingEndEvent: _Composer.end,
    yaml.SequenceEndEvent: _Composer.end,
    yaml.ScalarEvent: _Composer.scalar,
    yaml.AliasEvent: _Composer.alias,
}
