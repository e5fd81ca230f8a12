"""A shell on a node: the system's ssh, as OpenSSH would reach it through the site's jump hosts; start and end told."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from console.config.targets import find_node
from console.link.ssh.hops import read_hop
from console.link.ssh.openssh import OpenSsh
from console.model.errors import ConfigError, ConfigErrors, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from console.config.values import FleetConfig, SiteConfig

NO_CONNECTION = 255

log = logging.getLogger("console.shell")


class NodeShell(NamedTuple):
    """A shell that may be opened: on which node, by which command line; an empty user is left to ssh_config."""

    site: str
    node: str
    line: list[str]
    host: str = ""
    user: str = ""


def node_shell(config: FleetConfig, target: str, sites: tuple[str, ...] = (), *, unlisted: bool = False) -> NodeShell:
    """Return the shell for a node's name, alias, `site:name` or address; `unlisted` takes `site:name` as it is.

    Blocks while inventories are read. Raises TargetError for a name that is unknown or known at two sites, ConfigErrors
    for an address that is none, SourceError where ssh cannot be used.
    """
    if unlisted:
        return site_shell(config, *target.partition(":")[::2])
    return _shell(config, *find_node(config, target, sites))


def site_shell(config: FleetConfig, site_name: str, node: str) -> NodeShell:
    """Return the shell for a node by the name that a site has for it, whether or not an inventory knows it.

    Raises TargetError for an unknown site or a name that is none, and else as node_shell() does.
    """
    site = next((each for each in config.sites if each.name == site_name), None)
    if site is None:
        raise TargetError(f"there is no site {site_name!r} in the fleet file; write SITE:NODE")
    if not node or node.startswith("-") or not node.isprintable():
        raise TargetError(f"{node[:80]!r} names no node; write SITE:NODE")
    return _shell(config, site, node)


def _shell(config: FleetConfig, site: SiteConfig, node: str) -> NodeShell:
    try:
        hop = read_hop(site.ssh.address_of(node))
    except ValueError as error:
        raise ConfigErrors(
            [ConfigError(config.path, site.line, f"sites.{site.name}.ssh.address", str(error))]
        ) from None
    line = OpenSsh(site.name, "ssh", site.ssh).command(hop)
    return NodeShell(site.name, node, line, hop.host, hop.user or site.ssh.user)


def window_line(title: str, line: list[str]) -> list[str] | None:
    """Return the command line that runs another one in a new tmux window, None where this is no tmux."""
    tmux = shutil.which("tmux")
    if not os.environ.get("TMUX") or tmux is None:
        return None
    # ssh ends with 255 where it could not connect: then the window stays until that was read.
    stay = f"{shlex.join(line)}; [ $? -ne {NO_CONNECTION} ] || {{ printf 'Enter closes this window '; read -r x; }}"
    return [tmux, "new-window", "-n", title, stay]


def run_shell(shell: NodeShell, note: Callable[[Mapping[str, object]], object]) -> int:
    """Run ssh in this terminal and return its exit code (128 + N after signal N); `note` journals start and end.

    Blocks until ssh ends. Raises OSError where it cannot be started.
    """
    who = {"site": shell.site, "node": shell.node, "host": shell.host, "user": shell.user}
    log.info("%s/%s: shell starts", shell.site, shell.node)
    note({"event": "shell_started", **who})
    started, code = time.monotonic(), -1
    try:
        with _keys_for_the_child(), subprocess.Popen(shell.line) as process:
            code = process.wait()
    finally:
        lasted_s = time.monotonic() - started
        code = code if code >= 0 else 128 - code
        log.info("%s/%s: shell ends with %d after %.0f s", shell.site, shell.node, code, lasted_s)
        note({"event": "shell_ended", **who, "exit_code": code, "duration_s": round(lasted_s, 1)})
    return code


@contextmanager
def _keys_for_the_child() -> Iterator[None]:
    """Leave Ctrl+C to what runs on the node, and let nothing stop: nobody could let a stopped ssh go on again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler of ours is the default again in the child, what is ignored stays ignored there.
    before = {signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None)}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
