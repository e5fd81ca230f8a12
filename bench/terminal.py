"""Runs a terminal program on a pseudo-terminal, and says when something is on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
