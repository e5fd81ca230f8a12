"""One login: what the server offered and asked for on the way is kept for the message, and no prompt is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh

from console.link.ssh.identities import agent_identities

if TYPE_CHECKING:
    from console.link.ssh.identities import OfferedKeys
    from console.link.ssh.route import Route
    from console.link.ssh.trust import Trusted

KEEPALIVE_S = 15.0
KEEPALIVES = 3


class Witness(asyncssh.SSHClient):
    """Hears what happens during a login; trusts no key that is not known, and gives no password."""

    def __init__(self) -> None:
        self.offered = ""
        self.asked: list[str] = []
        self.banner = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: Any) -> bool:
        """Note the key of a host that is not known by it; never trust it."""
        self.offered = f"{key.get_algorithm()} {key.get_fingerprint()}"
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: Any) -> bool:
        """Note the authority of a host certificate that is not known; never trust it."""
        self.offered = f"a certificate of the authority {key.get_fingerprint()}"
        return False

    def password_auth_requested(self) -> str | None:
        """Note that a password was asked for."""
        self.asked.append("a password")
        return None

    def kbdint_auth_requested(self) -> str | None:
        """Note that something was to be typed (password, one-time code)."""
        self.asked.append("a password or one-time code")
        return None

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """Keep the banner: it often says what a bastion wants."""
        self.banner = " ".join(msg.split())[:200]


async def log_in(
    route: Route, witness: Witness, known: Trusted, keys: OfferedKeys, tunnel: Any, limit_s: float
) -> asyncssh.SSHClientConnection:
    """Log in and return the connection; raises what asyncssh and the system raise."""
    identities = agent_identities(route)
    agent = "" if identities == [] else route.agent
    return await asyncssh.connect(
        route.host,
        route.port,
        config=None,
        tunnel=tunnel,
        proxy_command=route.proxy_command or None,
        username=route.user,
        known_hosts=known.lists,
        host_key_alias=route.alias or None,
        client_keys=keys,
        agent_path=agent,
        agent_identities=identities,
        client_factory=lambda: witness,
        login_timeout=limit_s,
        connect_timeout=limit_s,
        keepalive_interval=KEEPALIVE_S,
        keepalive_count_max=KEEPALIVES,
        gss_auth=False,
        gss_kex=False,
        tcp_keepalive=True,
        compression_algs="none",
    )
