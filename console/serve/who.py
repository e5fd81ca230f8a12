"""Who asks and what they may do: an author and a role, told from a socket's other end, a certificate or a token."""

from __future__ import annotations

import grp
import os
import pwd
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from console.model.errors import RefusedError
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.config.serve_values import Roles

ANONYMOUS = "anonymous"
USER_KEPT_S = 60.0
_PROXY_HEADERS = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Role(IntEnum):
    """What a caller may do; each may do what the one before it may."""

    NONE = 0
    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3

    @property
    def word(self) -> str:
        """The role's name in lower case."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a request: `via` is `socket`, `certificate`, `token` or `loopback`."""

    author: str
    role: Role
    via: str


class NotAllowedError(RefusedError):
    """The caller's role is too small for what was asked."""


def needs(caller: Caller, role: Role) -> None:
    """Raise NotAllowedError unless the caller has at least this role."""
    if caller.role < role:
        raise NotAllowedError(
            f"{caller.author} ({caller.via}) is {caller.role.word or 'nobody'}, this needs {role.word}; "
            "`roles` under `serve:` says who is what"
        )


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What a connection proves: `uid` and `gid` of a UNIX socket's other end (-1: none), else an address.

    `names` are the common name and the alternative names of a verified client certificate.
    """

    kind: str
    address: str = ""
    uid: int = -1
    gid: int = -1
    names: tuple[str, ...] = ()

    @property
    def bucket(self) -> str:
        """What connections of one origin are counted under."""
        return f"uid:{self.uid}" if self.kind == "unix" else self.address

    @property
    def is_loopback(self) -> bool:
        """Whether the other end is on this machine."""
        return self.address.startswith("127.") or self.address in ("::1", "::ffff:127.0.0.1")


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose a bearer token is, as the memory of tokens knows it."""

    name: str
    role: Role


class Tokens(Protocol):
    """Where bearer tokens are known."""

    def find(self, token: str) -> Bearer | None:
        """Return whose a token is, None for one that is unknown, revoked or has expired; never blocks."""
        ...


class NoTokens:
    """Knows none."""

    def find(self, token: str) -> Bearer | None:
        """Return None."""
        return None


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    groups: frozenset[str]
    known_at: float


class Identities:
    """Tells callers by the configured roles; what the system's user database says is kept for a minute."""

    def __init__(self, roles: Roles, tokens: Tokens, monotonic: Callable[[], float]) -> None:
        self._members = _members(roles)
        self._loopback = Role.VIEWER if roles.loopback == "viewer" else Role.NONE
        self._tokens = tokens
        self._monotonic = monotonic
        self._users: dict[int, _User] = {}

    def caller(self, peer: PeerInfo | None, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Return who asks, None where nothing proves it; an unknown token counts as nothing."""
        if peer is None:
            return None
        sent = headers.get(b"authorization", b"")
        if sent:
            return self._by_token(sent)
        if peer.kind == "unix":
            return self._by_user(peer)
        if peer.names:
            return self._by_certificate(peer)
        return self._by_place(peer, headers)

    def _by_token(self, sent: bytes) -> Caller | None:
        scheme, _, token = sent.decode("latin-1").partition(" ")
        bearer = self._tokens.find(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
        if bearer is None:
            return None
        said = self._members.get(f"token:{bearer.name}")
        return Caller(bearer.name, bearer.role if said is None else said, "token")

    def _by_user(self, peer: PeerInfo) -> Caller | None:
        user = self._user(peer)
        words = [f"user:{user.name}", *(f"group:{group}" for group in user.groups)]
        said = max((self._members[word] for word in words if word in self._members), default=Role.VIEWER)
        # Who runs this process, or is root, could write the memory by other means: no check holds them.
        own = Role.OPERATOR if peer.uid in (0, os.getuid()) else Role.VIEWER
        return Caller(user.name, max(said, own), "socket")

    def _by_certificate(self, peer: PeerInfo) -> Caller:
        words = [f"cn:{name}" for name in peer.names]
        said = max((self._members[word] for word in words if word in self._members), default=Role.VIEWER)
        return Caller(peer.names[0], said, "certificate")

    def _by_place(self, peer: PeerInfo, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Let a process of this machine look; not what a proxy brings, nor a page that a browser was led to."""
        if self._loopback is Role.NONE or not peer.is_loopback or _PROXY_HEADERS & headers.keys():
            return None
        host = headers.get(b"host", b"").decode("latin-1")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return Caller(ANONYMOUS, self._loopback, "loopback") if name.lower() in _LOCAL_NAMES else None

    def _user(self, peer: PeerInfo) -> _User:
        now = self._monotonic()
        found = self._users.get(peer.uid)
        if found is None or now - found.known_at > USER_KEPT_S:
            found = self._users[peer.uid] = _look_up(peer, now)
        return found


def _members(roles: Roles) -> dict[str, Role]:
    by_role = ((Role.VIEWER, roles.viewer), (Role.OPERATOR, roles.operator), (Role.APPROVER, roles.approver))
    return {member: role for role, members in by_role for member in members}


def _look_up(peer: PeerInfo, now: float) -> _User:
    """Return a user by number; one that the system does not know is called by it and has one group."""
    try:
        name = pwd.getpwuid(peer.uid).pw_name
    except KeyError:
        return _User(f"uid {peer.uid}", frozenset({_group(peer.gid)}), now)
    return _User(name, frozenset(_group(each) for each in os.getgrouplist(name, peer.gid)), now)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"
