"""A Prometheus-compatible store in a few lines: answers the requests that the source makes, from rows in memory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.bad_http import answer

if TYPE_CHECKING:
    from tests.support.bad_http import Request, Writer

POWER = "DCGM_FI_DEV_POWER_USAGE"
TEMP = "DCGM_FI_DEV_GPU_TEMP"


@dataclass(frozen=True)
class Row:
    """One series: its labels, newest value as the protocol writes it, and its age in seconds."""

    labels: dict[str, str]
    value: str
    age_s: float = 1.0


def gpu_row(name: str, node: str, gpu: int, value: str, age_s: float = 1.0, **more: str) -> Row:
    uuid = f"GPU-{abs(hash((node, gpu))) % 16**8:08x}-0000-0000-0000-{gpu:012x}"
    labels = {"__name__": name, "UUID": uuid, "gpu": str(gpu), "Hostname": node, "modelName": "H100", **more}
    return Row(labels, value, age_s)


@dataclass
class FakeStore:
    """`federate` and `export` say what it offers; samples are `interval_s` apart; a `silent` one has names alone."""

    rows: list[Row]
    now: float
    federate: bool = False
    export: bool = False
    prefix: str = ""
    interval_s: float = 15.0
    warnings: list[str] = field(default_factory=list)
    partial: bool = False
    wide: list[Row] = field(default_factory=list)
    refuse: str = ""
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    async def behaviour(self, request: Request, writer: Writer) -> None:
        status, kind, text = self.respond(request.target, request.body.decode())
        await answer(text, status, kind)(request, writer)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        status, kind, text = self.respond(request.url.raw_path.decode(), request.content.decode())
        return httpx.Response(status, text=text, headers={"content-type": kind})

    def respond(self, target: str, form: str = "") -> tuple[int, str, str]:
        parts = urlsplit(target)
        query = parse_qs(form or parts.query)
        if not parts.path.startswith(self.prefix):
            return 404, "text/plain", "404 page not found"
        path = parts.path.removeprefix(self.prefix)
        match = query.get("match[]", [""])[0]
        if path == "/api/v1/query":
            return self._query(query["query"][0])
        if path == "/api/v1/label/__name__/values":
            names = {row.labels["__name__"] for row in [*self.rows, *self.wide] if "__name__" in row.labels}
            return self._good(sorted(names))
        if path == "/api/v1/labels":
            return self._good(sorted({name for row in self._chosen(match) for name in row.labels}))
        if path == "/federate" and self.federate:
            return 200, "text/plain; version=0.0.4", "".join(self._line(row) for row in self._chosen(match))
        if path == "/api/v1/export" and self.export:
            return 200, "application/stream+json", "".join(self._export(row) for row in self._chosen(match))
        if path == "/api/v1/status/buildinfo":
            return self._good({"version": "9.9"})
        return 404, "text/plain", "404 page not found"

    def _query(self, promql: str) -> tuple[int, str, str]:
        self.asked.append(promql)
        if self.refuse and self.refuse in promql:
            return 422, "application/json", '{"status":"error","errorType":"execution","error":"too many samples"}'
        if promql == "1":
            return self._good({"resultType": "scalar", "result": [self.now, "1"]})
        if self.silent:
            return self._vector([])
        if promql.startswith("count("):
            return self._vector([Row({}, str(len(self._chosen(promql))), 0.0)])
        if "label_replace" in promql or "gigadeck:" in promql:
            return self._vector(self.wide)
        if promql.endswith("]"):
            return self._matrix(self._chosen(promql))
        if promql.startswith("topk("):
            return self._vector(self._chosen(promql)[: int(promql[5:].split(",")[0])])
        return self._vector(self._chosen(promql))

    def _chosen(self, selector: str) -> list[Row]:
        matchers = re.findall(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"', selector)
        return [row for row in self.rows if all(_matches(row, *each) for each in matchers)]

    def _good(self, data: Any) -> tuple[int, str, str]:
        envelope: dict[str, Any] = {"status": "success"}
        envelope |= {"isPartial": True} if self.partial else {}
        envelope["data"] = data
        envelope |= {"warnings": self.warnings} if self.warnings else {}
        return 200, "application/json", json.dumps(envelope, separators=(",", ":"))

    def _vector(self, rows: list[Row]) -> tuple[int, str, str]:
        result = [{"metric": row.labels, "value": [self.now, row.value]} for row in rows]
        return self._good({"resultType": "vector", "result": result})

    def _matrix(self, rows: list[Row]) -> tuple[int, str, str]:
        result = [
            {"metric": row.labels, "values": [[at - self.interval_s, row.value], [at, row.value]]}
            for row in rows
            for at in [self.now - row.age_s]
        ]
        return self._good({"resultType": "matrix", "result": result})

    def _line(self, row: Row) -> str:
        labels = ",".join(
            '{}="{}"'.format(name, text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
            for name, text in row.labels.items()
            if name != "__name__"
        )
        return f"{row.labels['__name__']}{{{labels}}} {row.value} {int((self.now - row.age_s) * 1000)}\n"

    def _export(self, row: Row) -> str:
        values = [None if row.value == "NaN" else "Infinity" if "Inf" in row.value else float(row.value)] * 2
        at = int((self.now - row.age_s) * 1000)
        stamps = [at - int(self.interval_s * 1000), at]
        return json.dumps({"metric": row.labels, "values": values, "timestamps": stamps}, separators=(",", ":")) + "\n"


def _matches(row: Row, label: str, how: str, pattern: str) -> bool:
    value = row.labels.get(label, "")
    pattern = re.sub(r"\\(.)", r"\1", pattern)
    same = bool(re.fullmatch(pattern, value)) if "~" in how else value == pattern
    return same != how.startswith("!")
