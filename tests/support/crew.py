"""Serves that share one memory, and a script at work on them: it notes, acknowledges, and knows what was answered."""

from __future__ import annotations

import itertools
import json
import random
import socket
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from tests.servers.gigaserve import GigaServe, gigaserve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

WAIT_S = 60.0
PACE_S = 0.02
PATH = "/site/v1/lab"
FLEET = """\
fleet: crew
sites:
  - {{name: lab, environment: lab, sources: [{{kind: emulator, gpus: {gpus}}}]}}
state: {state}
checks:
  - {{name: warm, where: temp_c > 20, warning: 1}}
serve:
  listen: {listen}
  socket: {{path: {socket}}}
  limits: {{requests_per_s: 100000}}
"""


def leads(told: dict[str, Any]) -> bool:
    return bool(told["ready"]) and told["role"] == "leader" and bool(told.get("writable"))


def follows(told: dict[str, Any]) -> bool:
    return bool(told["ready"]) and told["role"] == "follower"


class Crew:
    """Each serve has a fleet file and a socket of its own, by its name; one that ended can be started again."""

    def __init__(self, folder: Path, stack: ExitStack, state: str, *, gpus: int = 64, listen: str = '"off"') -> None:
        self.folder = folder
        self._stack = stack
        self._more = {"state": state, "gpus": gpus, "listen": listen}

    def socket(self, name: str) -> str:
        return str(self.folder / f"{name}.sock")

    def start(self, name: str) -> GigaServe:
        file = self.folder / f"{name}.yaml"
        file.write_text(FLEET.format(socket=self.socket(name), **self._more))
        file.chmod(0o600)
        serve = gigaserve("--fleet", str(file), "--name", name, socket=self.socket(name))
        return self._stack.enter_context(serve)

    def leader(self, name: str = "first") -> GigaServe:
        """Return a serve that leads and has an incident."""
        serve = self.start(name)
        serve.wait_ready(lambda told: leads(told) and incident(serve))
        return serve

    def pair(self) -> tuple[GigaServe, GigaServe]:
        leader, follower = self.leader(), self.start("second")
        follower.wait_ready(lambda told: follows(told) and incident(follower))
        return leader, follower


def incident(serve: GigaServe) -> dict[str, Any] | None:
    """Return the incident of the check, as this serve has it."""
    rows = serve.get(f"{PATH}/incidents").json()["incidents"]
    found: list[dict[str, Any]] = [row for row in rows if row["sign"]["key"] == "check:warm"]
    assert len(found) <= 1, found
    return found[0] if found else None


def notes(serve: GigaServe) -> list[str]:
    return sorted(each["text"] for each in serve.get(f"{PATH}/notes").json()["notes"])


@dataclass
class Script:
    """Writes at whichever of some sockets takes it, each deed again with the same id until it is answered.

    `taken_on` is what acknowledgements were answered: their texts, empty for one that was taken back.
    """

    sockets: Sequence[str]
    incident: str
    noters: int = 3
    words: int = 10
    noted: list[str] = field(default_factory=list)
    taken_on: list[str] = field(default_factory=lambda: [""])
    open: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    reads: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)
    stopped: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Script:
        self.threads = [threading.Thread(target=self._note, args=(number,)) for number in range(self.noters)]
        self.threads += [threading.Thread(target=work) for work in (self._take_on, self._read)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(WAIT_S)

    @property
    def answered(self) -> int:
        return len(self.noted) + len(self.taken_on) - 1

    def more(self, count: int) -> None:
        """Wait until so many more deeds were answered."""
        with self.news:
            wanted = self.answered + count
            assert self.news.wait_for(lambda: self.answered >= wanted, WAIT_S), f"{self.refused} {self.odd}"

    def is_refused(self, words: str) -> None:
        """Wait until a deed is refused with some words."""
        with self.news:
            found = self.news.wait_for(lambda: any(words in each for each in self.refused), WAIT_S)
        assert found, f"{words!r} was not said: {self.refused}"

    def is_kept_by(self, serve: GigaServe) -> None:
        """Check, at the end, that what was answered is there, once, and nothing that was not asked for."""
        assert not self.odd, self.odd
        begun = set(self.open.values())
        wanted = set(self.noted)
        serve.wait_ready(lambda told: told["ready"] and wanted <= set(notes(serve)))
        kept = notes(serve)
        assert len(kept) == len(set(kept)), "a note is there twice"
        assert wanted <= set(kept) <= wanted | begun

        def is_as_answered(told: dict[str, Any]) -> bool:
            row = incident(serve)
            assert row is not None
            assert row["id"] == self.incident, "the incident began anew"
            taken = row["acknowledgement"]
            return ((taken or {}).get("note") or "") in {self.taken_on[-1], *begun}

        serve.wait_ready(is_as_answered)

    def _note(self, writer: int) -> None:
        chance = random.Random(writer)
        for number in itertools.count():
            id = f"n{writer}-{number}"
            text = f"{id} {chance.randbytes(self.words // 2).hex()}"
            if not self._done(id, {"kind": "note", "subject": "site:lab", "text": text}, text):
                return
            self._tell(self.noted, text)

    def _take_on(self) -> None:
        for number in itertools.count(1):
            id, taking = f"a{number}", number % 2 == 1
            kind, text = ("acknowledge", id) if taking else ("unacknowledge", "")
            if not self._done(id, {"kind": kind, "subject": self.incident, "text": text}, text):
                return
            self._tell(self.taken_on, text)

    def _tell(self, done: list[str], text: str) -> None:
        with self.news:
            done.append(text)
            self.news.notify_all()

    def _done(self, id: str, deed: dict[str, str], text: str) -> bool:
        """Bring a deed until it is answered; False where the script is over first."""
        self.open[id] = text
        for path in itertools.cycle(self.sockets):
            if self.stopped.is_set():
                return False
            status, words = self._asked(path, {"id": id, **deed})
            if status == 200:
                del self.open[id]
                return True
            with self.news:
                self.refused[words] += 1
                self.news.notify_all()
            if status not in (0, 421, 502, 503):
                self.odd.append(f"{deed}: {status} {words}")
                return False
            self.stopped.wait(PACE_S)
        return False

    def _asked(self, path: str, body: dict[str, str]) -> tuple[int, str]:
        try:
            status, told = _ask(path, "POST", "deeds", json.dumps(body))
        except (OSError, HTTPException) as error:
            return 0, type(error).__name__
        return status, str(told.get("error", ""))

    def _read(self) -> None:
        for path in itertools.cycle(self.sockets):
            if self.stopped.wait(PACE_S):
                return
            try:
                status, _ = _ask(path, "GET", "notes")
            except (OSError, HTTPException) as error:
                self.unread.append(f"{path}: {type(error).__name__}")
            else:
                self.reads += 1
                if status != 200:
                    self.unread.append(f"{path}: {status}")


class _Line(HTTPConnection):
    """By a UNIX socket; closed whatever happens, as httpx does not where nobody listens."""

    def __init__(self, path: str) -> None:
        super().__init__("gigadeck", timeout=20.0)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _ask(path: str, method: str, what: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    with closing(_Line(path)) as line:
        line.request(method, f"{PATH}/{what}", body, {"Content-Type": "application/json", "Connection": "close"})
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
