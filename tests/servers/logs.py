"""A stand-in for Loki and VictoriaLogs over HTTP, with an evaluation of its own of the queries that are asked of it.

Neither can be had from Debian or PyPI. What it holds to is the documented HTTP API of Loki 2 and 3 and of VictoriaLogs:
windows (Loki's end is not part of it), limits, directions, orders, content types, statuses and error texts.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.support.bad_http import answer

if TYPE_CHECKING:
    from tests.support.bad_http import Behaviour, Request, Writer

LOKI_LIMIT = 5000
STRING = r'"((?:[^"\\]|\\.)*)"'


@dataclass
class Entry:
    at_ns: int
    labels: dict[str, str]
    text: str


@dataclass
class LogStore:
    """Entries, and what was asked; `tenant` makes it want one."""

    flavour: str
    entries: list[Entry] = field(default_factory=list)
    tenant: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    failing: int = 0

    def add(self, text: str, at: float | None = None, **labels: str) -> None:
        at_ns = time.time_ns() if at is None else int(at * 1e9)
        self.entries.append(Entry(at_ns, labels or {"job": "kernel", "host": "n0001"}, text))

    @property
    def queries(self) -> list[dict[str, str]]:
        return [params for path, params in self.asked if "quer" in path]

    async def behaviour(self, request: Request, writer: Writer) -> None:
        parts = urlsplit(request.target)
        raw = parse_qs(parts.query) | parse_qs(request.body.decode())
        params = {name: values[0] for name, values in raw.items()}
        self.asked.append((parts.path, params))
        self.headers.append(request.headers)
        await self._respond(parts.path, params, request.headers)(request, writer)

    def _respond(self, path: str, params: dict[str, str], headers: dict[str, str]) -> Behaviour:
        if self.failing:
            return answer("too many outstanding requests", self.failing, "text/plain")
        if self.flavour == "loki":
            return self._loki(path, params, headers)
        if path == "/select/logsql/field_names":
            hits = Counter(name for each in self._of(params) for name in ("_msg", *each.labels))
            return answer(json.dumps({"values": [{"value": name, "hits": count} for name, count in hits.items()]}))
        if path != "/select/logsql/query":
            return answer(f"unsupported path requested: {path!r}", 400, "text/plain; charset=utf-8")
        return self._victoria(params)

    # Loki

    def _loki(self, path: str, params: dict[str, str], headers: dict[str, str]) -> Behaviour:
        if self.tenant and headers.get("x-scope-orgid") != self.tenant:
            return answer("no org id", 401, "text/plain")
        if path == "/loki/api/v1/labels":
            names = sorted({name for each in self._of(params) for name in each.labels})
            return answer(json.dumps({"status": "success", "data": names}))
        values = re.fullmatch(r"/loki/api/v1/label/([^/]+)/values", path)
        if values:
            found = sorted({each.labels[values[1]] for each in self._of(params) if values[1] in each.labels})
            return answer(json.dumps({"status": "success", "data": found}))
        return self._query_range(params) if path == "/loki/api/v1/query_range" else answer("404 page not found", 404)

    def _of(self, params: dict[str, str]) -> list[Entry]:
        return [each for each in self.entries if each.at_ns >= int(params.get("start", "0"))]

    def _query_range(self, params: dict[str, str]) -> Behaviour:
        start, end, limit = (int(params[name]) for name in ("start", "end", "limit"))
        if limit > LOKI_LIMIT:
            text = f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > {LOKI_LIMIT})"
            return answer(text, 400, "text/plain")
        parsed = re.match(r"\s*\{(.*?)\}\s*((?:\|[~=]\s*" + STRING + r"\s*)*)$", params["query"])
        if parsed is None:
            return answer("parse error at line 1, col 1: syntax error: unexpected IDENTIFIER", 400, "text/plain")
        kept = [each for each in self.entries if start <= each.at_ns < end and _matches(each, parsed[1], parsed[2])]
        kept.sort(key=lambda each: each.at_ns, reverse=params["direction"] == "backward")
        streams: dict[str, list[list[str]]] = {}
        for each in kept[:limit]:
            streams.setdefault(json.dumps(each.labels, sort_keys=True), []).append([str(each.at_ns), each.text])
        result = [{"stream": json.loads(labels), "values": values} for labels, values in streams.items()]
        data = {"resultType": "streams", "result": result, "stats": {"summary": {"bytesProcessedPerSecond": 1}}}
        return answer(json.dumps({"status": "success", "data": data}))

    # VictoriaLogs

    def _victoria(self, params: dict[str, str]) -> Behaviour:
        query, _, pipes = params["query"].partition(" | ")
        if query.count("(") != query.count(")") and '"' not in query:
            return answer(f"cannot parse query [{query}]: missing ')'", 400, "text/plain")
        start, end = int(params.get("start", "0")), int(params.get("end", str(1 << 62)))
        kept = [each for each in self.entries if start <= each.at_ns <= end and _holds(each, query)]
        sort = re.fullmatch(r"sort by \(_time( desc)?\) limit (\d+)", pipes)
        if sort:
            kept.sort(key=lambda each: each.at_ns, reverse=bool(sort[1]))
            kept = kept[: int(sort[2])]
        else:
            kept.reverse()  # no order is promised
        rows = [{"_time": _rfc3339(each.at_ns), "_stream": "{}", "_msg": each.text, **each.labels} for each in kept]
        return answer("".join(json.dumps(row) + "\n" for row in rows), 200, "application/stream+json")


def _rfc3339(at_ns: int) -> str:
    whole = datetime.fromtimestamp(at_ns // 10**9, UTC)
    fraction = f"{at_ns % 10**9:09d}".rstrip("0")
    return f"{whole:%Y-%m-%dT%H:%M:%S}{f'.{fraction}' if fraction else ''}Z"


def _text(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), quoted)


def _matches(entry: Entry, matchers: str, filters: str) -> bool:
    for name, how, value in re.findall(r"(\w+)\s*(=~|=|!=)\s*" + STRING, matchers):
        told, wanted = entry.labels.get(name, ""), _text(value)
        fits = re.fullmatch(wanted, told) is not None if how == "=~" else (told == wanted) == (how == "=")
        if not fits:
            return False
    return all(re.search(_text(value), entry.text) for value in re.findall(r"\|~\s*" + STRING, filters))


def _holds(entry: Entry, query: str) -> bool:
    """Evaluate `(...) and ...` with `or` inside, of `field:="x"` and `field:~"x"` alone; `*` is everything."""
    tokens = re.findall(r'\(|\)|\band\b|\bor\b|\*|(?:"[\w.]+"|[\w.]+):[=~]' + STRING.replace("(", "(?:", 1), query)
    fields = {**entry.labels, "_msg": entry.text}
    words = []
    for token in tokens:
        if token in ("(", ")", "and", "or"):
            words.append(token)
        elif token == "*":
            words.append("True")
        else:
            name, _, rest = token.partition(":")
            told, wanted = fields.get(name.strip('"'), ""), _text(rest[2:-1])
            fits = (
                told == wanted if rest[0] == "=" else re.search(wanted, told) is not None and name.strip('"') in fields
            )
            words.append(str(fits))
    return bool(eval(" ".join(words)))  # words of five kinds, made here
