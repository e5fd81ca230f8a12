"""What a fleet file says, as plain typed values that other floors may hold; reading one is `console.config.fleet`.

A field whose name ends in a unit (`cadence_s`, `max_body_bytes`) is written without it in YAML (`cadence: 5s`). Zero,
an empty text and an empty tuple mean 'not said': then the value is learned, or a default of whoever uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from console.model.events import CheckSpec
from console.model.metrics import Metric
from console.model.topology import Geo

MAX_BODY_BYTES = 256 * 1024 * 1024
LONGEST_ADDRESS = 120


@dataclass(frozen=True)
class Secret:
    """Where a credential comes from: one of an environment variable, a file, a command, or (private files) a text."""

    env: str = ""
    file: str = ""
    command: tuple[str, ...] = ()
    value: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """Where the credential comes from, in words that never hold it (a command is named without its arguments)."""
        if self.env:
            return f"environment variable {self.env}"
        if self.file:
            return f"file {self.file}"
        return f"command {self.command[0]}" if self.command else "the fleet file"


@dataclass(frozen=True)
class Auth:
    """Credentials of one endpoint: at most one of bearer, basic, `jwt` (Slurm) and a header of the site's own."""

    bearer: Secret | None = None
    basic_user: str = ""
    basic_password: Secret | None = None
    jwt: Secret | None = None
    header: str = ""
    header_value: Secret | None = None


@dataclass(frozen=True)
class Tls:
    """How an endpoint is trusted (`ca_file`, `verify`, `server_name`) and how we identify (`cert_file`, `key_file`).

    Paths are absolute once read.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True
    server_name: str = ""


@dataclass(frozen=True)
class Budget:
    """What an endpoint may be asked for, in requests and bytes per second; 0 is no limit."""

    rps: float = 0.0
    bytes_per_s: float = 0.0


@dataclass(frozen=True)
class Timeouts:
    """Limits of one request, in seconds."""

    connect_s: float = 3.0
    read_s: float = 10.0
    total_s: float = 30.0


@dataclass(frozen=True)
class LabelNames:
    """Labels that say who a series is about, in order of preference; empty means the built-in spellings."""

    node: tuple[str, ...] = ()
    gpu: tuple[str, ...] = ()
    uuid: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    pci: tuple[str, ...] = ()
    mig: tuple[str, ...] = ()
    hall: tuple[str, ...] = ()
    rack: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()
    pod: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceConfig:
    """One endpoint of a site; `options` holds what only its kind knows (`console.config.kinds` lists them).

    `cadence_s` and `stale_after_s` 0.0 are learned. `headers` go with every request and hold no secret.
    """

    kind: str
    name: str = ""
    url: str = ""
    auth: Auth = field(default_factory=Auth)
    tls: Tls = field(default_factory=Tls)
    proxy: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    tenant: str = ""
    budget: Budget = field(default_factory=Budget)
    cadence_s: float = 0.0
    stale_after_s: float = 0.0
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_body_bytes: int = MAX_BODY_BYTES
    labels: LabelNames = field(default_factory=LabelNames)
    options: Mapping[str, Any] = field(default_factory=dict)
    base_dir: str = ""
    line: int = 0

    @property
    def address(self) -> str:
        """Where it is, in words: its URL, or what its kind takes in place of one; empty if neither is said."""
        keys = ("targets", "targets_file", "socket", "ssh", "nodes", "kubeconfig", "context")
        said = (self.options.get(key) for key in keys)
        found = next((each for each in said if each), "")
        return self.url or (found if isinstance(found, str) else " ".join(found))[:LONGEST_ADDRESS]


class InventoryFormat(StrEnum):
    """How an inventory is written; empty takes it from the file's name."""

    AUTO = ""
    CSV = "csv"
    YAML = "yaml"
    JSON = "json"


@dataclass(frozen=True)
class InventoryConfig:
    """Where a site's declared nodes come from: a file or a command's standard output."""

    file: str = ""
    format: InventoryFormat = InventoryFormat.AUTO
    command: tuple[str, ...] = ()
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Expect:
    """How many nodes and GPUs a site should have; 0 is what the inventory says."""

    nodes: int = 0
    gpus: int = 0


@dataclass(frozen=True)
class AliasRule:
    """Another spelling of every declared node whose name matches `pattern`; `alias` may use the pattern's groups."""

    pattern: str
    alias: str


@dataclass(frozen=True)
class SshConfig:
    """How the site's nodes are reached.

    `config` is an ssh_config instead of the user's own; `address` is what a node is reached by, `{node}` in it stands
    for its name (empty: the name). `known_hosts_command` prints host keys (its words may hold ssh_config's tokens, such
    as %H); `renew` renews the user's certificate.
    """

    user: str = ""
    jump: tuple[str, ...] = ()
    port: int = 22
    identity_file: str = ""
    known_hosts: str = ""
    config: str = ""
    address: str = ""
    known_hosts_command: tuple[str, ...] = ()
    renew: tuple[str, ...] = ()

    def address_of(self, node: str) -> str:
        """Return what a node is reached by."""
        return self.address.replace("{node}", node) if self.address else node


class Permission(StrEnum):
    """What an action may do at a site."""

    NO = "no"
    ASK = "ask"
    YES = "yes"


@dataclass(frozen=True)
class Limit:
    """A number of objects, or (`ratio` > 0) a share 0..1 of them."""

    count: int = 0
    ratio: float = 0.0


@dataclass(frozen=True)
class NvlinkGuard:
    """How much of an NVLink domain may be taken: so many trays or the whole, and of how many domains at once."""

    trays: int = 0
    or_whole: bool = False
    domains: int = 0


@dataclass(frozen=True)
class Guard:
    """Limits of what may be out of service: by level or domain kind; `protect` is an expression over jobs."""

    taken: Mapping[str, Limit] = field(default_factory=dict)
    unavailable: Mapping[str, Limit] = field(default_factory=dict)
    nvlink: NvlinkGuard = field(default_factory=NvlinkGuard)
    protect: str = ""


@dataclass(frozen=True)
class SiteConfig:
    """One site; an empty `environment` is the fleet's. `layout` is a regular expression over node names."""

    name: str
    environment: str = ""
    place: Geo = field(default_factory=Geo)
    inventory: InventoryConfig | None = None
    expect: Expect = field(default_factory=Expect)
    layout: str = ""
    aliases: tuple[AliasRule, ...] = ()
    sources: tuple[SourceConfig, ...] = ()
    ssh: SshConfig = field(default_factory=SshConfig)
    allow: Mapping[str, Permission] = field(default_factory=dict)
    guard: Guard = field(default_factory=Guard)
    line: int = 0


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


@dataclass(frozen=True)
class FleetSettings:
    """How the engine runs for this fleet; 0 is the engine's default."""

    snapshot_hz: float = 1.0
    plugin_limit_s: float = 3.0


@dataclass(frozen=True)
class FleetConfig:
    """A whole fleet file; `path` is where it was read from, `state` a database URL (empty: this user's own memory)."""

    fleet: str
    environment: str = ""
    sites: tuple[SiteConfig, ...] = ()
    metrics: tuple[Metric, ...] = ()
    checks: tuple[CheckSpec, ...] = ()
    state: str = ""
    serve: ServeConfig = field(default_factory=ServeConfig)
    settings: FleetSettings = field(default_factory=FleetSettings)
    path: str = ""
