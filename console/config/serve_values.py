"""What the section `serve:` of a fleet file says, as plain typed values; `console.config.serve_fields` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.config.access import Auth, Tls


@dataclass(frozen=True)
class SocketConfig:
    """The UNIX socket of a serve: its path, mode (`0660`) and group; who may open it may at least look."""

    path: str = ""
    mode: int = 0o660
    group: str = ""


@dataclass(frozen=True)
class ServeTls:
    """How a serve proves who it is, and whose client certificates it trusts (`client_ca`, empty: nobody's).

    Paths are absolute once read. `plain` says that TLS is ended in front of it: then it may listen in the clear.
    """

    cert_file: str = ""
    key_file: str = ""
    client_ca: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Roles:
    """Who may do what: `user:ada`, `group:sre`, `cn:ada.example` or `token:ci` by role.

    `loopback` is the role of a process of this machine that shows no credentials over TCP: `viewer` or `none`.
    """

    viewer: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    approver: tuple[str, ...] = ()
    loopback: str = "viewer"


@dataclass(frozen=True)
class Peer:
    """What the other serve of the site asks of us while it leads and we follow."""

    auth: Auth = field(default_factory=Auth)
    tls: Tls = field(default_factory=Tls)


@dataclass(frozen=True)
class Receiver:
    """An Alertmanager or a webhook that a heartbeat goes to."""

    url: str
    auth: Auth = field(default_factory=Auth)
    tls: Tls = field(default_factory=Tls)


@dataclass(frozen=True)
class Heartbeat:
    """Where the leader says that it lives, and how often; the alert ends by itself after three missed beats."""

    every_s: float = 60.0
    alertmanagers: tuple[Receiver, ...] = ()
    webhooks: tuple[Receiver, ...] = ()


@dataclass(frozen=True)
class ServeLimits:
    """What callers may ask for: requests per second (each), bytes of a body, open streams and connections (all)."""

    requests_per_s: float = 50.0
    body_bytes: int = 65536
    streams: int = 512
    connections: int = 4096


@dataclass(frozen=True)
class Retention:
    """How long what is over is remembered, in seconds, and how large the memory may become (0: any size).

    `notes_s` is for notes on what there is no more; `vacuum` gives back the space of what was forgotten.
    """

    incidents_s: float = 90 * 86400.0
    notes_s: float = 366 * 86400.0
    notifications_s: float = 90 * 86400.0
    journal_s: float = 366 * 86400.0
    most_bytes: int = 0
    vacuum: bool = True


@dataclass(frozen=True)
class ServeConfig:
    """How `gigadeck serve` runs: where it listens, who may do what, and what it reports.

    `listen` is HOST:PORT or `off`; `advertise` is the URL, or the path of a socket, by which the other serve of the
    site and its consoles reach this one (empty: where it listens).
    """

    listen: str = "127.0.0.1:8470"
    socket: SocketConfig = field(default_factory=SocketConfig)
    tls: ServeTls = field(default_factory=ServeTls)
    roles: Roles = field(default_factory=Roles)
    advertise: str = ""
    peer: Peer = field(default_factory=Peer)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    limits: ServeLimits = field(default_factory=ServeLimits)
    retention: Retention = field(default_factory=Retention)
