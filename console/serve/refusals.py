"""What is refused, and what failed, as JSON: a status and words that say what is wrong and what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.core.site_api.bodies import API_VERSION
from console.core.site_api.packing import MediaType, pack
from console.model.errors import ConsoleError, Fenced, NoDataError, RefusedError, SourceError, StateError, UsageError
from console.serve.who import NotAllowedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

RETRY_S = 1
_NOT_FOUND = HTTPStatus.NOT_FOUND.phrase
log = logging.getLogger("console.serve")


def refusal(status: int, words: str, *, headers: Mapping[str, str] | None = None, **members: str) -> Response:
    """Return an error's answer; `members` are told beside its words."""
    body = pack({"status": status, "error": words, **members}, MediaType.JSON)
    return Response(body, status, media_type=MediaType.JSON, headers=headers)


class NotLeaderError(ConsoleError):
    """Something that the leader alone does; `leader` is its address, empty where it is not known."""

    def __init__(self, leader: str) -> None:
        self.leader = leader
        where = f"ask {leader}" if leader else "nobody is known to lead now; try again in a moment"
        super().__init__(f"this server does not lead, and only the leader writes: {where}")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = _unknown_path(request.url.path) if error.status_code == 404 else error.detail
    return refusal(error.status_code, words if error.detail == _NOT_FOUND else error.detail, headers=error.headers)


def _unknown_path(path: str) -> str:
    version = path.removeprefix("/site/").partition("/")[0]
    if path.startswith("/site/") and version != f"v{API_VERSION}":
        return f"this server speaks version {API_VERSION} of the site API (/site/v{API_VERSION}), not {version[:20]!r}"
    return f"there is no {path[:200]!r}; GET / lists what there is"


async def _console(request: Request, error: Exception) -> Response:
    assert isinstance(error, ConsoleError)
    if isinstance(error, NotLeaderError):
        return refusal(421, str(error), leader=error.leader)
    status = _status(error)
    headers = {"Retry-After": str(RETRY_S)} if status == 503 else None
    return refusal(status, str(error), headers=headers)


async def _fault(request: Request, error: Exception) -> Response:
    return refusal(500, f"internal fault: {type(error).__name__}; the server's log says more")


def _status(error: ConsoleError) -> int:
    table: tuple[tuple[type[ConsoleError], int], ...] = (
        (NotAllowedError, 403),
        (RefusedError, 409),
        (Fenced, 421),
        (StateError, 503),
        (NoDataError, 503),
        (UsageError, 404),
        (SourceError, 502),
    )
    return next((status for kind, status in table if isinstance(error, kind)), 500)


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: _http,
    ConsoleError: _console,
    Exception: _fault,
}
