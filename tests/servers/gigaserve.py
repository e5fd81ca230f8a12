"""Starts `gigadeck serve` as a process of its own, reads its log, asks it by TCP or UNIX socket, ends it by its pid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

START_S = 60.0
WAIT_S = 40.0
END_S = 20.0
ROOT = Path(__file__).parents[2]
SOCKET_URL = "http://gigadeck"


@dataclass
class GigaServe:
    """A running serve: `lines` are its log so far, each a JSON object."""

    process: subprocess.Popen[str]
    socket: str = ""
    url: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    verify: Any = True
    news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def pid(self) -> int:
        return self.process.pid

    def client(self, **more: Any) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=self.socket) if self.socket else None
        base = SOCKET_URL if self.socket else self.url
        return httpx.Client(base_url=base, transport=transport, timeout=20.0, verify=self.verify, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        with self.client() as client:
            return client.get(path, **more)

    def ready(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self.get("/ready").json()
        except httpx.TransportError as error:
            return {"ready": False, "role": "", "error": str(error)}
        return answer

    def wait_ready(self, predicate: Callable[[dict[str, Any]], object] = lambda told: told["ready"]) -> dict[str, Any]:
        """Ask until the answer is as wanted."""
        deadline = time.monotonic() + WAIT_S
        while True:
            told = self.ready()
            if predicate(told):
                return told
            assert time.monotonic() < deadline, f"{told}\n{self.said()}"
            time.sleep(0.05)

    def wait_log(self, words: str) -> dict[str, Any]:
        """Wait for a line of the log whose message holds some words."""
        with self.news:
            found = self.news.wait_for(
                lambda: next((each for each in self.lines if words in each["message"]), None), WAIT_S
            )
        assert found, f"{words!r} is not in the log:\n{self.said()}"
        return found

    def said(self) -> str:
        return "\n".join(json.dumps(line) for line in self.lines)

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(END_S)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                told = json.loads(line)
            except ValueError:
                told = {"message": line.rstrip(), "level": "raw"}
            with self.news:
                self.lines.append(told)
                self.news.notify_all()


@contextmanager
def gigaserve(
    *arguments: str,
    socket: str = "",
    environment: Mapping[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
    command: tuple[str, ...] = (),
) -> Iterator[GigaServe]:
    """Run `gigadeck serve ARGUMENTS` until the block ends; yields once it says where it listens."""
    whole = (*(command or (sys.executable, "-m", "console", "serve")), *arguments)
    with subprocess.Popen(
        whole,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        pass_fds=pass_fds,
    ) as process:
        running = GigaServe(process, socket=socket)
        reader = threading.Thread(target=running._read, daemon=True)
        reader.start()
        try:
            said = running.wait_log("gigadeck serve: ")["message"]
            running.url = next((word for word in said.split() if word.startswith(("http://", "https://"))), "")
            yield running
        finally:
            running.end()
            reader.join(END_S)
