"""Finds the node that a user names, in the inventories of a fleet file: by name, alias, `site:name` or address."""

from __future__ import annotations

import re
from pathlib import Path

from console.config.inventory import read_inventory
from console.config.scalars import shown
from console.config.values import FleetConfig, SiteConfig
from console.model.errors import TargetError

NODE_IN_ADDRESS = 3
_NAME = re.compile(r"[^\s/:@,\-][^\s/:@,]{0,252}")


def find_node(config: FleetConfig, target: str, sites: tuple[str, ...] = ()) -> tuple[SiteConfig, str]:
    """Return the site and the name of a node; raises TargetError, which lists the matches.

    Sites without an inventory know no names: one is believed where the target names the site, or there is no other.
    Blocks while inventories are read.
    """
    chosen = [site for site in config.sites if not sites or site.name in sites]
    name, said = target, ""
    if "/" in target:
        said, *parts = target.split("/")
        name = parts[NODE_IN_ADDRESS - 1] if len(parts) >= NODE_IN_ADDRESS else parts[-1]
    elif ":" in target:
        said, _, name = target.partition(":")
    if not _NAME.fullmatch(name):
        raise TargetError(f"{shown(target)} names no node; write NODE, SITE:NODE or its address")
    if said:
        chosen = [site for site in chosen if site.name == said]
        if not chosen:
            raise TargetError(f"there is no site {shown(said)}; there are: {', '.join(s.name for s in config.sites)}")
    found = [(site, node) for site in chosen for node in _named(site, name, config, sure=bool(said))]
    if len(found) == 1:
        return found[0]
    if found:
        matches = ", ".join(f"{site.name}:{node}" for site, node in found[:8])
        raise TargetError(f"{shown(name)} is known more than once: {matches}; write one of them")
    if len(chosen) == 1 and chosen[0].inventory is None:
        return chosen[0], name
    raise TargetError(f"no inventory knows a node {shown(name)}; write SITE:NODE where a site has none")


def _named(site: SiteConfig, name: str, config: FleetConfig, *, sure: bool) -> list[str]:
    """Return the nodes of a site that go by a name: one at most, unless aliases are ambiguous."""
    if site.inventory is None:
        fits = bool(site.layout) and re.search(site.layout, name) is not None
        return [name] if sure or fits else []
    specs = read_inventory(site, Path(config.path).parent)
    exact = [spec.name for spec in specs if spec.name == name]
    return exact or [spec.name for spec in specs if name in spec.aliases or spec.name.partition(".")[0] == name]
