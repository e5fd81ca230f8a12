"""A program in a real pseudo-terminal, read as a terminal would show it (pyte)."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

READ_BYTES = 65536
ALTERNATE_ON, ALTERNATE_OFF = "\x1b[?1049h", "\x1b[?1049l"
CURSOR_OFF, CURSOR_ON = "\x1b[?25l", "\x1b[?25h"


# What pyte prints or trips over: private sequences, mode requests, OSC, DCS and their like.
_UNKNOWN = re.compile(
    rb"\x1b\[[<>=][0-9;:]*[ -/]*[@-~]|\x1b\[\??[0-9;]*[ -/]+[@-~]"
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X].*?\x1b\\",
    re.DOTALL,
)
_PARTIAL = re.compile(rb"\x1b(?:\[[0-9;:<>=?]*[ -/]*|\][^\x07]{0,400}|[P_^X].{0,400})?\Z", re.DOTALL)
# Makes the pty the controlling terminal, so that it passes on changes of its size, and becomes the command. What the
# interpreter adds to the environment in the C locale (PEP 538) is not the user's and is not passed on.
_ADOPT = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.environ.pop("LC_CTYPE", None)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A child on a pty of `columns` x `lines`; every wait has a limit."""

    def __init__(
        self, command: Sequence[str], columns: int = 80, lines: int = 24, environ: Mapping[str, str] | None = None
    ) -> None:
        self.raw = ""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._pending = b""
        self._fd, theirs = pty.openpty()
        self._size(columns, lines)
        self.modes_before = termios.tcgetattr(self._fd)
        self._child = subprocess.Popen(
            [sys.executable, "-c", _ADOPT, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**_own_environment(), **(environ or {})},
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended():
            self._child.kill()
        self._child.wait(10)
        if self._fd >= 0:
            os.close(self._fd)

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as a user's window does."""
        self._screen.resize(lines, columns)
        self._size(columns, lines)

    def send(self, text: str) -> None:
        """Type."""
        os.write(self._fd, text.encode())

    def hang_up(self, timeout_s: float = 10.0) -> int:
        """Vanish as a lost connection does, and return the exit code of the child; TimeoutExpired after the limit."""
        os.close(self._fd)
        self._fd = -1
        return self._child.wait(timeout_s)

    @property
    def text(self) -> str:
        """What the terminal shows."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def read(self, timeout_s: float = 0.1) -> bool:
        """Take what the child wrote; return whether it wrote anything."""
        ready, _, _ = select.select([self._fd], [], [], timeout_s)
        if not ready:
            return False
        try:
            data = os.read(self._fd, READ_BYTES)
        except OSError:  # the child closed its side
            return False
        self.raw += data.decode("utf-8", "replace")
        self._feed(data)
        return bool(data)

    def _feed(self, data: bytes) -> None:
        known = _UNKNOWN.sub(b"", self._pending + data)
        partial = _PARTIAL.search(known)
        self._pending = known[partial.start() :] if partial else b""
        self._stream.feed(known[: partial.start()] if partial else known)

    def wait_for(self, shown: str | Callable[[str], bool], timeout_s: float = 30.0) -> str:
        """Return the screen as soon as it shows a text (or satisfies a condition); AssertionError after the limit."""
        holds = shown if callable(shown) else lambda text: shown in text
        deadline = time.monotonic() + timeout_s
        while not holds(self.text):
            left = deadline - time.monotonic()
            if left <= 0 or (not self.read(min(0.2, left)) and self.ended()):
                raise AssertionError(f"not shown within {timeout_s:g} s: {shown!r}; the screen is:\n{self.text}")
        return self.text

    def ended(self) -> bool:
        """Whether the child has ended."""
        return self._child.poll() is not None

    def stopped(self) -> bool:
        """Whether the child is suspended."""
        status = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return status == "T"

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Read until a condition holds; AssertionError after the limit."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.read(0.05)
            if time.monotonic() > deadline:
                raise AssertionError(f"not so within {timeout_s:g} s; the screen is:\n{self.text}")

    def clear(self) -> None:
        """Forget what the terminal shows."""
        self._screen.reset()

    def signal(self, number: int) -> None:
        """Send a signal to the child alone."""
        self._child.send_signal(number)

    def wait_for_end(self, timeout_s: float = 10.0) -> int:
        """Return the exit code, everything read; AssertionError after the limit."""
        deadline = time.monotonic() + timeout_s
        while not self.ended():
            self.read(0.05)
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout_s:g} s; the screen is:\n{self.text}")
        while self.read(0.05):
            pass
        return int(self._child.returncode)

    @property
    def modes(self) -> list[object]:
        """The line discipline now."""
        return termios.tcgetattr(self._fd)

    @property
    def restored(self) -> bool:
        """Whether the last word on the alternate screen is 'off', and on the cursor 'on'."""
        return self.raw.rfind(ALTERNATE_OFF) > self.raw.rfind(ALTERNATE_ON) and self.raw.rfind(
            CURSOR_ON
        ) > self.raw.rfind(CURSOR_OFF)

    @property
    def after(self) -> str:
        """What was written to the shell's own screen after the end."""
        rest = self.raw[self.raw.rfind(ALTERNATE_OFF) + len(ALTERNATE_OFF) :]
        return re.sub(r"\x1b\[[0-9;?<=>]*[A-Za-z]", "", rest).strip()


def _own_environment() -> dict[str, str]:
    """Return the environment without what would change how the console draws."""
    return {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLORTERM", "TERM", "TMUX")}


def gigadeck(*arguments: str) -> list[str]:
    """Return the command line of the console in this environment."""
    return [sys.executable, "-m", "console", *arguments]
