"""The routes in which a serve speaks of itself: `/health`, `/ready`, `/metrics`; all others are the site API's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from console.serve.own_metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.serve.gate import App, Receive, Scope, Send

JSON = "application/json"


class OwnRoutes:
    """An ASGI application around another; the gate stands before it."""

    def __init__(self, app: App, ready: Callable[[], dict[str, Any]], metrics: Callable[[], str]) -> None:
        self._app = app
        self._ready = ready
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is ours, hand on the rest."""
        own = {"/health": self._health, "/ready": self._readiness, "/metrics": self._figures}
        answer = own.get(scope["path"])
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            body = json.dumps({"status": 405, "error": f"{scope['path']} takes GET alone"})
            await _send(send, 405, JSON, body, [(b"allow", b"GET, HEAD")])
        else:
            await _send(send, *answer(scope))

    @staticmethod
    def _health(scope: Scope) -> tuple[int, str, str]:
        return 200, JSON, '{"alive": true}'

    def _readiness(self, scope: Scope) -> tuple[int, str, str]:
        """Tell everything to whoever may look, and the others no more than a load balancer has to know."""
        told = self._ready()
        if scope["state"].get("caller") is None:
            told = {key: told[key] for key in ("ready", "role")}
        return (200 if told["ready"] else 503), JSON, json.dumps(told)

    def _figures(self, scope: Scope) -> tuple[int, str, str]:
        return 200, CONTENT_TYPE, self._metrics()


async def _send(send: Send, status: int, kind: str, text: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
    body = text.encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), *(more or ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
