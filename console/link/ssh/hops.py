"""Jump hosts as OpenSSH writes them: `user@host:port`, `ssh://user@host:port`, `[2001:db8::1]:22`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@/\s]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:/@,\[\]]+))(?::(?P<port>\d{1,5}))?/?"
)
MOST_HOPS = 8


@dataclass(frozen=True, slots=True)
class Hop:
    """A host as somebody named it; an empty user and port 0 are left to OpenSSH's configuration."""

    host: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")


def read_hop(text: str) -> Hop:
    """Return one hop; raises ValueError."""
    found = _HOP.fullmatch(text.strip())
    if found is None or (found["port"] and not 0 < int(found["port"]) < 65536) or text.lstrip().startswith("-"):
        raise ValueError(f"{text[:80]!r} is not user@host:port")
    return Hop(found["six"] or found["host"], found["user"] or "", int(found["port"] or 0))


def read_hops(text: str) -> tuple[Hop, ...]:
    """Return the hops of a ProxyJump value, first to last, none for `none`; raises ValueError."""
    if text.strip().lower() in ("", "none"):
        return ()
    hops = tuple(read_hop(part) for part in text.split(","))
    if len(hops) > MOST_HOPS:
        raise ValueError(f"a chain of {len(hops)} jump hosts; {MOST_HOPS} are the most")
    return hops
