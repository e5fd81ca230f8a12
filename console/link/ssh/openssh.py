"""Asks OpenSSH itself how it would reach a host, so that what its configuration means is never guessed.

`ssh -G` resolves Host, Match, Include, tokens, times and comments as `ssh` does, and names file and line of what it
cannot read. A configuration of ours puts the site's own settings before the user's.
"""

from __future__ import annotations

import asyncio
import glob
import hashlib
import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.config.places import state_dir
from console.link.ssh.alike import host_patterns, renamed, signature
from console.link.ssh.hops import Hop, read_hop
from console.link.ssh.route import Route, read_route
from console.model.errors import SourceError, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console.config.values import SshConfig
    from console.link.ssh.alike import Patterns

RESOLVE_LIMIT_S = 10.0
AT_ONCE = 4
KNOWN_FOR_S = 60.0
OLD_S = 30 * 86_400.0
TEXT_LIMIT = 300
_UNSAFE = re.compile(r"[\x00-\x1f\"\\]")


@dataclass(eq=False)
class _Group:
    """Hosts that read the same settings: one that was asked for, and whether a second one bore that out."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    host: str = ""
    text: str = ""
    sure: bool = False
    broken: bool = False

    def told_of(self, host: str) -> str | None:
        """Return what ssh would say of a host, None where it is not known."""
        if host == self.host:
            return self.text
        return renamed(self.text, self.host, host) if self.host and not self.broken else None

    def learn(self, host: str, asked: str, told: str | None) -> None:
        """Take what ssh did say, beside what was told of it before (None: nothing)."""
        if not self.host:
            self.host, self.text = host, asked
        elif told is not None and host != self.host:
            same = told.splitlines() == asked.splitlines()
            self.sure, self.broken = same, not same


class OpenSsh:
    """One site's way to its nodes; `resolve` runs `ssh -G`, at most four at once, and once for hosts that are alike.

    What is known of hosts that are alike is asked for anew every minute: a configuration may change.
    """

    def __init__(
        self, site: str, source: str, config: SshConfig, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._patterns: Patterns | None = None
        self._groups: dict[tuple[bool, ...], _Group] = {}
        self._known_until = 0.0
        self._who = (site, source)
        self._config = config
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._file: Path | None = None

    async def resolve(self, hop: Hop) -> Route:
        """Return how a host is reached; raises SourceError, with file and line of what OpenSSH cannot read."""
        group = self._group(hop)
        if group is None or group.broken:
            return self._route(hop, await self._ask(hop))
        async with group.lock:
            text = group.told_of(hop.host)
            if not group.sure or text is None:
                asked = await self._ask(hop)
                group.learn(hop.host, asked, text)
                text = asked
        return self._route(hop, text)

    def _group(self, hop: Hop) -> _Group | None:
        """Return the hosts that read the same settings as this one; None where it must be asked for by itself."""
        now = self._monotonic()
        if now >= self._known_until:
            self._known_until = now + KNOWN_FOR_S
            self._patterns, self._groups = host_patterns(self.config_file()), {}
        if self._patterns is None or hop.user or hop.port:
            return None
        return self._groups.setdefault(signature(self._patterns, hop.host), _Group())

    def _route(self, hop: Hop, text: str) -> Route:
        try:
            return read_route(hop, text)
        except ValueError as error:
            raise SourceError(*self._who, f"ssh configuration of {hop.host}: {error}", "see `ssh -G`") from None

    async def _ask(self, hop: Hop) -> str:
        async with self._gate:
            process = await asyncio.create_subprocess_exec(
                *self.command(hop, "-G"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                async with asyncio.timeout(RESOLVE_LIMIT_S):
                    out, err = await process.communicate()
            except TimeoutError:
                text = f"ssh -G {hop} gave no answer within {RESOLVE_LIMIT_S:g} s"
                raise TimedOut(*self._who, text, "look for a slow `Match exec` in ssh_config") from None
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        if process.returncode:
            raise self._unreadable(err.decode(errors="replace"))
        return out.decode(errors="replace")

    def command(self, hop: Hop, *options: str) -> list[str]:
        """Return the command line of the system's ssh for a host; raises SourceError."""
        binary = shutil.which("ssh")
        if binary is None:
            raise SourceError(*self._who, "OpenSSH's client is not installed here", "install openssh-client")
        user = ("-l", hop.user) if hop.user else ()
        port = ("-p", str(hop.port)) if hop.port else ()
        return [binary, "-F", str(self.config_file()), *options, *user, *port, "--", hop.host]

    def config_file(self) -> Path:
        """Return the configuration, written where it is missing (its name is its content's); raises SourceError."""
        if self._file is None or not self._file.exists():
            try:
                self._file = write_config(self._who[0], config_text(self._config))
            except (OSError, ValueError) as error:
                text = f"cannot write the configuration for ssh: {error}"
                raise SourceError(*self._who, text, "check `ssh` of this site and the state folder") from None
        return self._file

    def _unreadable(self, said: str) -> SourceError:
        lines = [line.strip() for line in said.replace("\r", "").splitlines() if line.strip()]
        faults = [line for line in lines if "terminating," not in line] or ["ssh -G failed"]
        text = f"OpenSSH cannot read its configuration: {'; '.join(faults)[:TEXT_LIMIT]}"
        return SourceError(*self._who, text, "correct that line")


def config_text(config: SshConfig) -> str:
    """Return an ssh_config: what the site says, then the user's own and the system's; raises ValueError."""
    hops = [read_hop(each) for each in config.jump]
    others = " ".join(f"!{_word(hop.host)}" for hop in hops)
    lines = ["# Written by gigadeck from a fleet file; it is written anew when that changes."]
    if config.jump or config.port != 22:
        lines.append(f"Host * {others}".rstrip())
        lines += [f"  ProxyJump {','.join(map(str, hops))}"] if hops else []
        lines += [f"  Port {config.port}"] if config.port != 22 else []
    lines.append("Host *")
    lines += [f"  User {_word(config.user)}"] if config.user else []
    lines += [f'  IdentityFile "{_word(config.identity_file)}"'] if config.identity_file else []
    lines += [f'  UserKnownHostsFile "{_word(config.known_hosts)}"'] if config.known_hosts else []
    if config.known_hosts_command:
        lines.append("  KnownHostsCommand " + " ".join(f'"{_word(each)}"' for each in config.known_hosts_command))
    own = f'"{_word(config.config)}"' if config.config else "~/.ssh/config"
    lines += ["Match all", f"  Include {own}", "Match all", "  Include /etc/ssh/ssh_config"]
    return "\n".join(lines) + "\n"


def write_config(site: str, text: str) -> Path:
    """Write a configuration into the state folder, readable by this user alone, and return where it is."""
    folder = state_dir() / "ssh"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{site}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}.conf"
    if not path.exists():
        passing = path.with_suffix(f".{os.getpid()}")
        passing.write_text(text)
        passing.chmod(0o600)
        passing.replace(path)
        _drop_old(folder, site, path)
    return path


def _drop_old(folder: Path, site: str, kept: Path) -> None:
    """Delete what was written for a site long ago; a console that still runs on it writes it again."""
    for each in folder.glob(f"{glob.escape(site)}-{'?' * 12}.conf"):
        with suppress(OSError):
            if each != kept and time.time() - each.stat().st_mtime > OLD_S:
                each.unlink()


def _word(text: str) -> str:
    if _UNSAFE.search(text):
        raise ValueError(f"{text[:60]!r} holds characters that ssh_config cannot")
    return text
