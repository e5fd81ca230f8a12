"""One login: what the server offers and asks for is kept for the message; prompts go to a person or to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh

from console.link.ssh.identities import agent_identities
from console.model.ports import Question

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from console.link.ssh.identities import OfferedKeys
    from console.link.ssh.route import Route
    from console.link.ssh.trust import Trusted

KEEPALIVE_S = 15.0
KEEPALIVES = 3
MOST_QUESTIONS = 8


class Witness(asyncssh.SSHClient):
    """Hears what happens during a login; trusts no key that is not known, and gives no password."""

    def __init__(self) -> None:
        self.offered = ""
        self.asked: list[str] = []
        self.banner = ""
        self.given_up = self.answered = False

    def validate_host_public_key(self, host: str, addr: str, port: int, key: Any) -> bool:
        """Note the key of a host that is not known by it; never trust it."""
        self.offered = f"{key.get_algorithm()} {key.get_fingerprint()}"
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: Any) -> bool:
        """Note the authority of a host certificate that is not known; never trust it."""
        self.offered = f"a certificate of the authority {key.get_fingerprint()}"
        return False

    def password_auth_requested(self) -> Any:
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


class Interpreter(Witness):
    """Passes what a server asks on to a person, and the answers back; keeps none of them."""

    def __init__(self, host: str, ask: Callable[[Question], Awaitable[str | None]]) -> None:
        super().__init__()
        self._host = host
        self._ask = ask
        self._questions = 0

    async def password_auth_requested(self) -> str | None:
        """Ask for a password."""
        super().password_auth_requested()
        return await self._answer(f"Password for {self._host}:", seen=False)

    def kbdint_auth_requested(self) -> str | None:
        """Take whatever the server asks in this way."""
        super().kbdint_auth_requested()
        return None if self.given_up else ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Ask each question with what the server says about it."""
        answers = []
        for text, seen in prompts:
            words = " ".join(each.strip() for each in (name, instructions, text) if each.strip())
            answer = await self._answer(words, seen=seen)
            if answer is None:
                return None
            answers.append(answer)
        return answers

    async def _answer(self, text: str, *, seen: bool) -> str | None:
        self._questions += 1
        if self.given_up or self._questions > MOST_QUESTIONS:
            return None
        answer = await self._ask(Question(self._host, text, seen))
        self.given_up = answer is None
        self.answered = self.answered or answer is not None
        return answer


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
