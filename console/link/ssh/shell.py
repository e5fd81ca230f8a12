"""The command line of a shell on a node: the system's ssh, as OpenSSH would reach it through the site's jump hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.config.targets import find_node
from console.link.ssh.hops import read_hop
from console.link.ssh.openssh import OpenSsh
from console.model.errors import ConfigError, ConfigErrors

if TYPE_CHECKING:
    from console.config.values import FleetConfig


def node_shell(config: FleetConfig, target: str, sites: tuple[str, ...] = ()) -> tuple[str, str, list[str]]:
    """Return (site, node, command line) for a node's name, alias, `site:name` or address.

    Blocks while inventories are read. Raises TargetError for a name that is unknown or known at two sites, ConfigErrors
    for an address that is none, SourceError where ssh cannot be used.
    """
    site, node = find_node(config, target, sites)
    try:
        hop = read_hop(site.ssh.address_of(node))
    except ValueError as error:
        raise ConfigErrors(
            [ConfigError(config.path, site.line, f"sites.{site.name}.ssh.address", str(error))]
        ) from None
    return site.name, node, OpenSsh(site.name, "ssh", site.ssh).command(hop)
