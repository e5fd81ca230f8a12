"""A lock beside a SQLite file: one process writes it; whoever comes second is told who that is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from typing import TYPE_CHECKING

from console.model.errors import StateBusy, StateError

if TYPE_CHECKING:
    from pathlib import Path


class LockFile:
    """Held from `take` to `release`; the system lets go of it when the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(f"{database.name}.lock")
        self._descriptor = -1

    def take(self) -> None:
        """Take the lock; raises StateBusy with who holds it, StateError where there can be none."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            words = error.strerror or str(error)
            raise StateError(
                f"state {self._database}: {self._path}: {words}; give this user the right to write in that folder"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = self._holder(descriptor)
            os.close(descriptor)
            raise StateBusy(
                f"state {self._database}: {holder} writes it; one alone may: end that one, attach to it, "
                "or name another file (a team uses `gigadeck serve` or PostgreSQL)"
            ) from None
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the lock holds without our name in it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the lock; the file stays, so that two never lock two files of one name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @staticmethod
    def _holder(descriptor: int) -> str:
        pid, _, host = os.pread(descriptor, 200, 0).decode(errors="replace").strip().partition(" ")
        if not pid.isdigit():
            return "another process"
        return f"process {pid}" if host in ("", socket.gethostname()) else f"process {pid} on {host}"
