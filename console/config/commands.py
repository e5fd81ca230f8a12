"""Commands that a fleet file names (credentials, inventories): run without a shell, in bounded time and memory."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CHUNK_BYTES = 65536


class CommandError(Exception):
    """A command that gave no answer; the text holds neither its arguments nor its output."""


def run_command(
    argv: Sequence[str], base: Path, timeout_s: float, limit_bytes: int, more_env: Mapping[str, str] | None = None
) -> bytes:
    """Return the standard output of a command that runs in the folder `base`, with `more_env` beside our environment.

    Standard error goes nowhere (it may hold secrets) and there is no standard input. Raises CommandError after
    `timeout_s`, over `limit_bytes`, for an exit status other than 0, or when the command cannot be started.
    """
    try:
        process = subprocess.Popen(
            [os.path.expanduser(argv[0]), *argv[1:]],
            cwd=base,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **more_env} if more_env else None,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its arguments are not valid"
        raise CommandError(f"{argv[0]} cannot be run: {reason}") from None
    with process:
        try:
            return _answer(process, argv[0], time.monotonic() + timeout_s, timeout_s, limit_bytes)
        finally:
            _end(process)


def _answer(process: subprocess.Popen[bytes], name: str, until: float, timeout_s: float, limit_bytes: int) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    poll = select.poll()  # select() fails for the high descriptors of a process with thousands of connections
    poll.register(process.stdout, select.POLLIN | select.POLLHUP)
    while True:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise CommandError(f"{name} gave no answer in {timeout_s:g} s")
        chunk = os.read(process.stdout.fileno(), CHUNK_BYTES)
        if not chunk:
            break
        output += chunk
        if len(output) > limit_bytes:
            raise CommandError(f"{name} printed more than {limit_bytes} bytes")
    try:
        status = process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise CommandError(f"{name} did not end in {timeout_s:g} s") from None
    if status:
        raise CommandError(f"{name} failed with exit status {status}; run it by hand to see why")
    return bytes(output)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started (its own session), so that nobody waits for a pipe it left open."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
