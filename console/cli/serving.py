"""Makes what `gigadeck serve` runs out of a fleet file, each time that it is read."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.config.serve_values import ServeConfig
from console.model.values import dataclass
from console.serve.setup import Plan, ServeSetup, realm_of
from console.wiring import Demo, chosen_sites, compile_checks, demo_of, find_fleet, make_world, open_fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.config.values import FleetConfig
    from console.engine.session import Session
    from console.engine.setup import MemorySetup


@dataclass(frozen=True)
class Wish:
    """What the command line says; what it leaves out is what the fleet file says."""

    fleet: str
    sites: tuple[str, ...] = ()
    listen: str = ""
    socket: str = ""
    state: str = ""
    name: str = ""
    verbose: int = 0


def serve_setup(wish: Wish) -> ServeSetup:
    """Return what `gigadeck serve` runs; each `load` of it reads the fleet file anew and raises ConfigErrors."""
    import logging

    keeper = wish.name or keeper_name(wish.listen)
    level = logging.DEBUG if wish.verbose else logging.INFO
    return ServeSetup(lambda: plan_of(wish), keeper=keeper, environment=dict(os.environ), log_level=level)


def plan_of(wish: Wish) -> Plan:
    """Return what one reading of the fleet file comes to; raises ConfigErrors."""
    from console.config.fleet import load_fleet
    from console.config.places import memory_path
    from console.model.builtin_metrics import BUILTIN
    from console.state.address import sqlite_url

    demo = demo_of(wish.fleet)
    config = _demo_config(demo) if demo else load_fleet(find_fleet(wish.fleet))
    names, serve = tuple(chosen_sites(config, wish.sites)), _serve(config, wish)
    url = wish.state or config.state or ("" if demo else sqlite_url(memory_path(config.fleet)))
    base, realm = Path(config.path).parent, realm_of(config.fleet, names)

    def lead(fence: Callable[[], int | None] | None) -> Session:
        memory = _memory(url, base, realm, fence)
        if demo:
            return open_fleet("", demo=demo, sites=names, first_word=False, memory=memory).session
        return open_fleet("", config=config, sites=names, first_word=False, memory=memory, keep_journal=True).session

    def follow(address: str) -> Session:
        following = _following(config, names, address)
        return open_fleet("", config=following, first_word=False, with_plugins=False).session

    return Plan(
        fleet=config.fleet,
        sites=names,
        metrics=BUILTIN.with_own(config.metrics),
        config=serve,
        lead=lead,
        follow=follow,
        state=url,
        base=base,
        realm=realm,
        # Of `serve:`, only what a follower shows the leader is part of a session.
        likeness=(replace(config, serve=ServeConfig(peer=serve.peer)), None if demo else _inventories(config, names)),
    )


def keeper_name(listen: str) -> str:
    """Return what a serve is called: its host, with its port where that is not the usual one."""
    port = listen.rpartition(":")[2]
    host = socket.gethostname().partition(".")[0]
    usual = port in ("", "8470", "off")
    return host if usual else f"{host}:{port if port != '0' else os.getpid()}"


def _demo_config(demo: Demo) -> FleetConfig:
    from console.config.values import FleetConfig, SiteConfig

    sites = tuple(SiteConfig(name, environment="lab") for name in make_world(demo).site_names)
    return FleetConfig(f"demo:{demo.gpus}", "lab", sites)


def _inventories(config: FleetConfig, names: Sequence[str]) -> tuple[Any, ...]:
    """Return the declared nodes of some sites, once the checks compile for them; raises ConfigErrors."""
    from console.config.inventory import read_inventory

    base = Path(config.path).parent
    specs = tuple(read_inventory(site, base) for site in config.sites if site.name in names)
    kinds = {kind for nodes in specs for node in nodes for kind in node.domains}
    compile_checks(config, kinds)
    return specs


def _memory(url: str, base: Path, realm: str, fence: Callable[[], int | None] | None) -> MemorySetup:
    """Return the memory of a leader: the database that elected it, or the service's own file; the demo's is in RAM."""
    from console.engine.own_memory import served_memory

    return served_memory(url, realm=realm, base=base, fence=fence)


def _serve(config: FleetConfig, wish: Wish) -> ServeConfig:
    said = config.serve
    path = str(Path(wish.socket).expanduser().absolute()) if wish.socket else said.socket.path
    return replace(said, listen=wish.listen or said.listen, socket=replace(said.socket, path=path))


def _following(config: FleetConfig, names: Sequence[str], address: str) -> FleetConfig:
    """Return the fleet as who follows reads it: each site from its leader, and from nothing else."""
    from console.config.values import SourceConfig

    way = {"url": address} if "://" in address else {"options": {"socket": address}}
    peer = config.serve.peer
    leader: Any = SourceConfig("site", "leader", auth=peer.auth, tls=peer.tls, **way)
    leader = replace(leader, base_dir=str(Path(config.path).parent))
    ours = (site for site in config.sites if site.name in names)
    sites = tuple(replace(site, sources=(leader,), inventory=None, layout="", aliases=()) for site in ours)
    return replace(config, sites=sites)
