"""What the API server itself says of one node or job, untouched, and the logs of a job's pods."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from console.model.errors import NotOffered, SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from console.link.kubernetes.api import KubeLink
    from console.model.ports import Subject
    from console.sources.kubernetes.book import Book
    from console.sources.kubernetes.pods import PodRow
    from console.sources.kubernetes.wire import Who

YAML = "application/yaml"
MOST_PODS = 16
MOST_LOGS = 8
MOST_LINES = 1000
MOST_LINE_BYTES = 65_536
TAIL = 1000
IDLE_S = 3600.0
MOST_BYTES = 8 * 1024 * 1024


class Records:
    """Looks objects up by the names that are known, and asks for them."""

    def __init__(self, link: KubeLink, book: Book, who: Who) -> None:
        self._link = link
        self._book = book
        self._who = who

    async def record(self, subject: Subject) -> str:
        """Return the objects and then their events as YAML, empty for what is not known here; raises SourceError."""
        if subject.job:
            return await self._of_job(subject.job)
        node = self._node(subject)
        if not node:
            return ""
        try:
            told = [await self._text(f"/api/v1/nodes/{quote(node, safe='')}")]
        except NotOffered:
            return ""
        told.append(await self._events("", "Node", node))
        return _joined(told)

    async def follow(self, subject: Subject, since_at: float) -> AsyncIterator[str]:
        """Yield the lines of a job's pods as they come, each with its pod's name where there are several."""
        pods = [pod for pod in self._pods(subject.job) if pod.node] if subject.job else []
        if not pods:
            return
        lines: asyncio.Queue[str | SourceError | None] = asyncio.Queue(MOST_LINES)
        shown = pods[:MOST_LOGS]
        tasks = [
            asyncio.create_task(self._pump(pod, since_at, lines, f"{pod.name}: " if len(pods) > 1 else ""))
            for pod in shown
        ]
        if len(pods) > len(shown):
            yield f"(the first {len(shown)} of {len(pods)} pods)"
        ended, fault = 0, None
        try:
            while ended < len(tasks):
                line = await lines.get()
                if isinstance(line, str):
                    yield line
                    continue
                ended, fault = ended + 1, line or fault
                if line is not None and len(tasks) > 1:
                    yield f"({line.message})"
            if fault is not None:
                raise fault
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(
        self, pod: PodRow, since_at: float, lines: asyncio.Queue[str | SourceError | None], before: str
    ) -> None:
        path = f"/api/v1/namespaces/{quote(pod.namespace, safe='')}/pods/{quote(pod.name, safe='')}/log"
        params = {"follow": "true", "container": pod.container}
        if since_at > 0:
            params["sinceTime"] = datetime.fromtimestamp(since_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            params["tailLines"] = str(TAIL)
        fault: SourceError | None = None
        try:
            async with self._link.stream(path, params, accept="text/plain", idle_s=IDLE_S) as answer:
                rest = b""
                async for chunk in answer.chunks:
                    *whole, rest = (rest + chunk).split(b"\n")
                    whole += [rest] if len(rest) > MOST_LINE_BYTES else []
                    rest = b"" if len(rest) > MOST_LINE_BYTES else rest
                    for line in whole:
                        await lines.put(before + line.decode("utf-8", "replace"))
                if rest:
                    await lines.put(before + rest.decode("utf-8", "replace"))
        except SourceError as error:
            fault = error
        await lines.put(fault)

    async def _of_job(self, job: str) -> str:
        pods = self._pods(job)
        told: list[str] = []
        for pod in pods[:MOST_PODS]:
            path = f"/api/v1/namespaces/{quote(pod.namespace, safe='')}/pods/{quote(pod.name, safe='')}"
            with suppress(NotOffered):  # it ended in between
                told.append(await self._text(path))
                told.append(await self._events(pod.namespace, "Pod", pod.name))
        if len(pods) > MOST_PODS:
            told.append(f"# the first {MOST_PODS} of {len(pods)} pods of {job}\n")
        return _joined(told)

    async def _events(self, namespace: str, kind: str, name: str) -> str:
        """Return an object's events; why they cannot be had, where they cannot."""
        where = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        try:
            return await self._text(f"/api/v1{where}/events", {"fieldSelector": selector, "limit": "500"})
        except SourceError as error:
            return f"# no events: {error.message}\n"

    async def _text(self, path: str, params: dict[str, str] | None = None) -> str:
        body = await self._link.get(path, params or {}, accept=f"{YAML}, application/json", max_body_bytes=MOST_BYTES)
        return body.content.decode("utf-8", "replace")

    def _node(self, subject: Subject) -> str:
        names = (subject.node, *subject.aliases)
        return next((name for name in names if name and ("", name) in self._book.nodes.rows), "")

    def _pods(self, job: str) -> list[PodRow]:
        group = self._book.ids.get(job)
        if group is None:
            return []
        # The compute thread may change it meanwhile: a copy in one step.
        pods = tuple(self._book.groups.get(group, {}).values())
        return sorted(pods, key=lambda pod: (not pod.holds, pod.name))


def _joined(documents: list[str]) -> str:
    return "---\n".join(text if text.endswith("\n") else f"{text}\n" for text in documents if text)
