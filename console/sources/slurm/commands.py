"""Asks Slurm by its own commands, over SSH on a login host: for sites without slurmrestd, any version of Slurm.

One shell is opened and kept (a login shell may be slow, and is started once); each answer stands between marks that
nobody can guess. It ends with its input: a lost link leaves nothing behind but a command that is about to end.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from console.link.answers import Body
from console.link.ssh.pool import SshLink
from console.model.errors import (
    NotOffered,
    RateLimited,
    ServerFailed,
    SourceError,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unreachable,
)
from console.present.safe import clean
from console.sources.slurm.bodies import Who
from console.sources.slurm.diag import diag_of
from console.sources.slurm.shown import Cluster, readers_of, statistics
from console.sources.slurm.witness import is_unknown, show_script
from console.sources.ssh.asking import printed
from console.sources.ssh.script import MARK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from console.config.values import SiteConfig, SourceConfig
    from console.model.ports import Question, Subject
    from console.sources.slurm.diag import Diag

COMMAND = "exec /bin/sh -s"
# `-d` tells which GPUs, as slurmrestd does; each is the very request that slurmrestd makes of slurmctld.
ASKED: Mapping[str, str] = {
    "nodes": "scontrol show nodes -o -d",
    "jobs": "scontrol show jobs -o -d",
    "reservations": "scontrol show reservations -o",
    "diag": "sdiag",
}
MOST_NOISE_BYTES = 1024 * 1024
READ_BYTES = 256 * 1024
MOST_SAID = 160
RETRY_S = 60.0
NOT_FOUND = 127
LIMITED = ("rate limit", "backoff", "try again")
SILENT = ("unable to contact", "connection failure", "connect failure", "communication", "timed out")
REFUSED = ("access/permission denied", "authentication", "invalid user", "munge")
PRELUDE = """\
PATH=@BIN@$PATH:/usr/bin:/usr/local/bin:/opt/slurm/bin:/usr/local/slurm/bin
LC_ALL=C.UTF-8 TZ=UTC; unset SLURM_TIME_FORMAT SLURM_CLUSTERS; export PATH LC_ALL TZ
gigadeck() {
  { e=$("$@" 2>&1 >&3 </dev/null 3>&-); c=$?; } 3>&1
  printf '\\n@MARK@ end %s\\n%.600s\\n@MARK@ done\\n' "$c" "$e"
}
printf '\\n@MARK@ ready\\n'
"""


class Commands:
    """The commands of one cluster; has what `Api` has, so that a source need not know which of them it asks."""

    def __init__(self, site: SiteConfig, config: SourceConfig, clock: Callable[[], float] = time.time) -> None:
        self._who = site.name, config.name or config.kind
        self._host = str(config.options["ssh"])
        self._bin = str(config.options.get("bin", ""))
        self._limit_s = config.timeouts.total_s
        self._most_bytes = config.max_body_bytes
        self._clock = clock
        self._link = SshLink(*self._who, site.ssh, limit_s=self._limit_s)
        self._held: AbstractAsyncContextManager[Any] | None = None
        self._process: Any = None
        self._mark = ""
        self._rest = b""
        self._cluster = Cluster()
        self._requests = self._bytes = 0
        self.readers = readers_of(self._cluster)
        self.ends_at = 0.0

    @property
    def version(self) -> str:
        """How Slurm is asked, in words."""
        return f"commands on {self._host}"

    async def negotiate(self) -> None:
        """Open the shell and learn which Slurm it is, unless that is known; raises SourceError."""
        if self._process is None:
            async with self._limited("a shell"):
                await self._open()
            told = await self._run("scontrol --version", "scontrol")
            self._cluster.release = _release(told)
            told = await self._run("scontrol show config", "scontrol")
            self._cluster.name = _cluster_name(told)

    def forget(self) -> None:
        """Open another shell at the next turn."""
        self._drop()

    async def ask(self, what: str, params: Mapping[str, str] | None = None) -> Body:
        """Return what the command for a list prints, always all of it; raises SourceError."""
        started = self._clock()
        content = await self._run(ASKED[what], what)
        now = self._clock()
        return Body(content, 200, {}, now, now - started, len(content), None)

    async def diag(self, user: str) -> Diag:
        """Return how slurmctld does, and what a user's requests cost it; raises SourceError."""
        return diag_of(statistics(await self._run(ASKED["diag"], "diag"), Who(*self._who)), user)

    async def show(self, subject: Subject) -> str:
        """Return what scontrol knows of one node or job, beside the shell that is kept; raises SourceError."""
        script = show_script(subject, self._bin, MARK)
        if not script:
            return ""
        self._requests += 1
        async with asyncio.timeout(self._limit_s), self._link.kept(self._host) as connection:
            told = await printed(connection, script, self._who, self._host)
        return "" if is_unknown(told[:MOST_SAID]) else told

    def take_counts(self) -> tuple[int, int]:
        """Return how many commands and bytes there were since the last call."""
        counts = self._requests, self._bytes
        self._requests = self._bytes = 0
        return counts

    async def sign_in(self, ask: Callable[[Question], Awaitable[str | None]]) -> str:
        """Log in where the way to the login host, or that host, waits for a person; raises SourceError."""
        return await self._link.sign_in(ask)

    async def way(self, host: str) -> str:
        """Return a socket to a host through jump hosts that a person logged in to, empty for none."""
        return await self._link.way(host)

    async def aclose(self) -> None:
        """End the shell, and the connection unless others use it."""
        self._drop()
        if self._held is not None:
            await self._held.__aexit__(None, None, None)
            self._held = None
        await self._link.aclose()

    def explained(self, error: SourceError) -> SourceError:
        """Return an error of a command as what it means here, with what to do about it."""
        text, said = error.message, error.message.lower()
        if any(word in said for word in LIMITED):
            return RateLimited(*self._who, text, "slurmctld limits its clients: raise `cadence`", RETRY_S)
        if any(word in said for word in SILENT):
            return ServerFailed(*self._who, text, f"slurmctld does not answer: `scontrol ping` on {self._host}")
        if any(word in said for word in REFUSED):
            return Unauthorized(*self._who, text, f"may this user ask Slurm on {self._host}? is munge running there?")
        return ServerFailed(*self._who, text, f"run the same on {self._host} by hand")

    async def _open(self) -> None:
        if self._held is not None:
            await self._held.__aexit__(None, None, None)
            self._held = None
        held = self._link.kept(self._host)
        connection = await held.__aenter__()
        self._held = held
        self._mark = f"@@gigadeck-{secrets.token_hex(12)}"
        self._rest = b""
        self._process = await self._session(connection)
        folder = f"{shlex.quote(self._bin)}:" if self._bin else ""
        script = PRELUDE.replace("@MARK@", self._mark).replace("@BIN@", folder)
        self._process.stdin.write(script.encode())
        try:
            await self._until(f"{self._mark} ready\n".encode(), MOST_NOISE_BYTES)
        except Unreachable:
            said = clean(" ".join(self._rest[:4096].decode("utf-8", "replace").split()), MOST_SAID)
            self._drop()
            text = f"{self._host} runs no shell for us" + (f": {said}" if said else "")
            raise NotOffered(*self._who, text, "the user needs a login shell that can start /bin/sh") from None

    async def _session(self, connection: Any) -> Any:
        import asyncssh

        try:
            return await connection.create_process(COMMAND, encoding=None, stderr=asyncssh.DEVNULL)
        except (asyncssh.Error, OSError) as error:
            text = f"{self._host} opens no session: {clean(str(error), MOST_SAID)}"
            raise Unreachable(*self._who, text, "its sshd may allow no shell or too few sessions") from None

    async def _run(self, command: str, what: str) -> bytes:
        """Return what a command prints; raises SourceError for what it says instead."""
        if self._process is None:
            raise Unreachable(*self._who, f"the shell on {self._host} ended", "it is opened again")
        self._requests += 1
        async with self._limited(f"`{command}`"):
            self._process.stdin.write(f"gigadeck {command}\n".encode())
            content = await self._until(f"\n{self._mark} end ".encode(), self._most_bytes)
            end = await self._until(f"\n{self._mark} done\n".encode(), MOST_NOISE_BYTES)
        self._bytes += len(content)
        code, _, said = end.decode("utf-8", "replace").partition("\n")
        if code.strip() != "0":
            raise self._failed(command, code.strip(), clean(" ".join(said.split()), MOST_SAID), what)
        return content

    def _failed(self, command: str, code: str, said: str, what: str) -> SourceError:
        if code == str(NOT_FOUND):
            text = f"{self._host} has no `{command.partition(' ')[0]}` in its PATH"
            return NotOffered(*self._who, text, "set `bin` to the folder of Slurm's commands, or `ssh` to a login host")
        told = f"`{command}` ended with {code}" + (f": {said}" if said else "")
        error = self.explained(ServerFailed(*self._who, told))
        return NotOffered(*self._who, error.message, error.advice) if what == "diag" else error

    async def _until(self, mark: bytes, most_bytes: int) -> bytes:
        """Return what comes before a mark, and keep what comes after it; raises Unreachable, TooLarge."""
        pieces, size, tail = [self._rest], len(self._rest), self._rest
        self._rest = b""
        while mark not in tail:
            piece = await self._process.stdout.read(READ_BYTES)
            if not piece:
                self._rest = b"".join(pieces)
                self._process = None
                raise Unreachable(*self._who, f"the shell on {self._host} ended", "the connection may be lost")
            pieces.append(piece)
            size += len(piece)
            if size > most_bytes:
                self._drop()
                raise TooLarge(*self._who, f"{self._host} sends more than {most_bytes:,} bytes", "raise `max_body`")
            tail = tail[-len(mark) :] + piece
        before, _, self._rest = b"".join(pieces).partition(mark)
        return before

    @asynccontextmanager
    async def _limited(self, what: str) -> AsyncIterator[None]:
        """End a wait after its time, and the shell with it: nobody knows what would come next out of that."""
        import asyncssh

        try:
            async with asyncio.timeout(self._limit_s):
                yield
        except TimeoutError:
            self._drop()
            text = f"{self._host} did not answer {what} within {self._limit_s:g} s"
            advice = "a slow login shell, or a busy slurmctld? `timeouts: {total: ...}` is the limit"
            raise TimedOut(*self._who, text, advice) from None
        except (asyncssh.Error, OSError) as error:
            self._drop()
            text = f"the shell on {self._host} ended: {clean(str(error), MOST_SAID)}"
            raise Unreachable(*self._who, text, "it is opened again") from None
        except asyncio.CancelledError:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._process is not None:
            self._process.channel.abort()
            self._process = None


def _release(told: bytes) -> str:
    return told.decode("utf-8", "replace").strip().rpartition(" ")[2][:40]


def _cluster_name(told: bytes) -> str:
    for line in told.decode("utf-8", "replace").splitlines():
        key, _, name = line.partition("=")
        if key.strip() == "ClusterName":
            return name.strip()[:80]
    return ""
