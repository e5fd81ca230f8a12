"""One HTTP endpoint of a site: credentials, TLS, time-outs, budget, size limit; every failure as a SourceError."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from console.link.bodies import BodyReader, check_start, check_type
from console.link.failures import Endpoint, show_url, status_error, translated
from console.link.shared import Shared
from console.model.errors import RateLimited, Redirected, SourceError, TooLarge, Unauthorized

if TYPE_CHECKING:
    import httpx

    from console.config.values import SourceConfig
    from console.link.credentials import Credentials

REDIRECTS = 5
ERROR_BODY_BYTES = 4096
LONGEST_QUERY = 2000
JSON = "application/json"
Params = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Body:
    """One good answer. `content` is inflated, `body_bytes_wire` what came over the line; times are epoch seconds.

    `server_date` is the server's clock (its Date header, whole seconds), None where it says nothing.
    """

    content: bytes
    status: int
    headers: Mapping[str, str]
    received_at: float
    elapsed_s: float
    body_bytes_wire: int
    server_date: float | None


class HttpLink:
    """A connection pool to one source's URL; made at the first request, on the loop that makes it.

    Links to several endpoints of one source are given what they have in common (`shared`).
    """

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        shared: Shared | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._sleep = sleep
        self._client: httpx.AsyncClient | None = None
        self._served = False
        self._shared = shared or Shared(config)
        self._credentials = credentials or self._shared.credentials
        self.endpoint = Endpoint(site, config.name or config.kind, config.url, config.timeouts)

    async def get(
        self,
        path: str = "",
        params: Params = (),
        *,
        accept: str = JSON,
        form: Params = (),
        max_body_bytes: int = 0,
    ) -> Body:
        """Return the answer to a GET (a POST where `form` is given); raises SourceError.

        `path` is appended to the source's URL, which keeps its own path and query.
        """
        with translated(self.endpoint):
            await self._wait_for_budget()
            async with asyncio.timeout(self._config.timeouts.total_s):
                url = self._url(path, params)
                try:
                    return await self._send(url, accept, form, max_body_bytes)
                except Unauthorized:
                    if not self._credentials.used:
                        raise
                    self._credentials.forget()
                return await self._send(url, accept, form, max_body_bytes)

    async def query(self, path: str, params: Params, *, accept: str = JSON, max_body_bytes: int = 0) -> Body:
        """Return the answer to a GET, or to a POST where the parameters are too long for a URL."""
        if len(urlencode(list(_pairs(params)))) > LONGEST_QUERY:
            return await self.get(path, accept=accept, form=params, max_body_bytes=max_body_bytes)
        return await self.get(path, params, accept=accept, max_body_bytes=max_body_bytes)

    async def call(
        self, method: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Body:
        """Send one JSON request with these headers in place of the credentials, once; raises SourceError."""
        with translated(self.endpoint):
            await self._wait_for_budget()
            async with asyncio.timeout(self._config.timeouts.total_s):
                client, started = await self._opened(), time.perf_counter()
                kind = {"Content-Type": JSON} if content else {}
                sent = {"Accept": JSON, **kind, **(headers or {}), **self._config.headers}
                request = client.build_request(
                    method, self._url(path, ()), headers=sent, content=content, extensions=self._extensions()
                )
                response = await client.send(request, stream=True, auth=lambda each: each)
                try:
                    if response.has_redirect_location:
                        self._check_redirect(request, response)
                    return await self._take(response, JSON, 0, started)
                finally:
                    await response.aclose()

    async def renew(self) -> bool:
        """Read the credentials anew; return whether they are others now. Raises SourceError."""
        with translated(self.endpoint):
            before = await self._credentials.headers(self._clock())
            self._credentials.forget()
            return await self._credentials.headers(self._clock()) != before

    @property
    def has_credentials(self) -> bool:
        """Whether requests carry credentials at all."""
        return self._credentials.used

    @property
    def credentials_end_at(self) -> float:
        """When the token that is in use ends (UTC epoch seconds), 0 where it does not say."""
        return self._credentials.ends_at

    @property
    def credentials_user(self) -> str:
        """Whom the token that is in use says that it is for, empty where it does not say."""
        return self._credentials.user

    async def aclose(self) -> None:
        """Close every connection; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _wait_for_budget(self) -> None:
        now = self._clock()
        delay_s = self._shared.delay_s(now)
        if delay_s > self._config.timeouts.total_s:
            text = f"the budget of this source is spent for {delay_s:.0f} s"
            raise RateLimited(*self._who, text, "raise `budget` if the site allows it", delay_s)
        self._shared.requests.take(1.0, now)
        if delay_s > 0:
            await self._sleep(delay_s)

    async def _send(self, url: str, accept: str, form: Params, max_body_bytes: int) -> Body:
        import httpx

        client = await self._opened()
        headers = {"Accept": accept, **await self._credentials.headers(self._clock()), **self._config.headers}
        request = client.build_request("GET", url, headers=headers, extensions=self._extensions())
        if form:
            request = client.build_request(
                "POST", url, data=_form(form), headers=headers, extensions=self._extensions()
            )
        # httpx would let a user in the URL take the place of our own header.
        auth = (lambda each: each) if self._credentials.used else httpx.USE_CLIENT_DEFAULT
        started = time.perf_counter()
        for _ in range(REDIRECTS):
            response = await self._reply(client, request, auth)
            try:
                if not response.has_redirect_location:
                    return await self._take(response, accept, max_body_bytes, started)
                self._check_redirect(request, response)
            finally:
                await response.aclose()
            assert response.next_request is not None  # httpx makes one for every redirect location
            request = response.next_request
        raise Redirected(*self._who, f"more than {REDIRECTS} redirects at {self.endpoint.shown_url}", "check `url`")

    async def _reply(self, client: httpx.AsyncClient, request: httpx.Request, auth: Any) -> httpx.Response:
        """Send a request, once more where a connection that had served before was closed under it (GET alone)."""
        import httpx

        try:
            response = await client.send(request, stream=True, auth=auth)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if not self._served or request.method != "GET":
                raise
            self._served = False
            response = await client.send(request, stream=True, auth=auth)
        self._served = True
        return response

    async def _take(self, response: httpx.Response, accept: str, max_body_bytes: int, started: float) -> Body:
        now = self._clock()
        if response.status_code >= 400:
            said = await self._error_text(response)
            raise status_error(self.endpoint, response.status_code, said, retry_after_s(response.headers, now))
        check_type(self.endpoint, response.headers.get("content-type", ""), accept)
        reader = BodyReader(self.endpoint, max_body_bytes or self._config.max_body_bytes)
        try:
            content = await reader.read(response)
        finally:
            self._shared.wire_bytes.take(reader.wire_bytes, self._clock())
        check_start(self.endpoint, content, accept)
        elapsed_s = time.perf_counter() - started
        headers = dict(response.headers)
        return Body(content, response.status_code, headers, self._clock(), elapsed_s, reader.wire_bytes, _date(headers))

    async def _error_text(self, response: httpx.Response) -> str:
        """Return what a JSON error body says, in a few words; anything else is not repeated."""
        import msgspec

        try:
            content = await BodyReader(self.endpoint, ERROR_BODY_BYTES).read(response)
            said = msgspec.json.decode(content)
        except (TooLarge, SourceError, msgspec.MsgspecError, UnicodeDecodeError):
            return ""
        return _printable(_said(said))[:200]

    def _check_redirect(self, request: httpx.Request, response: httpx.Response) -> None:
        target = urljoin(str(request.url), response.headers["location"])
        if _origin(target) != _origin(str(request.url)):
            text = f"{self.endpoint.shown_url} redirects to {_printable(show_url(target))[:200]}"
            raise Redirected(
                *self._who, f"{text}, which is not followed with credentials", "set `url` to the new place"
            )

    @property
    def _who(self) -> tuple[str, str]:
        return self.endpoint.site, self.endpoint.source

    def _extensions(self) -> dict[str, Any]:
        name = self._config.tls.server_name
        return {"sni_hostname": name} if name else {}

    def _url(self, path: str, params: Params) -> str:
        base = urlsplit(self._config.url)
        query = urlencode([*parse_qsl(base.query, keep_blank_values=True), *_pairs(params)])
        return base._replace(path=base.path.rstrip("/") + path, query=query, fragment="").geturl()

    async def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            from console.link.client import make_client

            self._client = await make_client(self._config, self.endpoint, self._transport, self._shared)
        return self._client


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), None if there is none."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal() and len(value) < 9:
        return float(value)
    at = _http_date(value)
    return None if at is None else max(0.0, at - now)


def _date(headers: Mapping[str, str]) -> float | None:
    return _http_date(headers.get("date", ""))


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _pairs(params: Params) -> Sequence[tuple[str, str]]:
    return tuple(params.items()) if isinstance(params, Mapping) else params


def _form(params: Params) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, value in _pairs(params):
        form.setdefault(name, []).append(value)
    return form


def _said(body: Any) -> str:
    """Return the words of an error body: its `error`, its `message`, or the first of its `errors` (Slurm, Redfish)."""
    if not isinstance(body, dict):
        return ""
    text = body.get("error") or body.get("message")
    if isinstance(text, dict):
        more = text.get("@Message.ExtendedInfo")
        first = more[0] if isinstance(more, list) and more and isinstance(more[0], dict) else {}
        text = first.get("Message") or text.get("message")
    rows = body.get("errors")
    if not text and isinstance(rows, list) and rows and isinstance(rows[0], dict):
        text = ": ".join(str(rows[0][key]) for key in ("error", "description") if rows[0].get(key))
    return text if isinstance(text, str) else ""


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)
