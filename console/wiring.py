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
    memory: MemorySetup | None = None,
    config: FleetConfig | None = None,
) -> Fleet:
    """Return a fleet that is not started yet.

    `spec` is a path, `demo`, `demo:400000`, or empty: then the user's fleet file is looked for. `keep_journal` writes
    what happens to the user's state folder; without plugins there are no panels and no detectors. Without `first_word`
    no snapshot is made early for the first source that speaks; without memory there are no incidents of our own:
    `memory` is one of the caller's, and `config` a fleet file that has been read. Raises ConfigErrors.
    """
    opening = _Opening(sites, read_only, keep_journal, with_plugins, first_word, with_memory, memory)
    if config is not None:
        return _fleet_of(config, opening)
    chosen = demo or demo_of(spec)
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
    compile_checks(config, kinds)
    return _join(config.fleet, config.environment, setups, sources, opening, config=config)


def compile_checks(config: FleetConfig, kinds: AbstractSet[str] = frozenset()) -> None:
    """Raise ConfigErrors with file and line for every check whose expression does not compile.

    `kinds` are the kinds of domains that inventories declare, beside the usual ones.
    """
    from console.core.check_faults import check_faults
    from console.model.builtin_metrics import BUILTIN
    from console.model.errors import ConfigErrors

    errors = check_faults(config.checks, BUILTIN.with_own(config.metrics), kinds)
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
    from console.engine.own_memory import memory_of
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
            memory=memory_of(fleet, config) if opening.with_memory else opening.memory,
            read_only=opening.read_only,
            journal_path=journal_path() if opening.keep_journal else None,
        )
    )
    return Fleet(fleet, environment, session, metrics, sources, config, opening.read_only, host)


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


def serve_emulator(host: str, port: int, demo: Demo, announce: Callable[[str], None]) -> None:
    """Serve the emulator over HTTP until it is told to stop; `announce` is told where it listens."""
    from console.emulator.server import serve

    serve(host, port, make_world(demo), announce=announce)
