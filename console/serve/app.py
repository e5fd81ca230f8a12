"""The web application of a serve: the native site API over a hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from console.serve.answers import Answers
from console.serve.bounds import ANSWER_S, REQUESTS, Bounds
from console.serve.refusals import HANDLERS
from console.serve.role_word import RoleWord
from console.serve.routes import Routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.serve.hub import Hub

__all__ = ["RoleWord", "make_app"]


def make_app(
    hub: Hub, word: Callable[[], RoleWord] = RoleWord, *, requests: int = REQUESTS, answer_s: float = ANSWER_S
) -> Starlette:
    """Return the application over a hub; `word` says whether this server leads, each time it is asked.

    It answers whoever the gate before it lets through: `scope["state"]["caller"]`. At most `requests` are answered at
    a time, each within `answer_s`; streams have bounds of their own.
    """
    hub.word = word
    answers = Answers()
    hub.at_close(answers.close)
    bounds = Middleware(Bounds, requests=requests, answer_s=answer_s)
    return Starlette(routes=Routes(hub, answers).table(), middleware=[bounds], exception_handlers=dict(HANDLERS))
