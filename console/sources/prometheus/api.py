"""The HTTP API of a Prometheus-compatible store: where it lives, what it offers, how it is asked."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from console.model.errors import BadPayload, NotOffered, SourceError
from console.sources.prometheus.answers import open_envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.link.answers import Body
    from console.link.http import HttpLink
    from console.sources.exposition.who import Who

PREFIXES = ("", "/prometheus", "/select/0/prometheus")
LINES = "application/stream+json, application/json"
TEXT = "text/plain;version=0.0.4, */*;q=0.1"
CPU = re.compile(rb"^process_cpu_seconds_total ([0-9.e+]+)", re.MULTILINE)
SLOW_S = 2.0
# A selector that names no series: asks whether an endpoint is there, not for data.
NOTHING = '{__name__="gigadeck_no_such_series"}'


@dataclass(frozen=True)
class Server:
    """What a store is: `flavour` for people, `export` and `federate` for us."""

    flavour: str
    prefix: str = ""
    version: str = ""
    export: bool = False
    federate: bool = False

    @property
    def way(self) -> str:
        """How a full sweep is read."""
        return "export" if self.export else "federate" if self.federate else "slices"


class Api:
    """Asks one store; counts requests and bytes since the last `take_counts`."""

    def __init__(self, link: HttpLink, who: Who, flavour: str = "", wall: Callable[[], float] = time.time) -> None:
        self._link = link
        self._who = who
        self._flavour = flavour
        self._wall = wall
        self._requests = 0
        self._bytes = 0
        self.server = Server("unknown")
        self.skew_s: float | None = None

    def now(self) -> float:
        """Return the time by the store's clock, as far as it is known."""
        return self._wall() + (self.skew_s or 0.0)

    def take_counts(self) -> tuple[int, int]:
        """Return requests and wire bytes since the last call."""
        counts = self._requests, self._bytes
        self._requests = self._bytes = 0
        return counts

    async def probe(self) -> Server:
        """Find the API's prefix and what the store offers; raises SourceError."""
        prefix = await self._find_prefix()
        self.server = Server("probing", prefix)
        export = await self._offers("/api/v1/export", LINES) if self._may("victoriametrics") else False
        federate = not export and self._may("prometheus") and await self._offers("/federate", TEXT)
        flavour, version = await self._name(export, federate)
        self.server = Server(self._flavour or flavour, prefix, version, export, federate)
        return self.server

    async def query(self, promql: str) -> Body:
        """Return the answer to an instant query."""
        return await self._get("/api/v1/query", [("query", promql)])

    async def export(self, selector: str, start: float) -> Body:
        """Return raw samples since `start` (the store's clock) as JSON lines.

        Without `reduce_mem_usage`: it writes a line for each block, three to nine of a series that was just scraped,
        and a VictoriaMetrics 1.79 gave some series the values of others while it merged blocks.
        """
        params = [("match[]", selector), ("start", f"{start:.3f}")]
        return await self._get("/api/v1/export", params, LINES)

    async def federate(self, selector: str) -> Body:
        """Return the newest samples as text with their times."""
        return await self._get("/federate", [("match[]", selector)], TEXT)

    async def cpu_s(self) -> float | None:
        """Return the CPU seconds that the server says it has used, None where it does not say."""
        try:
            body = await self._get("/metrics", [], TEXT)
        except SourceError:
            return None
        found = CPU.search(body.content)
        return float(found[1]) if found else None

    async def names(self, start: float) -> tuple[str, ...]:
        """Return the names of all metrics that were there since `start`.

        Not narrowed to ours: a matcher makes a store visit every series, and large ones refuse that.
        """
        return self._strings(await self._get("/api/v1/label/__name__/values", [("start", f"{start:.0f}")]))

    async def label_names(self, metric: str) -> tuple[str, ...]:
        """Return the label names that series of one metric carry."""
        return self._strings(await self._get("/api/v1/labels", [("match[]", f'{{__name__="{metric}"}}')]))

    def _strings(self, body: Body) -> tuple[str, ...]:
        envelope = open_envelope(body.content, self._who)
        try:
            return tuple(msgspec.json.decode(envelope.data, type=list[str] | None) or ())
        except msgspec.MsgspecError:
            raise self._who.bad("a list of names is not a list") from None

    async def _get(self, path: str, params: list[tuple[str, str]], accept: str = "application/json") -> Body:
        self._requests += 1
        body = await self._link.query(self.server.prefix + path, params, accept=accept)
        self._bytes += body.body_bytes_wire
        self._note_clock(body)
        return body

    def _note_clock(self, body: Body) -> None:
        """Learn how far the server's clock is from ours: its Date lies between question and answer, or it is off.

        The header counts whole seconds; an answer that took long says little.
        """
        date, asked_at = body.server_date, body.received_at - body.elapsed_s
        if date is None or (body.elapsed_s > SLOW_S and self.skew_s is not None):
            return
        ahead_s, behind_s = date - body.received_at, asked_at - 1.0 - date
        self.skew_s = ahead_s if ahead_s > 0 else -behind_s if behind_s > 0 else 0.0

    def _may(self, flavour: str) -> bool:
        return self._flavour in ("", "auto", flavour)

    async def _find_prefix(self) -> str:
        first: SourceError | None = None
        for prefix in PREFIXES:
            self.server = Server("probing", prefix)
            try:
                open_envelope((await self.query("1")).content, self._who)
            except SourceError as error:
                if type(error) not in (NotOffered, BadPayload, SourceError):
                    raise
                first = first or error
            else:
                return prefix
        assert first is not None  # there is at least one prefix
        raise first

    async def _offers(self, path: str, accept: str) -> bool:
        """Whether an endpoint is there; what looks like a web page or another protocol is not."""
        try:
            body = await self._get(path, [("match[]", NOTHING)], accept)
        except (NotOffered, BadPayload):
            return False
        except SourceError as error:
            if type(error) is SourceError:
                return False
            raise
        return len(body.content) < 1000 and not body.content.lstrip().startswith(b'{"status"')

    async def _name(self, export: bool, federate: bool) -> tuple[str, str]:
        try:
            body = await self._get("/api/v1/status/buildinfo", [])
            said = msgspec.json.decode(open_envelope(body.content, self._who).data, type=dict[str, object])
        except (SourceError, msgspec.MsgspecError):
            said = {}
        application = str(said.get("application", "")).lower()
        version = str(said.get("version", ""))[:40]
        if export:
            return "victoriametrics", ""  # its buildinfo names a Prometheus version for others' sake
        if "mimir" in application:
            return "mimir", version
        if federate:
            return "prometheus", version
        return ("thanos" if await self._offers_stores() else "prometheus-compatible"), version

    async def _offers_stores(self) -> bool:
        try:
            open_envelope((await self._get("/api/v1/stores", [])).content, self._who)
        except SourceError:
            return False
        return True
