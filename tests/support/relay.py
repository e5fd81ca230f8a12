"""A TCP relay in front of a real server, which calls back once so many bytes of answers have passed."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = 65536
LIMIT_S = 60.0


@dataclass
class Relay:
    """`arm` makes it call `then` once an answer has let so many bytes pass."""

    target: tuple[str, int]
    port: int = 0
    fired: threading.Event = field(default_factory=threading.Event)
    _after_bytes: int = 0
    _then: Callable[[], object] | None = None
    _sockets: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def arm(self, after_bytes: int, then: Callable[[], object]) -> None:
        self.fired.clear()
        self._after_bytes, self._then = after_bytes, then

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, timeout=LIMIT_S)
            except OSError:
                client.close()
                continue
            self._sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                sink.sendall(data)
                passed += len(data)
                if answers and self._then is not None and passed >= self._after_bytes:
                    then, self._then = self._then, None
                    then()
                    self.fired.set()
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in self._sockets:
            each.close()


@contextmanager
def relay(target: str) -> Iterator[Relay]:
    """Relay a free loopback port to `http://host:port`."""
    host, _, port = target.removeprefix("http://").partition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    running = Relay((host, int(port)), listener.getsockname()[1])
    thread = threading.Thread(target=running.accept, args=(listener,), name="relay", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        running.close()
        thread.join(5)
