"""The gate before every route: who asks, how often, with how large a body; what is refused is told as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from console.model.values import dataclass
from console.serve.limits import Buckets, Streams
from console.serve.who import Caller, Identities, PeerInfo, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.config.serve_values import Roles, ServeLimits
    from console.serve.who import Tokens

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_S = 20.0
ASK_AGAIN_S = 10.0
# What answers whoever asks: that the process lives says nothing of a site.
OPEN_PATHS = frozenset({"/health", "/ready"})
_CLOSE = {"connection": "close"}

log = logging.getLogger("console.serve")


class TooLargeError(Exception):
    """A body that is longer than a route takes."""


class NoLongerAllowedError(Exception):
    """The caller of an open stream may not read it any more."""


@dataclass(eq=False)
class Rules:
    """What the gate goes by; replaced as a whole when the configuration is read anew."""

    identities: Identities
    buckets: Buckets
    streams: Streams
    body_bytes: int

    @classmethod
    def of(cls, roles: Roles, limits: ServeLimits, tokens: Tokens, monotonic: Callable[[], float]) -> Rules:
        """Return the rules that a configuration makes."""
        buckets = Buckets(limits.requests_per_s, monotonic)
        return cls(Identities(roles, tokens, monotonic), buckets, Streams(limits.streams), limits.body_bytes)


class Gate:
    """An ASGI application around another: what passes has `scope["state"]["caller"]`.

    `statuses` counts the answers by status code, `refused` what did not pass by reason.
    """

    def __init__(self, app: App, rules: Rules, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._monotonic = monotonic
        self.rules = rules
        self.statuses: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            return
        counted = self._counted(send)
        headers = dict(scope["headers"])
        state = scope.setdefault("state", {})
        peer = state.get("peer")
        caller = self.rules.identities.caller(peer, headers)
        state["caller"] = caller
        wait_s = self.rules.buckets.take(_bucket(caller, peer))
        if wait_s:
            await self._refuse(counted, "too_often", 429, _too_often(self.rules), retry_after_s=wait_s)
        elif scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, counted)
        elif caller is None:
            await self._refuse_unknown(counted, headers)
        elif caller.role < Role.VIEWER:
            await self._refuse(counted, "role", 403, f"{caller.author} may not even look; see `roles` under `serve:`")
        else:
            await self._pass(scope, receive, counted, caller)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        if scope["path"].endswith("/stream"):
            await self._pass_stream(scope, receive, send, caller)
            return
        bounded = _Body(receive, self.rules.body_bytes)
        if _declared(scope) > self.rules.body_bytes:
            await self._refuse(send, "body", 413, bounded.words, more=[(b"connection", b"close")])
        else:
            await self._app(scope, bounded.receive, send)

    async def _pass_stream(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        rules = self.rules
        with rules.streams.opened(_bucket(caller, None)) as allowed:
            if not allowed:
                words = f"{len(rules.streams)} of {rules.streams.most} streams are open; `limits` under `serve:`"
                await self._refuse(send, "streams", 503, words, retry_after_s=5.0)
                return
            checked = self._checked(scope, send, caller)
            try:
                await self._app(scope, receive, checked)
            except NoLongerAllowedError:
                log.info("a stream ends: its caller may not read it any more", extra={"author": caller.author})

    def _checked(self, scope: Scope, send: Send, caller: Caller) -> Send:
        """Ask again now and then whether whoever reads a stream still may: tokens end and are revoked."""
        due = self._monotonic() + ASK_AGAIN_S
        headers, peer = dict(scope["headers"]), scope["state"].get("peer")

        async def checked(message: Message) -> None:
            nonlocal due
            if self._monotonic() >= due:
                due = self._monotonic() + ASK_AGAIN_S
                now = self.rules.identities.caller(peer, headers)
                if now is None or now.role < Role.VIEWER:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    raise NoLongerAllowedError(caller.author)
            await send(message)

        return checked

    def _counted(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
            await send(message)

        return counted

    async def _refuse_unknown(self, send: Send, headers: Mapping[bytes, bytes]) -> None:
        if b"authorization" in headers:
            words = "this token is unknown, revoked or has expired; gigadeck token list, or ask whoever runs this serve"
        else:
            words = "who asks? come by the UNIX socket, with a client certificate, or with a bearer token"
        await self._refuse(send, "unknown", 401, words, more=[(b"www-authenticate", b'Bearer realm="gigadeck"')])

    async def _refuse(
        self,
        send: Send,
        reason: str,
        status: int,
        words: str,
        *,
        retry_after_s: float = 0.0,
        more: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        self.refused[reason] += 1
        body = json.dumps({"status": status, "error": words}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *(more or ())]
        if retry_after_s:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(retry_after_s))))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Body:
    """Hands a body on while it is short enough and comes in time; what is left of another is not waited for."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._size = 0
        self._whole = False
        self.words = f"the body is over {most:,} bytes"

    async def receive(self) -> Message:
        if self._whole:  # who waits for the caller to hang up may wait
            return await self._receive()
        try:
            async with asyncio.timeout(BODY_S):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {BODY_S:g} s", _CLOSE) from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._most:
            raise HTTPException(413, self.words, _CLOSE)
        return message


def _declared(scope: Scope) -> int:
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(said) if said.isdigit() else 0


def _bucket(caller: Caller | None, peer: PeerInfo | None) -> str:
    if caller is not None and caller.via != "loopback":
        return f"{caller.via}:{caller.author}"
    return peer.bucket if peer is not None else ""


def _too_often(rules: Rules) -> str:
    return f"more than {rules.buckets.rate_per_s:g} requests a second; wait as Retry-After says"
