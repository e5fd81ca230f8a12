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
from typing import TYPE_CHECKING, Protocol

from bench.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Drawn(Protocol):
    """Anything that takes what a program writes."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        ...


class Terminal:
    """A program on a pseudo-terminal of `columns` x `lines`; `screen` is what it has drawn, `bytes` how many it wrote,
    the last of them at `read_at`.

    `drawn_on` is another screen to draw on, in place of the fast one.
    """

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        drawn_on: Drawn | None = None,
    ) -> None:
        self.screen = Screen(columns, lines)
        self.bytes = 0
        self.read_at = self.started = time.perf_counter()
        self._drawn_on = drawn_on or self.screen
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

    def read(self, timeout_s: float) -> bool:
        """Draw what comes within `timeout_s`; return whether anything did. Raises EOFError at the program's end."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, timeout_s))
        if not ready:
            return False
        try:
            piece = os.read(self._fd, 65536)
        except OSError:
            piece = b""
        if not piece:
            raise EOFError
        self.read_at = time.perf_counter()
        self.bytes += len(piece)
        self._drawn_on.feed(piece)
        return True

    def until(self, seen: Callable[[Screen], bool], timeout_s: float = 60.0) -> float:
        """Read until `seen(screen)`; return the seconds since this call. Raises TimeoutError with the screen."""
        began = time.perf_counter()
        while not seen(self.screen):
            left = began + timeout_s - time.perf_counter()
            if left <= 0:
                shown = "\n".join(line.rstrip() for line in self.screen.lines)
                raise TimeoutError(f"not seen within {timeout_s:g} s on this screen:\n{shown}")
            self.read(min(left, 0.5))
        return time.perf_counter() - began

    def listen(self, seconds: float) -> None:
        """Read for so long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    @property
    def age_s(self) -> float:
        """Seconds since the program was started."""
        return time.perf_counter() - self.started

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
