"""The command line of a shell on a node: the system's ssh, as OpenSSH would reach it through the site's jump hosts."""

from __future__ import annotations

import os
import shlex
import shutil
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


def window_line(title: str, line: list[str]) -> list[str] | None:
    """Return the command line that runs another one in a new tmux window, None where this is no tmux."""
    tmux = shutil.which("tmux")
    if not os.environ.get("TMUX") or tmux is None:
        return None
    # ssh ends with 255 where it could not connect: then the window stays until that was read.
    stay = f"{shlex.join(line)}; [ $? -ne 255 ] || {{ printf 'Enter closes this window '; read -r x; }}"
    return [tmux, "new-window", "-n", title, stay]
