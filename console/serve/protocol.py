"""One connection of uvicorn's, with what its other end proves beside each request, and a limit on dawdling."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

from console.serve.who import PeerInfo

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable

HEADERS_S = 10.0
LONGEST_HEAD = 32 * 1024
_CREDENTIALS = struct.Struct("3i")
_NAMES = ("DNS", "email", "URI")


class GuardedProtocol(H11Protocol):
    """Puts `peer` and `abort` into `scope["state"]`, and hangs up on whoever sends no whole request in time.

    `waits` is true while no request is being answered: such a connection may be closed for another's sake.
    """

    _deadline: asyncio.TimerHandle | None = None
    on_made: Callable[[], None] | None = None
    on_lost: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin; the peer is asked for once."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "peer": peer_of(transport), "abort": self.hang_up}
        self._expect()
        if self.on_made is not None:
            self.on_made()

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that is whole stops the clock, a part of one starts it."""
        super().data_received(data)
        if not self.waits:
            self._relax()
        elif self._deadline is None:
            self._expect()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and take no other answer to it: whoever reads its body would give one."""
        try:
            super().send_400_response(msg)
        except LocalProtocolError:  # an answer has begun
            self.hang_up()
        if self.cycle is not None:
            self.cycle.disconnected = True

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._relax()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    @property
    def waits(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def hang_up(self) -> None:
        """Close at once, whatever is under way."""
        if self.transport is not None:
            self.transport.abort()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(HEADERS_S, self._too_late)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.waits:
            self.hang_up()


def peer_of(transport: asyncio.Transport) -> PeerInfo | None:
    """Return what the other end of a connection proves, None where that cannot be told."""
    line: socket.socket | None = transport.get_extra_info("socket")
    if line is None:
        return None
    try:
        if line.family == socket.AF_UNIX:
            return unix_peer(line)
        address = line.getpeername()[0]
    except OSError:
        return None
    return PeerInfo("tcp", address=str(address), names=_certificate_names(transport))


def unix_peer(line: Any) -> PeerInfo:
    """Return the user and group of a UNIX socket's other end, as the kernel knows them; raises OSError."""
    _, uid, gid = _CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return PeerInfo("unix", uid=uid, gid=gid)


def _certificate_names(transport: asyncio.Transport) -> tuple[str, ...]:
    """Return the common name of a certificate that TLS has verified, then its alternative names."""
    certificate: dict[str, Any] = transport.get_extra_info("peercert") or {}
    layer: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if not certificate or layer is None:
        return ()
    common = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    others = [value for kind, value in certificate.get("subjectAltName", ()) if kind in _NAMES]
    return tuple(dict.fromkeys((*common, *others)))
