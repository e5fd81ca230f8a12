"""Keeps what small files said in the user's cache folder: to read YAML again at each start is a fifth of it.

Whatever is wrong with the cache (missing, damaged, of another version, not to be written) means that files are read.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from console import __version__

MOST_FILES = 200
MOST_BYTES = 4 * 1024 * 1024
# Within so long a file may change again under the same time stamp.
FRESH_S = 2.0
_MODEL = Path(__file__).resolve().parent.parent / "model"
Value = TypeVar("Value")


class Kept:
    """What was read from files, kept in one file `store`; a file counts as the same by its time and its size.

    `plain` turns a value into what JSON can hold, `made` makes it again. Call `save` when all are read.
    """

    def __init__(self, store: Path, plain: Callable[[Value], Any], made: Callable[[Any], Value]) -> None:
        self._store = store
        self._plain: Callable[[Any], Any] = plain
        self._made: Callable[[Any], Any] = made
        self._files: dict[str, Any] = _read(store)
        self._changed = False

    def read(self, path: Path, load: Callable[[Path], Value]) -> Value:
        """Return what the file says; what `load` raises is raised and not kept."""
        stamp = _stamp(path)
        had = self._files.get(str(path))
        if stamp and isinstance(had, list) and had[:2] == stamp:
            with contextlib.suppress(Exception):  # what is kept is of any shape; then the file is read
                value: Value = self._made(had[2])
                return value
        value = load(path)
        if stamp and time.time() - stamp[0] / 1e9 > FRESH_S:
            self._files[str(path)] = [*stamp, self._plain(value)]
            self._changed = True
        return value

    def save(self) -> None:
        """Write what is new; not being able to is no fault."""
        if not self._changed:
            return
        self._changed = False
        there = [path for path in self._files if os.path.exists(path)][-MOST_FILES:]
        with contextlib.suppress(OSError, ValueError, TypeError):
            _write(self._store, {path: self._files[path] for path in there})


def _stamp(path: Path) -> list[int]:
    """Return when a file was changed (ns) and its size in bytes; empty for what cannot be asked."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_size]


def _read(store: Path) -> dict[str, Any]:
    try:
        with open(store, "rb") as file:
            head, _, body = file.read(MOST_BYTES).partition(b"\n")
        if head == _head(body):
            return dict(json.loads(body))
    except (OSError, ValueError, TypeError):
        pass
    return {}


def _write(store: Path, files: dict[str, Any]) -> None:
    body = json.dumps(files, separators=(",", ":")).encode()
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = store.with_name(f"{store.name}.{os.getpid()}")
    try:
        beside.write_bytes(_head(body) + b"\n" + body)
        os.replace(beside, store)
    finally:
        beside.unlink(missing_ok=True)


def _head(body: bytes) -> bytes:
    """Return the first line of a store: the version, the readers' own files, and a check of the rest."""
    return f"gigadeck {__version__} {_readers():08x} {zlib.crc32(body):08x}".encode()


def _readers() -> int:
    """Return a check of the modules that read: in a checkout they change while the version stays."""
    with os.scandir(Path(__file__).parent) as found:
        modules = sorted((each.name, each.stat()) for each in found if each.name.endswith(".py"))
    tokens = ("tokens.py", os.stat(_MODEL / "tokens.py"))
    told = [(name, found.st_mtime_ns, found.st_size) for name, found in (*modules, tokens)]
    return zlib.crc32(repr(told).encode())
