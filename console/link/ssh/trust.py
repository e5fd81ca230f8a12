"""Host keys: known_hosts files read once and kept, `@cert-authority` included, and what a KnownHostsCommand prints."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncssh

    from console.link.ssh.route import Route

MOST_BYTES = 64 * 1024 * 1024
MOST_COMMAND_BYTES = 1024 * 1024
COMMAND_LIMIT_S = 10.0
MOST_WARNINGS = 5
PORT = 22


@dataclass(frozen=True, eq=False)
class Trusted:
    """What is known of one host: `lists` hold keys, authorities, revoked keys, four of X.509, as asyncssh has them."""

    lists: tuple[list[Any], ...]

    @property
    def keys(self) -> list[Any]:
        """The host's own keys."""
        return self.lists[0]

    @property
    def authorities(self) -> list[Any]:
        """The authorities that may sign its keys."""
        return self.lists[1]


class KnownHosts:
    """The known_hosts files of one site; read again when one changed. `warnings` names lines that cannot be read."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, ...], tuple[tuple[float, ...], asyncssh.SSHKnownHosts]] = {}
        self._lock = asyncio.Lock()
        self.warnings: tuple[str, ...] = ()

    async def of(self, route: Route) -> Trusted:
        """Return what is known of a route's host; files that are not there are empty."""
        async with self._lock:
            stamps = tuple(_stamp(path) for path in route.known_hosts)
            held = self._held.get(route.known_hosts)
            if held is None or held[0] != stamps:
                hosts, warnings = await asyncio.to_thread(_read, route.known_hosts)
                self._warn(warnings)
                held = self._held[route.known_hosts] = (stamps, hosts)
        found = _match(held[1], route)
        if route.known_hosts_command:
            more = _match(await self._printed(route.known_hosts_command), route)
            found = tuple(each + other for each, other in zip(found, more, strict=True))
        return Trusted(found)

    async def _printed(self, command: tuple[str, ...]) -> asyncssh.SSHKnownHosts:
        import asyncssh

        hosts, warnings = asyncssh.SSHKnownHosts(), []
        output, error = await _run(command)
        if error:
            warnings.append(f"KnownHostsCommand {command[0]} {error}")
        _load(hosts, output[:MOST_COMMAND_BYTES].decode("utf-8", "replace"), f"what {command[0]} printed,", warnings)
        self._warn(warnings)
        return hosts

    def _warn(self, warnings: list[str]) -> None:
        self.warnings = tuple(dict.fromkeys([*self.warnings, *warnings]))[:MOST_WARNINGS]


async def _run(command: tuple[str, ...]) -> tuple[bytes, str]:
    """Return what a command prints, and what went wrong with it."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        return b"", f"cannot be run: {error.strerror}"
    try:
        async with asyncio.timeout(COMMAND_LIMIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return b"", f"gave no answer within {COMMAND_LIMIT_S:g} s"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return output, f"ended with {process.returncode}" if process.returncode else ""


def _match(hosts: asyncssh.SSHKnownHosts, route: Route) -> tuple[list[Any], ...]:
    port = None if route.alias or route.port == PORT else route.port
    return tuple(list(each) for each in hosts.match(route.alias or route.host, "", port))


def _stamp(path: str) -> float:
    try:
        status = Path(path).stat()
    except OSError:
        return 0.0
    return status.st_mtime + status.st_size * 1e-9


def _read(paths: tuple[str, ...]) -> tuple[asyncssh.SSHKnownHosts, list[str]]:
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
        _load(hosts, text, path, warnings)
    return hosts, warnings


def _load(hosts: asyncssh.SSHKnownHosts, text: str, origin: str, warnings: list[str]) -> None:
    """Load known hosts line by line: a line that cannot be read must not take the others with it."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            hosts.load(line)
        except ValueError:
            warnings.append(f"{origin} line {number}: is no known_hosts line")
