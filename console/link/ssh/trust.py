"""Host keys: known_hosts files read once and kept, `@cert-authority` included; what a server offered is remembered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncssh

    from console.link.ssh.route import Route

MOST_BYTES = 64 * 1024 * 1024
MOST_WARNINGS = 5
PORT = 22


class KnownHosts:
    """The known_hosts files of one site; read again when one changed. `warnings` names lines that cannot be read."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, ...], tuple[tuple[float, ...], asyncssh.SSHKnownHosts]] = {}
        self._lock = asyncio.Lock()
        self.warnings: tuple[str, ...] = ()

    async def of(self, route: Route) -> asyncssh.SSHKnownHosts:
        """Return the known hosts of a route; files that are not there are empty."""
        async with self._lock:
            stamps = tuple(_stamp(path) for path in route.known_hosts)
            held = self._held.get(route.known_hosts)
            if held is None or held[0] != stamps:
                hosts, warnings = await asyncio.to_thread(_read, route.known_hosts)
                self.warnings = tuple(dict.fromkeys([*self.warnings, *warnings]))[:MOST_WARNINGS]
                held = self._held[route.known_hosts] = (stamps, hosts)
            return held[1]


def trusted_keys(hosts: asyncssh.SSHKnownHosts, route: Route) -> tuple[list[Any], list[Any]]:
    """Return the host keys and the authorities that are known for a route's host."""
    found = hosts.match(route.alias or route.host, "", route.port if route.port != PORT else None)
    return list(found[0]), list(found[1])


def _stamp(path: str) -> float:
    try:
        status = Path(path).stat()
    except OSError:
        return 0.0
    return status.st_mtime + status.st_size * 1e-9


def _read(paths: tuple[str, ...]) -> tuple[asyncssh.SSHKnownHosts, list[str]]:
    """Read known_hosts files line by line: a line that cannot be read must not take the others with it."""
    import asyncssh

    hosts, warnings = asyncssh.SSHKnownHosts(), []
    for path in paths:
        try:
            text = Path(path).read_bytes()[:MOST_BYTES].decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            warnings.append(f"{path}: {error.strerror}")
            continue
        for number, line in enumerate(text.splitlines(), 1):
            try:
                hosts.load(line)
            except ValueError:
                warnings.append(f"{path} line {number}: is no known_hosts line")
    return hosts, warnings
