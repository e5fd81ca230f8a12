"""The routes that change something: what people do, and where a client looks; every call has an author."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.core.site_api.packing import MediaType, pack
from console.model.errors import Fenced, StateError
from console.model.incidents import Deed, DeedKind
from console.serve.asked import body_of, caller_of
from console.serve.refusals import NotLeaderError
from console.serve.who import Role, needs

if TYPE_CHECKING:
    from starlette.requests import Request

    from console.serve.hub import Hub

KEEP_S = 15.0
LONGEST_TEXT = 4096
LONGEST_VIEW = 16_384

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class WireDeed(msgspec.Struct):
    """The body of `deeds`."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    kind: DeedKind
    subject: Name
    text: Annotated[str, msgspec.Meta(max_length=LONGEST_VIEW)] = ""


class WireFocus(msgspec.Struct):
    """The body of `focus`; no path is nothing."""

    stream: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    path: Annotated[str, msgspec.Meta(max_length=1024)] = ""


class Writes:
    """The handlers, over one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def deeds(self, request: Request) -> Response:
        """Do what a person asks for, once a deed's id; the author is who the gate says it is."""
        caller, site = caller_of(request), request.path_params["site"]
        needs(caller, Role.OPERATOR)
        self._hub.feed(site)
        wire = await body_of(request, WireDeed)
        _check(wire)
        word = self._hub.word()
        if not word.leads:
            raise NotLeaderError(word.leader)
        deed = Deed(wire.id, wire.kind, site, wire.subject, wire.text, author=caller.author)
        return _told({"outcome": await self._keep(deed)})

    async def focus(self, request: Request) -> Response:
        """Take where a client looks: its stream then tells more of that place."""
        caller = caller_of(request)
        wire = await body_of(request, WireFocus)
        await self._hub.focus(request.path_params["site"], caller.author, wire.stream, wire.path)
        return _told({"path": wire.path})

    async def _keep(self, deed: Deed) -> str:
        try:
            async with asyncio.timeout(KEEP_S):
                return await asyncio.wrap_future(self._hub.sitting.session.keep(deed))
        except Fenced as error:
            raise NotLeaderError(self._hub.word().leader) from error
        except TimeoutError:
            words = f"{deed.site}: the memory did not answer within {KEEP_S:g} s; whether it was kept is not known"
            raise StateError(f"{words}: ask again with the same id, it is done once") from None


def _check(wire: WireDeed) -> None:
    if wire.kind is not DeedKind.SAVE_VIEW and len(wire.text) > LONGEST_TEXT:
        raise HTTPException(422, f"text has {len(wire.text):,} characters, more than {LONGEST_TEXT:,}")
    for member in ("id", "subject", "text"):
        odd = next((each for each in getattr(wire, member) if ord(each) < 32 and each not in "\n\t"), None)
        if odd is not None:
            raise HTTPException(422, f"{member} has a control character (U+{ord(odd):04X}), which is no text")


def _told(body: dict[str, str]) -> Response:
    return Response(pack(body, MediaType.JSON), media_type=MediaType.JSON, headers={"Cache-Control": "no-store"})
