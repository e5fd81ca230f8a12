"""A bastion that asks for a one-time code, as those with a second factor do: a stand-in, for PAM cannot be had here.

It speaks keyboard-interactive or passwords over asyncssh's server and forwards TCP, and counts who came.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncssh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.servers.sshd import SshSite

NAME = "bastion"


@dataclass
class Bastion:
    """A running bastion: `code` is what it takes, `logins` and `refusals` what came of those who tried."""

    code: str = "739152"
    password: bool = False
    shell: str = ""
    prompts: tuple[tuple[str, bool], ...] = (("One-time code: ", False),)
    connections: int = 0
    logins: int = 0
    refusals: int = 0
    forwards: int = 0
    open: list[Any] = field(default_factory=list)

    def cut(self) -> None:
        """Drop everybody who is connected."""
        for each in self.open:
            each.abort()
        self.open.clear()


def _server(bastion: Bastion) -> type[asyncssh.SSHServer]:
    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: Any) -> None:
            bastion.connections += 1
            bastion.open.append(conn)

        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return bastion.password

        def validate_password(self, username: str, password: str) -> bool:
            return self._judged(password == bastion.code)

        def kbdint_auth_supported(self) -> bool:
            return not bastion.password

        def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
            return "", "Second factor", "", list(bastion.prompts)

        def validate_kbdint_response(self, username: str, responses: Any) -> bool:
            return self._judged(list(responses)[-1] == bastion.code)

        def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
            bastion.forwards += 1
            return True

        def _judged(self, right: bool) -> bool:
            bastion.logins += right
            bastion.refusals += not right
            return right

    return Server


@asynccontextmanager
async def bastion(site: SshSite, **more: Any) -> AsyncIterator[Bastion]:
    """Run a bastion until the block ends, known to a site's ssh_config and known_hosts as `bastion`."""
    made = Bastion(**more)
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=_server(made), server_host_keys=[key])
    port = server.get_port()
    with site.config.open("a") as file:
        file.write(f"Host {NAME}\n  HostName 127.0.0.1\n  Port {port}\n")
    with site.known_hosts.open("a") as file:
        file.write(f"[127.0.0.1]:{port} {key.export_public_key().decode()}")
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await server.wait_closed()


@contextmanager
def bastion_beside(site: SshSite, **more: Any) -> Iterator[Bastion]:
    """Run a bastion on a thread of its own until the block ends, for tests that are no coroutines."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    made: list[Bastion] = []

    async def run() -> None:
        async with bastion(site, **more) as running:
            made.append(running)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    try:
        assert ready.wait(30)
        yield made[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
        loop.close()
