"""Asks one BMC during one visit: each resource once, members with their collection where that is offered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.model.errors import (
    BadPayload,
    InsecureLink,
    RateLimited,
    Redirected,
    SourceError,
    TimedOut,
    Unreachable,
)
from console.sources.redfish.resources import link, listed, name_of

if TYPE_CHECKING:
    import re

    from console.link.redfish import BmcLink
    from console.sources.redfish.resources import Resource

MOST_MEMBERS = 256
MOST_PAGES = 20
# What ends a visit; anything else is one resource that a BMC cannot give.
FATAL = (Unreachable, TimedOut, InsecureLink, RateLimited, Redirected)


class Asker:
    """One visit's questions. `bodies` is what came, untouched; `skipped` what could not be read."""

    def __init__(self, bmc: BmcLink, expand: str = "") -> None:
        self.bmc = bmc
        self.expand = expand
        self.bodies: dict[str, bytes] = {}
        self.skipped: list[str] = []
        self._known: dict[str, Resource] = {}

    async def root(self) -> Resource:
        """Return the service root, and note whether members come with their collection; raises SourceError."""
        found = await self.bmc.root()
        self.expand = expand_of(found)
        return found

    async def need(self, path: str) -> Resource:
        """Return a resource that must be there; raises SourceError."""
        found = self._known.get(path)
        if found is None:
            content = await self.bmc.raw(path)
            found = self.bmc.decoded(content, path)
            self._known[path] = found
            self.bodies[path] = content
        return found

    async def get(self, path: str) -> Resource | None:
        """Return a resource, None where there is none; raises SourceError only for what ends the visit."""
        if not path:
            return None
        try:
            return await self.need(path)
        except SourceError as error:
            self.check(error)
            self.skipped.append(f"{name_of(path)}: {error.message}")
            return None

    def check(self, error: SourceError) -> None:
        """Raise an error again that ends the visit."""
        if isinstance(error, FATAL) or self.bmc.refused:
            raise error

    async def members(self, path: str, wanted: re.Pattern[str] | None = None) -> list[Resource] | None:
        """Return the members of a collection, None where it cannot be read.

        `wanted` is searched in their names: others are not asked for one by one.
        """
        pages = await self._pages(path)
        if pages is None:
            return None
        found: list[Resource] = []
        for member in [each for page in pages for each in listed(page.get("Members"))][:MOST_MEMBERS]:
            place = link(member, "@odata.id")
            if wanted is not None and not wanted.search(name_of(place)):
                continue
            if len(member) > 1:
                found.append(member)
            elif (whole := await self.get(place)) is not None:
                found.append(whole)
        return found

    async def _pages(self, path: str) -> list[Resource] | None:
        page = await self._first(path)
        pages: list[Resource] = []
        while page is not None and len(pages) < MOST_PAGES:
            pages.append(page)
            following: Any = page.get("Members@odata.nextLink") or page.get("@odata.nextLink")
            page = await self.get(link({"next": following}, "next"))
        return pages or None

    async def _first(self, path: str) -> Resource | None:
        if path and self.expand:
            try:
                found = await self.need(path + self.expand)
                if isinstance(found.get("Members"), list):
                    return found
            except SourceError as error:
                self.check(error)
                self.expand = ""  # it was offered and does not work: ask as everybody must be able to answer
        return await self.get(path)


def expand_of(root: Resource) -> str:
    """Return the query that makes members come with their collection, empty where the root does not offer it."""
    offered = root.get("ProtocolFeaturesSupported")
    expand = offered.get("ExpandQuery") if isinstance(offered, dict) else None
    if not isinstance(expand, dict):
        return ""
    levels = "($levels=1)" if expand.get("Levels") is True else ""
    if expand.get("NoLinks") is True:
        return f"?$expand=.{levels}"
    return f"?$expand=*{levels}" if expand.get("ExpandAll") is True else ""


def check_essential(found: Resource, asker: Asker, who: tuple[str, str], path: str) -> None:
    """Raise BadPayload for an object that is no Redfish resource at all."""
    if not any(key in found for key in ("@odata.id", "@odata.type", "Id", "Members")):
        raise BadPayload(*who, f"{asker.bmc.host}{path} is no Redfish resource", "is this a BMC's address?")
