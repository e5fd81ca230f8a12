"""Runs a terminal program on a pseudo-terminal, and says when something is on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Marker:
    """Follows on which line of the screen a glyph was drawn last, from the bytes that move the cursor and draw it."""

    def __init__(self, glyph: str) -> None:
        self.line = 0
        self._drawn_at = 0
        self._rest = b""
        self._seen = re.compile(rb"\x1b\[(\d+);\d+H|" + re.escape(glyph.encode()))

    def feed(self, piece: bytes) -> None:
        """Take what the program wrote next; an escape sequence may be cut in two."""
        text = self._rest + piece
        end = 0
        for found in self._seen.finditer(text):
            end = found.end()
            if found[1]:
                self.line = int(found[1])
            else:
                self._drawn_at = self.line
        self._rest = text[max(end, len(text) - 16) :]

    @property
    def drawn_at(self) -> int:
        """The line, 1 at the top; 0 before the glyph was drawn."""
        return self._drawn_at


class Terminal:
    """A program on a pseudo-terminal of `columns` x `lines`; `output` is all that it wrote."""

    def __init__(
        self, command: Sequence[str], columns: int = 80, lines: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        self.started = time.perf_counter()
        self.output = bytearray()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(command[0], list(command), {**os.environ, "TERM": "xterm-256color", **(env or {})})
            finally:
                os._exit(127)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def send(self, keys: bytes) -> None:
        """Type."""
        os.write(self._fd, keys)

    def read(self, timeout_s: float) -> bytes:
        """Return what comes within `timeout_s`, empty if nothing does; raises EOFError at the program's end."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, timeout_s))
        if not ready:
            return b""
        try:
            piece = os.read(self._fd, 65536)
        except OSError:
            piece = b""
        if not piece:
            raise EOFError
        self.output += piece
        return piece

    def until(self, seen: Callable[[bytes], bool], timeout_s: float = 60.0) -> float:
        """Read until `seen(all output)`; return the seconds since the start. Raises TimeoutError."""
        end = time.perf_counter() + timeout_s
        while not seen(bytes(self.output)):
            left = end - time.perf_counter()
            if left <= 0:
                raise TimeoutError(f"not seen within {timeout_s:g} s; last output: {bytes(self.output[-300:])!r}")
            self.read(min(left, 0.5))
        return time.perf_counter() - self.started

    def listen(self, seconds: float, marker: Marker | None = None) -> None:
        """Read for so long, and forget what was read before."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            piece = self.read(left)
            if marker is not None:
                marker.feed(piece)
            del self.output[:]

    def until_moved(self, marker: Marker, timeout_s: float) -> float:
        """Read until the marker is drawn on another line; return how many seconds that took. Raises TimeoutError."""
        started, line = time.perf_counter(), marker.drawn_at
        while marker.drawn_at == line:
            if time.perf_counter() - started > timeout_s:
                raise TimeoutError(f"the marker stayed on line {line} for {timeout_s:g} s")
            marker.feed(self.read(timeout_s))
            del self.output[:]
        return time.perf_counter() - started

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        os.kill(self.pid, number)

    def drain(self, timeout_s: float) -> None:
        """Read until the program ends. Raises TimeoutError."""
        with contextlib.suppress(EOFError):
            self.until(lambda _: False, timeout_s)

    def close(self) -> None:
        """End the program and reap it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self._fd)
        os.waitpid(self.pid, 0)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
