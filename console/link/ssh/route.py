"""How a host is reached, as `ssh -G` prints it."""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.link.ssh.hops import Hop, read_hops

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"%(.)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """A host with everything that a login needs; paths are absolute.

    `agent` is the path of an agent's socket, empty for none. `proxy_command` and `known_hosts_command` are ready to
    run. `lenient` says that the configuration would have `ssh` trust unknown host keys, which we never do.
    """

    name: str
    host: str
    port: int
    user: str
    alias: str = ""
    keys: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    agent: str = ""
    identities_only: bool = False
    known_hosts: tuple[str, ...] = ()
    jump: tuple[Hop, ...] = ()
    proxy_command: str = ""
    known_hosts_command: tuple[str, ...] = ()
    connect_timeout_s: float = 0.0
    lenient: bool = False

    @property
    def shown(self) -> str:
        """The host as messages name it: the name, and the address where that differs."""
        where = self.host + (f":{self.port}" if self.port != 22 else "")
        return self.name if where == self.name else f"{self.name} ({where})"


def read_route(hop: Hop, text: str) -> Route:
    """Return the route that the output of `ssh -G` tells; raises ValueError for what cannot be used."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        said.setdefault(key.lower(), []).append(value.strip())
    one = {key: values[0] for key, values in said.items()}
    host, port = one.get("hostname", hop.host), int(one.get("port", "22"))
    user = one.get("user", getpass.getuser())
    tokens = {
        "%": "%", "h": host, "p": str(port), "r": user, "n": hop.host, "d": home_folder(), "u": getpass.getuser(),
        "k": one.get("hostkeyalias", hop.host), "L": os.uname().nodename.partition(".")[0], "l": os.uname().nodename,
        "i": str(os.getuid()), "j": one.get("proxyjump", ""),
    }  # fmt: skip
    known = [*_words(one.get("userknownhostsfile", "")), *_words(one.get("globalknownhostsfile", ""))]
    command = one.get("proxycommand", "")
    return Route(
        name=hop.host,
        host=host,
        port=port,
        user=user,
        alias=one.get("hostkeyalias", ""),
        keys=_paths(said.get("identityfile", []), tokens),
        certificates=_paths(said.get("certificatefile", []), tokens),
        agent=_agent(one.get("identityagent", "SSH_AUTH_SOCK"), tokens),
        identities_only=one.get("identitiesonly") == "yes",
        known_hosts=_paths([each for each in known if each.lower() != "none"], tokens),
        jump=read_hops(one.get("proxyjump", "")),
        proxy_command="" if command.lower() in ("", "none") else _expanded(command, tokens),
        known_hosts_command=_command(one.get("knownhostscommand", ""), {**tokens, **_looked_up(host, port, one)}),
        connect_timeout_s=_seconds(one.get("connecttimeout", "none")),
        lenient=one.get("stricthostkeychecking", "ask") in ("false", "no", "off", "accept-new"),
    )


def _looked_up(host: str, port: int, one: Mapping[str, str]) -> dict[str, str]:
    """Return %H, the name that is looked for in known_hosts, and %I, why."""
    return {"H": one.get("hostkeyalias") or (host if port == 22 else f"[{host}]:{port}"), "I": "HOSTNAME"}


def _command(text: str, tokens: Mapping[str, str]) -> tuple[str, ...]:
    """Return a command's words with tokens, each expanded by itself as OpenSSH does."""
    if text.lower() in ("", "none"):
        return ()
    return tuple(_expanded(word, tokens) for word in _words(text))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _paths(texts: list[str], tokens: Mapping[str, str]) -> tuple[str, ...]:
    expanded = (_expanded(text.strip('"'), tokens) for text in texts if text.lower() != "none")
    return tuple(dict.fromkeys(_from_home(each) for each in expanded))


def _expanded(text: str, tokens: Mapping[str, str]) -> str:
    def token(found: re.Match[str]) -> str:
        if found[1] not in tokens:
            raise ValueError(f"the token {found[0]} in {text[:80]!r} cannot be used here")
        return tokens[found[1]]

    def variable(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise ValueError(f"the variable {found[0]} in {text[:80]!r} is not set")
        return os.environ[found[1]]

    return _TOKEN.sub(token, _VARIABLE.sub(variable, text))


def _from_home(path: str) -> str:
    return f"{home_folder()}{path[1:]}" if path.startswith("~/") else os.path.expanduser(path)


def home_folder() -> str:
    """Return the home folder as OpenSSH sees it: the user database's, not $HOME."""
    return pwd.getpwuid(os.getuid()).pw_dir


def _agent(text: str, tokens: Mapping[str, str]) -> str:
    if text.lower() == "none":
        return ""
    if text == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if text.startswith("$") and not text.startswith("${"):
        return os.environ.get(text[1:], "")
    return _from_home(_expanded(text, tokens))


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
