"""What systemd and we tell each other: sockets that it opened, readiness, the watchdog."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_DESCRIPTOR = 3


class Notifier:
    """Sends states to the socket that `$NOTIFY_SOCKET` names; does nothing where there is none, and never raises."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        ours = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        usec = environment.get("WATCHDOG_USEC", "") if ours else ""
        self.watchdog_s = int(usec) / 1e6 if usec.isdecimal() else 0.0
        """Within so many seconds systemd wants to hear that we live; 0 where it does not."""

    def ready(self, status: str) -> None:
        """Say that we serve."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is read anew; `ready` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that we end."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in one line what we do."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog."""
        if self.watchdog_s:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto(message.encode(), self._address)
        except OSError:
            return  # whoever started us does not listen: nothing depends on it


def passed_sockets(environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """Return the listening sockets that systemd opened for us, empty where it did not."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environment.get("LISTEN_FDS", "")
    numbers = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + (int(count) if count.isdecimal() else 0))
    found = [socket.socket(fileno=number) for number in numbers]
    for each in found:
        each.set_inheritable(False)
    return found
