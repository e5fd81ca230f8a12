"""One BMC's Redfish service: a session where it offers them, made once, kept between visits and deleted at the end."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from console.link.credentials import Credentials
from console.link.http import HttpLink
from console.model.errors import BadPayload, NotOffered, RateLimited, SourceError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from console.config.values import SourceConfig
    from console.link.shared import Shared

ROOT = "/redfish/v1/"
TOKEN = "X-Auth-Token"
Resource = dict[str, Any]
# What a BMC says where nobody else may sign in: `SessionLimitExceeded`, "the maximum number of sessions".
_FULL = ("limit", "maximum", "exceed", "too many")
SESSION_FULL_RETRY_S = 120.0
RENEW_EVERY_S = 60.0


class BmcLink:
    """What is asked of one BMC; not for two tasks at once. `requests` and `body_bytes` count since it was made.

    The service root is asked without credentials, as the standard has it. Then there is at most one session: a token
    that is refused is replaced once. Where sessions are not offered, each request carries the credentials.
    """

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        shared: Shared,
        login: Login,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float],
    ) -> None:
        self._who = (site, config.name or config.kind)
        self._session = _Session(config, login)
        self._link = HttpLink(site, config, transport=transport, clock=clock, shared=shared, credentials=self._session)
        self._session.link = self._link
        self.requests = 0
        self.body_bytes = 0

    @property
    def host(self) -> str:
        """Host and port."""
        return self._link.endpoint.host

    @property
    def refused(self) -> bool:
        """Whether the BMC lets us not in: nothing more is worth asking in this visit."""
        return self._session.refused

    async def root(self) -> Resource:
        """Return the service root, and find out how to sign in; raises SourceError."""
        self._session.open()
        try:
            found = await self.get(ROOT)
        except Unauthorized:
            self._session.sign_each()
            found = await self.get(ROOT)
        if not any(key in found for key in ("Systems", "Chassis", "Managers", "RedfishVersion")):
            raise BadPayload(*self._who, f"{self.host} has no Redfish service root", "check its address")
        links = found.get("Links")
        self._session.offered(path_of(links.get("Sessions")) if isinstance(links, dict) else "")
        return found

    async def get(self, path: str) -> Resource:
        """Return one resource; raises SourceError."""
        return self.decoded(await self.raw(path), path)

    async def raw(self, path: str) -> bytes:
        """Return one resource as it is sent; raises SourceError."""
        self.requests += 1
        body = await self._link.get(path)
        self.body_bytes += body.body_bytes_wire
        return body.content

    def decoded(self, content: bytes, path: str) -> Resource:
        """Return what a body holds; raises BadPayload for anything but an object."""
        try:
            found = msgspec.json.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            try:  # NaN, and control characters in texts, are seen
                found = json.loads(content, strict=False)
            except (ValueError, RecursionError):
                raise self._bad(path, "is not JSON") from None
        if not isinstance(found, dict):
            raise self._bad(path, "is not a resource")
        return found

    async def rest(self) -> None:
        """Close every connection; the session stays for the next visit."""
        await self._link.aclose()

    async def aclose(self) -> None:
        """Delete the session, and close every connection."""
        try:
            await self._session.end()
        finally:
            await self._link.aclose()

    def _bad(self, path: str, text: str) -> BadPayload:
        return BadPayload(*self._who, f"{self.host}{path.partition('?')[0]} {text}", "is this a BMC's address?")


class Login:
    """What the BMCs of a source have in common: credentials, read anew at most once a minute when one is refused."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._renewed_at = -RENEW_EVERY_S

    @property
    def there(self) -> bool:
        """Whether there are credentials at all."""
        return self._credentials.used

    async def headers(self, now: float) -> dict[str, str]:
        """Return what signs one request; raises ConsoleError."""
        return await self._credentials.headers(now)

    async def pair(self, now: float) -> tuple[str, str]:
        """Return user and password, empty where the source signs in otherwise; raises ConsoleError."""
        kind, _, coded = (await self.headers(now)).get("Authorization", "").partition(" ")
        if kind != "Basic":
            return "", ""
        user, _, password = base64.b64decode(coded).decode().partition(":")
        return user, password

    def refused(self, now: float) -> None:
        """Note that a BMC refuses them: they may have been changed."""
        if now - self._renewed_at >= RENEW_EVERY_S:
            self._renewed_at = now
            self._credentials.forget()


class _Session(Credentials):
    """The credentials of one BMC: none (the root), those of the source with each request, or a session's token."""

    link: HttpLink

    def __init__(self, config: SourceConfig, login: Login) -> None:
        super().__init__(config)
        self._login = login
        self._by_request = config.options.get("login") == "basic" or not config.auth.basic_user
        self._signs = self.refused = False
        self._path = self._token = self._place = ""

    @property
    def used(self) -> bool:
        """Whether a refused request may be sent again with other credentials."""
        return self._signs and not self.refused and self._login.there

    def open(self) -> None:
        """Sign nothing from now on."""
        self._signs = self.refused = False

    def sign_each(self) -> None:
        """Send the credentials with each request from now on."""
        self._signs, self._path = True, ""

    def offered(self, path: str) -> None:
        """Sign from now on: with a session where they are offered and a user and password are there for it."""
        self._signs, self._path = True, "" if self._by_request else path

    def forget(self) -> None:
        """Make a new session at the next request; without one, read the credentials anew."""
        self._token = ""
        if not self._path:
            self._login.refused(time.monotonic())

    async def headers(self, now: float) -> dict[str, str]:
        """Return what signs a request at `now`; makes the session where there is none. Raises ConsoleError."""
        if not self._signs or not self._login.there:
            return {}
        if self._path and not self._token:
            await self._log_in(now)
        return {TOKEN: self._token} if self._token else await self._login.headers(now)

    async def _log_in(self, now: float) -> None:
        user, password = await self._login.pair(now)
        content = msgspec.json.encode({"UserName": user, "Password": password})
        try:
            body = await self.link.call("POST", self._path, content)
        except NotOffered:
            self._path = ""
            return
        except SourceError as error:
            self.refused = True
            if isinstance(error, Unauthorized):
                self._login.refused(time.monotonic())
            raise _login_error(error, self.link.endpoint.host) from None
        self._token = str(body.headers.get("x-auth-token", ""))
        self._place = urlsplit(body.headers.get("location", "")).path or _own_path(body.content)
        if not self._token:
            self._path = ""

    async def end(self) -> None:
        """Delete the session that there is; a BMC that does not answer ends it by itself."""
        token, self._token = self._token, ""
        if token and self._place.startswith("/"):
            with suppress(SourceError):
                await self.link.call("DELETE", self._place, headers={TOKEN: token})


def _login_error(error: SourceError, host: str) -> SourceError:
    said = error.message.lower()
    if "session" in said.rpartition("/sessions")[2] and any(word in said for word in _FULL):
        text = f"{host} has no free session: {error.message}"
        advice = "end sessions that nobody uses on the BMC, or set `login: basic`"
        return RateLimited(error.site, error.source, text, advice, error.retry_after_s or SESSION_FULL_RETRY_S)
    if isinstance(error, Unauthorized):
        text = f"{host} refuses the login: {error.message}"
        return Unauthorized(error.site, error.source, text, "check `auth` and the account on the BMC (role ReadOnly)")
    return error


def path_of(link: Any) -> str:
    """Return the path that a link (`{"@odata.id": ...}`) leads to; empty for none, and for one that leaves the BMC."""
    found = link.get("@odata.id") if isinstance(link, dict) else link
    if not isinstance(found, str) or not found.startswith("/") or found.startswith("//"):
        return ""
    return found.partition("#")[0]


def _own_path(content: bytes) -> str:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        found: Mapping[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        return path_of(dict(found))
    return ""
