"""What a fleet file says, as plain typed values that other floors may hold; reading one is `console.config.fleet`.

A field whose name ends in a unit (`cadence_s`, `max_body_bytes`) is written without it in YAML (`cadence: 5s`). Zero,
an empty text and an empty tuple mean 'not said': then the value is learned, or a default of whoever uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from console.config.access import Auth as Auth
from console.config.access import Secret as Secret
from console.config.access import Tls as Tls
from console.config.serve_values import Retention as Retention
from console.config.serve_values import ServeConfig as ServeConfig
from console.model.events import CheckSpec
from console.model.metrics import Metric
from console.model.topology import Geo

MAX_BODY_BYTES = 256 * 1024 * 1024
LONGEST_ADDRESS = 120


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
