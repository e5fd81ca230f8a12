"""The HTTP API of a slurmrestd: which versions it offers, how it is asked, and what its refusals mean."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from console.link.http import HttpLink
from console.model.errors import (
    BadPayload,
    NotOffered,
    RateLimited,
    ServerFailed,
    SourceError,
    Unauthorized,
    Unreachable,
)
from console.sources.slurm.bodies import short
from console.sources.slurm.diag import read_diag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from console.config.values import SourceConfig
    from console.link.answers import Body
    from console.sources.slurm.diag import Diag

# The notations that were seen; a later version is used only where a server has none of these.
OLDEST, NEWEST = (0, 0, 38), (0, 0, 44)
SPECIFICATIONS = ("/openapi/v3", "/openapi")
_PATHS = re.compile(rb'"\\?/slurm\\?/v([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})\\?/(nodes|jobs)\\?/?"')
USER_HEADER = "X-SLURM-USER-NAME"
SOCKET_URL = "http://localhost"
RETRY_S = 60.0
REFUSED = ("authentication", "invalid user", "token")
# What slurmrestd says of a refused token, and also where slurmctld is down.
UNSAID = "unspecified error"
CHANGES = "update_time"
LIMITED = ("rate limit", "backoff", "try again")
SILENT = ("unable to contact", "connection failure", "connect failure", "communication")
HOLDS = "does `auth.jwt` give a token that still holds (scontrol token), of `user`? slurmctld's log says more"
Version = tuple[int, int, int]


def link_of(
    site: str, config: SourceConfig, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
) -> HttpLink:
    """Return the link to a slurmrestd: over TCP, or over the UNIX socket that the option `socket` names."""
    user, socket = str(config.options.get("user", "")), str(config.options.get("socket", ""))
    headers = {**config.headers, **({USER_HEADER: user} if user else {})}
    if socket and transport is None:
        import httpx

        transport = httpx.AsyncHTTPTransport(uds=socket, limits=httpx.Limits(max_connections=2))
    url = config.url or SOCKET_URL
    return HttpLink(site, replace(config, headers=headers, url=url), transport=transport, clock=clock)


class Api:
    """Asks one slurmrestd in the newest version that both sides can do (or the one of the option `api`)."""

    def __init__(self, link: HttpLink, config: SourceConfig, clock: Callable[[], float]) -> None:
        self._link = link
        self._clock = clock
        self._who = link.endpoint.site, link.endpoint.source
        self._socket = str(config.options.get("socket", ""))
        wanted = str(config.options.get("api", "auto") or "auto")
        self._wanted = "" if wanted == "auto" else wanted
        self.version = ""
        self._requests = 0
        self._bytes = 0

    async def negotiate(self) -> None:
        """Find out which version to speak, unless that is known; raises SourceError."""
        if not self.version:
            body = await self._specification()
            self.version = self._chosen(versions(body.content))

    def forget(self) -> None:
        """Negotiate again at the next turn: another slurmrestd may be there now."""
        self.version = ""

    async def ask(self, what: str, params: Mapping[str, str] | None = None) -> Body:
        """Return the answer to one path of the API (`nodes`); raises SourceError."""
        return await self._get(f"/slurm/{self.version}/{what}", params or {})

    async def diag(self, user: str) -> Diag:
        """Return how slurmctld does, and what a user's requests (empty: the token's) cost it; raises SourceError."""
        body = await self.ask("diag")
        try:
            return read_diag(body.content, user or self._link.credentials_user)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadPayload(*self._who, f"cannot be read: {short(error)}") from None

    @property
    def ends_at(self) -> float:
        """When the token ends, 0 where it does not say."""
        return self._link.credentials_end_at

    async def aclose(self) -> None:
        """Let go of every connection."""
        await self._link.aclose()

    def take_counts(self) -> tuple[int, int]:
        """Return how many requests and bytes there were since the last call."""
        counts = self._requests, self._bytes
        self._requests = self._bytes = 0
        return counts

    async def _specification(self) -> Body:
        for path in SPECIFICATIONS[:-1]:
            try:
                return await self._get(path, {})
            except NotOffered:
                continue
        return await self._get(SPECIFICATIONS[-1], {})

    def _chosen(self, offered: list[Version]) -> str:
        names = ", ".join(map(written, offered))
        if self._wanted:
            if self._wanted not in map(written, offered):
                raise NotOffered(*self._who, f"slurmrestd does not offer {self._wanted}; it has: {names}", "set `api`")
            return self._wanted
        known = [each for each in offered if OLDEST <= each <= NEWEST]
        later = [each for each in offered if each > NEWEST]
        if not offered:
            text = "the server's OpenAPI has no list of Slurm's nodes and jobs"
            raise BadPayload(*self._who, text, "is `url` a slurmrestd? its plugin openapi/slurmctld must be loaded")
        if not known and not later:
            advice = "Slurm 22.05 and later do; start slurmrestd with `-s openapi/v0.0.38`"
            raise NotOffered(*self._who, f"slurmrestd offers {names}; {written(OLDEST)} or later is needed", advice)
        return written(max(known) if known else min(later))

    async def _get(self, path: str, params: Mapping[str, str]) -> Body:
        try:
            return await self._once(path, params)
        except ServerFailed as error:
            # slurmrestd answers 500 where slurmctld refuses the token: there may be another by now.
            # A question for changes may fail for another reason, and is followed by one for everything.
            refused = any(word in error.message.lower() for word in (*REFUSED, UNSAID)) and CHANGES not in params
            if not refused or not await self._link.renew():
                raise self.explained(error) from None
        try:
            return await self._once(path, params)
        except ServerFailed as error:
            raise self.explained(error) from None

    async def _once(self, path: str, params: Mapping[str, str]) -> Body:
        self._requests += 1
        try:
            body = await self._link.get(path, params)
        except (Unauthorized, Unreachable) as error:
            raise self.explained(error) from None
        self._bytes += body.body_bytes_wire
        return body

    def explained(self, error: SourceError) -> SourceError:
        """Return an error of slurmrestd as what it means here, with what to do about it."""
        text, said = error.message, error.message.lower()
        if isinstance(error, Unreachable):
            place = f"the socket {self._socket}" if self._socket else ""
            return replaced(error, text.replace("localhost", place)) if place else error
        ended = bool(self._token_age())
        if isinstance(error, Unauthorized) or any(word in said for word in REFUSED) or (ended and UNSAID in said):
            return Unauthorized(*self._who, f"{text}{self._token_age()}", self._auth_advice())
        if any(word in said for word in LIMITED):
            return RateLimited(*self._who, text, "slurmctld limits its clients: raise `cadence`", RETRY_S)
        if any(word in said for word in SILENT):
            return replaced(error, text, "slurmrestd does not reach slurmctld: scontrol ping")
        if UNSAID in said:
            return replaced(error, text, f"slurmctld is down (scontrol ping), or refuses the token: {HOLDS}")
        return error

    def _token_age(self) -> str:
        ends_at = self._link.credentials_end_at
        late_s = self._clock() - ends_at
        ago = f"{late_s:.0f} s" if late_s < 120 else f"{late_s / 60:.0f} min"
        return f" (the token ended {ago} ago)" if ends_at and late_s > 0 else ""

    def _auth_advice(self) -> str:
        if not self._link.has_credentials:
            return "slurmrestd wants a token: set `auth: {jwt: ...}` to what `scontrol token` prints"
        return HOLDS


def replaced(error: SourceError, message: str, advice: str = "") -> SourceError:
    """Return an error of the same kind with other words."""
    return type(error)(error.site, error.source, message, advice or error.advice, error.retry_after_s)


def versions(specification: bytes) -> list[Version]:
    """Return the versions in which a server's own OpenAPI offers both lists, oldest first."""
    found: dict[Version, set[bytes]] = {}
    for major, minor, micro, what in _PATHS.findall(specification):
        found.setdefault((int(major), int(minor), int(micro)), set()).add(what)
    return sorted(version for version, lists in found.items() if len(lists) == 2)


def written(version: Version) -> str:
    """Return a version as paths have it: `v0.0.41`."""
    return "v" + ".".join(map(str, version))
