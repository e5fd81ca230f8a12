"""Asks OpenSSH itself how it would reach a host, so that what its configuration means is never guessed.

`ssh -G` resolves Host, Match, Include, tokens, times and comments as `ssh` does, and names file and line of what it
cannot read. A configuration of ours puts the site's own settings before the user's.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from console.config.places import state_dir
from console.link.ssh.hops import Hop, read_hop
from console.link.ssh.route import Route, read_route
from console.model.errors import SourceError, TimedOut

if TYPE_CHECKING:
    from pathlib import Path

    from console.config.values import SshConfig

RESOLVE_LIMIT_S = 10.0
AT_ONCE = 4
TEXT_LIMIT = 300
_UNSAFE = re.compile(r"[\x00-\x1f\"\\]")


class OpenSsh:
    """One site's way to its nodes; `resolve` runs `ssh -G`, at most four at once."""

    def __init__(self, site: str, source: str, config: SshConfig) -> None:
        self._who = (site, source)
        self._config = config
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._file: Path | None = None

    async def resolve(self, hop: Hop) -> Route:
        """Return how a host is reached; raises SourceError, with file and line of what OpenSSH cannot read."""
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
        try:
            return read_route(hop, out.decode(errors="replace"))
        except ValueError as error:
            raise SourceError(*self._who, f"ssh configuration of {hop.host}: {error}", "see `ssh -G`") from None

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
    return path


def _word(text: str) -> str:
    if _UNSAFE.search(text):
        raise ValueError(f"{text[:60]!r} holds characters that ssh_config cannot")
    return text
