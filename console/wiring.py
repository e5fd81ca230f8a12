"""Builds and joins everything: the fleet's sources, the engine, the plugins; imported by the command line alone."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from console.config.settings import Settings
    from console.config.themes import Theme
    from console.config.values import FleetConfig, SiteConfig
    from console.engine.session import Session
    from console.engine.setup import MemorySetup, SiteSetup
    from console.extend.host import PluginHost, PluginInfo
    from console.model.errors import ConfigError
    from console.model.metrics import MetricTable
    from console.model.ports import Source
    from console.serve.setup import Plan, ServeSetup

DEMO_GPUS = 400_000
EMULATOR_CADENCE_S = 1.0
BUILT_IN = "built in"


@dataclass(frozen=True)
class Demo:
    """What the built-in emulator is to be."""

    gpus: int = DEMO_GPUS
    sites: int = 4
    seed: int = 1
    scenario: str = "default"


@dataclass(frozen=True, eq=False)
class Fleet:
    """A fleet, ready to start: the engine's facade, the plugins, and where it came from."""

    name: str
    environment: str
    session: Session
    metrics: MetricTable
    sources: Mapping[tuple[str, str], Source]
    config: FleetConfig | None = None
    read_only: bool = False
    opened_host: PluginHost | None = None

    @cached_property
    def host(self) -> PluginHost:
        """The plugins; none where the fleet was opened without."""
        return self.opened_host or no_plugins()

    @property
    def panels(self) -> tuple[PluginInfo, ...]:
        """The plugins that offer a panel, in the order of their keys."""
        return tuple(info for each in self.host.panels if (info := self.host.info(each)) is not None)


@dataclass(frozen=True)
class _Opening:
    """How a fleet is opened: which of its sites, without actions or not, with a journal or not."""

    sites: tuple[str, ...] = ()
    read_only: bool = False
    keep_journal: bool = False
    with_plugins: bool = True
    first_word: bool = True
    with_memory: bool = False
    memory: MemorySetup | None = None


def open_fleet(
    spec: str,
    *,
    sites: tuple[str, ...] = (),
    read_only: bool = False,
    demo: Demo | None = None,
    keep_journal: bool = False,
    with_plugins: bool = True,
    first_word: bool = True,
    with_memory: bool = False,
) -> Fleet:
    """Return a fleet that is not started yet.

    `spec` is a path, `demo`, `demo:400000`, or empty: then the user's fleet file is looked for. `keep_journal` writes
    what happens to the user's state folder; without plugins there are no panels and no detectors. Without `first_word`
    no snapshot is made early for the first source that speaks; without memory there are no incidents of our own. Raises
    ConfigErrors.
    """
    chosen = demo or demo_of(spec)
    opening = _Opening(sites, read_only, keep_journal, with_plugins, first_word, with_memory)
    return _demo_fleet(chosen, opening) if chosen else _configured_fleet(find_fleet(spec), opening)


def demo_of(spec: str) -> Demo | None:
    """Return the emulator that `demo` or `demo:N` names, None for anything else; raises ConfigErrors for a bad N."""
    name, _, count = spec.partition(":")
    if name != "demo":
        return None
    digits = count.replace("_", "").replace(",", "")
    if count and not (digits.isdecimal() and 1 <= int(digits) <= 10_000_000):
        raise _fault(spec, "write demo or demo:N with 1 to 10,000,000 GPUs, such as demo:400000")
    return Demo(gpus=int(digits)) if count else Demo()


def find_fleet(spec: str) -> Path:
    """Return the fleet file: the one named, else ./fleet.yaml, else the user's; raises ConfigErrors."""
    from console.config.places import config_dir

    candidates = [Path(spec).expanduser()] if spec else [Path("fleet.yaml"), config_dir() / "fleet.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if spec:
        raise _fault(spec, "there is no such file")
    looked = " or ".join(str(candidate) for candidate in candidates)
    raise _fault(
        "no fleet", f"found neither {looked}; look at the demo first: gigadeck demo, or name one: --fleet PATH"
    )


def _fault(where: str, message: str) -> Exception:
    from console.model.errors import ConfigError, ConfigErrors

    return ConfigErrors([ConfigError(where, 0, "", message)])


def _choose(names: list[str], wanted: tuple[str, ...]) -> list[str]:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise _fault("--site", f"no site named {', '.join(missing)}; there are: {', '.join(names)}")
    return [name for name in names if not wanted or name in wanted]


def chosen_sites(config: FleetConfig, wanted: tuple[str, ...]) -> list[str]:
    """Return the names of the sites that were asked for, all of them if none was; raises ConfigErrors."""
    return _choose([site.name for site in config.sites], wanted)


def _demo_fleet(demo: Demo, opening: _Opening) -> Fleet:
    from console.engine.setup import SiteSetup, SourceSetup
    from console.sources.emulator import open_emulator

    world = make_world(demo)
    sources: dict[tuple[str, str], Source] = {}
    setups: list[SiteSetup] = []
    for name in _choose(list(world.site_names), opening.sites):
        source = open_emulator(world, name)
        sources[name, "emulator"] = source
        setup = SourceSetup("emulator", "emulator", BUILT_IN, source, cadence_s=EMULATOR_CADENCE_S)
        setups.append(SiteSetup(name, environment="lab", sources=(setup,)))
    return _join(f"demo:{demo.gpus}", "lab", setups, sources, opening)


def make_world(demo: Demo) -> Any:
    """Return an emulated world that starts now; raises ConfigErrors for an unknown scenario."""
    import time

    from console.emulator.fleet import FleetPlan
    from console.emulator.world import World

    try:
        plan = FleetPlan(gpus=demo.gpus, sites=demo.sites, seed=demo.seed, scenario=demo.scenario)
        return World(plan, time.time())
    except ValueError as error:
        raise _fault("demo", str(error)) from error


def _configured_fleet(path: Path, opening: _Opening) -> Fleet:
    from console.config.fleet import load_fleet

    return _fleet_of(load_fleet(path), opening)


def _fleet_of(config: FleetConfig, opening: _Opening) -> Fleet:
    from console.model.builtin_metrics import BUILTIN

    names = chosen_sites(config, opening.sites)
    metrics = BUILTIN.with_own(config.metrics)
    sources: dict[tuple[str, str], Source] = {}
    setups = [_site_setup(site, config, metrics, sources) for site in config.sites if site.name in names]
    kinds = {kind for setup in setups if setup.topology for kind in setup.topology.domains}
    compile_checks(config, metrics, kinds)
    return _join(config.fleet, config.environment, setups, sources, opening, config=config)


def _keeper(listen: str) -> str:
    """Return what a serve is called: its host, with its port where that is not the usual one."""
    import os
    import socket

    port = listen.rpartition(":")[2]
    host = socket.gethostname().partition(".")[0]
    usual = port in ("", "8470", "off")
    return host if usual else f"{host}:{port if port != '0' else os.getpid()}"


def compile_checks(config: FleetConfig, metrics: MetricTable, kinds: AbstractSet[str] = frozenset()) -> None:
    """Raise ConfigErrors with file and line for every check whose expression does not compile.

    `kinds` are the kinds of domains that inventories declare, beside the usual ones.
    """
    from console.core.default_checks import DISAGREEMENTS
    from console.core.expr import compile_expression
    from console.core.registry import WELL_KNOWN_DOMAINS
    from console.model.errors import ConfigError, ConfigErrors, ExpressionError

    errors: list[ConfigError] = []
    for check in config.checks:
        if check.where == DISAGREEMENTS:
            continue
        try:
            compile_expression(check.where, metrics, check.level, sorted(kinds | set(WELL_KNOWN_DOMAINS)))
        except ExpressionError as error:
            errors.append(ConfigError(check.file, check.line, f"checks.{check.name}.where", str(error)))
    if errors:
        raise ConfigErrors(errors)


def _site_setup(
    site: SiteConfig, config: FleetConfig, metrics: MetricTable, sources: dict[tuple[str, str], Source]
) -> SiteSetup:
    from console.config.kinds import PACED_BY_ITSELF
    from console.engine.setup import SiteSetup, SourceSetup
    from console.sources.registry import open_source

    setups: list[SourceSetup] = []
    for source_config in site.sources:
        source = open_source(site, source_config, metrics)
        sources[site.name, source_config.name] = source
        setups.append(
            SourceSetup(
                source_config.name,
                source_config.kind,
                source_config.address or BUILT_IN,
                source,
                cadence_s=0.0 if source_config.kind in PACED_BY_ITSELF else source_config.cadence_s,
                stale_after_s=source_config.stale_after_s,
                timeout_s=source_config.timeouts.total_s,
                budget_rps=source_config.budget.rps,
                budget_bps=source_config.budget.bytes_per_s,
            )
        )
    topology, layout = _declared(site, Path(config.path).parent)
    environment = site.environment or config.environment
    return SiteSetup(
        site.name,
        topology=topology,
        layout=layout,
        environment=environment,
        sources=tuple(setups),
        expected_gpus=site.expect.gpus,
    )


def _declared(site: SiteConfig, base: Path) -> tuple[Any, Any]:
    from console.config.inventory import read_inventory
    from console.core.inventory import build_topology
    from console.core.layout import Layout

    specs = read_inventory(site, base)
    layout = Layout(site.layout) if site.layout else None
    return (build_topology(site.name, specs, geo=site.place, declared=True) if specs else None), layout


def _join(
    fleet: str,
    environment: str,
    setups: list[SiteSetup],
    sources: Mapping[tuple[str, str], Source],
    opening: _Opening,
    config: FleetConfig | None = None,
) -> Fleet:
    from console.config.places import journal_path
    from console.core.default_checks import default_checks, with_disagreements
    from console.engine.session import Session
    from console.engine.setup import SessionConfig
    from console.model.builtin_metrics import BUILTIN

    host = plugin_host() if opening.with_plugins else None
    metrics = BUILTIN.with_own(config.metrics) if config else BUILTIN
    session = Session(
        SessionConfig(
            fleet=fleet,
            environment=environment,
            metrics=metrics,
            sites=tuple(setups),
            checks=with_disagreements((config.checks if config else ()) or default_checks()),
            panels=host.panels if host else {},
            detectors=host.detectors if host else {},
            snapshot_hz=config.settings.snapshot_hz if config else 1.0,
            plugin_limit_s=config.settings.plugin_limit_s if config else 3.0,
            first_word=opening.first_word,
            memory=_memory(fleet, config) if opening.with_memory else opening.memory,
            read_only=opening.read_only,
            journal_path=journal_path() if opening.keep_journal else None,
        )
    )
    return Fleet(fleet, environment, session, metrics, sources, config, opening.read_only, host)


def _memory(fleet: str, config: FleetConfig | None) -> MemorySetup:
    from console.config.person import author
    from console.engine.own_memory import own_memory, ram_memory

    if config is None:
        return ram_memory(author())
    return own_memory(fleet, config.state, base=Path(config.path).parent, author=author())


def plugin_host() -> PluginHost:
    """Return the plugins of the usual places, read but not imported."""
    from console.config.manifest_values import kept_manifests
    from console.config.places import cache_dir, plugin_folders
    from console.extend.host import PluginHost

    blocked = user_settings()[0].disabled_plugins
    return PluginHost(plugin_folders(), disabled=blocked, kept=kept_manifests(cache_dir() / "manifests"))


def no_plugins() -> PluginHost:
    """Return a host of no plugins."""
    from console.extend.host import PluginHost

    return PluginHost((), with_entry_points=False)


def user_settings() -> tuple[Settings, Sequence[ConfigError]]:
    """Return the user's settings, and what is wrong with the file (the defaults stand for what is wrong)."""
    from console.config.settings import load_settings

    return load_settings()


def all_themes(*, anew: bool = True) -> tuple[Mapping[str, Theme], list[ConfigError]]:
    """Return every theme by name, and what is wrong with the others; unless `anew`, as the cache has them."""
    from console.config.places import cache_dir, theme_folders
    from console.config.themes import kept_themes, load_themes

    return load_themes(theme_folders(), None if anew else kept_themes(cache_dir() / "themes"))


def open_served(
    spec: str, *, sites: tuple[str, ...] = (), listen: str = "", socket: str = "", state: str = "", name: str = ""
) -> ServeSetup:
    """Return what `gigadeck serve` runs; each `load` of it reads the fleet file anew and raises ConfigErrors.

    `listen`, `socket` and `state` take the place of what the file says. Raises ImportError without the extra `serve`.
    """
    import logging
    import os

    from console.serve.setup import ServeSetup

    def load() -> Plan:
        return _served_plan(spec, sites, state, listen=listen, socket=socket)

    return ServeSetup(load, keeper=name or _keeper(listen), environment=dict(os.environ), log_level=logging.INFO)


def _served_plan(spec: str, wanted: tuple[str, ...], state: str, *, listen: str, socket: str) -> Plan:
    from dataclasses import replace

    from console.config.fleet import load_fleet
    from console.config.places import memory_path
    from console.model.builtin_metrics import BUILTIN
    from console.serve.setup import Plan, realm_of
    from console.state.address import sqlite_url

    demo = demo_of(spec)
    config = _demo_config(demo) if demo else load_fleet(find_fleet(spec))
    names = tuple(chosen_sites(config, wanted))
    serve = replace(
        config.serve,
        listen=listen or config.serve.listen,
        socket=replace(config.serve.socket, path=socket or config.serve.socket.path),
    )
    url = state or config.state or ("" if demo else sqlite_url(memory_path(config.fleet)))
    opening = _Opening(names, keep_journal=demo is None, first_word=False)
    realm = realm_of(config.fleet, names)

    def lead(fence: Callable[[], int | None] | None) -> Session:
        led = replace(opening, memory=_served_memory(config, url, realm, fence))
        return (_demo_fleet(demo, led) if demo else _fleet_of(config, led)).session

    def follow(address: str) -> Session:
        return _fleet_of(_following(config, names, address), replace(opening, with_plugins=False)).session

    return Plan(
        fleet=config.fleet,
        sites=names,
        metrics=BUILTIN.with_own(config.metrics),
        config=serve,
        lead=lead,
        follow=follow,
        state=url,
        base=Path(config.path).parent,
        realm=realm,
        likeness=(replace(config, serve=serve), None if demo else _inventories(config, names)),
    )


def _demo_config(demo: Demo) -> FleetConfig:
    from console.config.values import FleetConfig, SiteConfig

    sites = tuple(SiteConfig(name, environment="lab") for name in make_world(demo).site_names)
    return FleetConfig(f"demo:{demo.gpus}", "lab", sites)


def _inventories(config: FleetConfig, names: Sequence[str]) -> tuple[Any, ...]:
    """Return the declared nodes of some sites, once the checks compile for them; raises ConfigErrors."""
    from console.config.inventory import read_inventory
    from console.model.builtin_metrics import BUILTIN

    base = Path(config.path).parent
    specs = tuple(read_inventory(site, base) for site in config.sites if site.name in names)
    kinds = {kind for nodes in specs for node in nodes for kind in node.domains}
    compile_checks(config, BUILTIN.with_own(config.metrics), kinds)
    return specs


def _served_memory(config: FleetConfig, url: str, realm: str, fence: Callable[[], int | None] | None) -> MemorySetup:
    """Return the memory of a leader: the database that elected it, else the service's own file; the demo's is RAM."""
    from console.engine.own_memory import served_memory

    if not url:
        return served_memory("", realm=realm)
    return served_memory(url, realm=realm, base=Path(config.path).parent, fence=fence)


def _following(config: FleetConfig, names: Sequence[str], address: str) -> FleetConfig:
    """Return the fleet as who follows reads it: each site from its leader, and from nothing else."""
    from dataclasses import replace

    from console.config.values import SourceConfig

    way = {"url": address} if "://" in address else {"options": {"socket": address}}
    peer = config.serve.peer
    leader: Any = SourceConfig("site", "leader", auth=peer.auth, tls=peer.tls, **way)
    leader = replace(leader, base_dir=str(Path(config.path).parent))
    ours = (site for site in config.sites if site.name in names)
    sites = tuple(replace(site, sources=(leader,), inventory=None, layout="", aliases=()) for site in ours)
    return replace(config, sites=sites)


def serve_emulator(host: str, port: int, demo: Demo, announce: Callable[[str], None]) -> None:
    """Serve the emulator over HTTP until it is told to stop; `announce` is told where it listens."""
    from console.emulator.server import serve

    serve(host, port, make_world(demo), announce=announce)


def recording_rules(spec: str, *, exporter: bool) -> str:
    """Return recording rules for the fleet's metrics, or the exporter's counters as CSV."""
    from console.model.builtin_metrics import BUILTIN
    from console.sources.prometheus import rules

    if exporter:
        return rules.exporter_counters()
    return rules.recording_rules(BUILTIN)
