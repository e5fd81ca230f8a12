"""`gigadeck ssh NODE`: a shell on a node, with the system's ssh through the site's jump hosts."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time

import click

from console.cli.exits import Exit
from console.cli.options import Choice, fleet_options

log = logging.getLogger("console.shell")


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--window/--here", default=None, help="in a new tmux window, or in this terminal (default: here)")
@click.option("--print", "only_print", is_flag=True, help="print the command line and do nothing")
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@fleet_options()
def ssh(window: bool | None, only_print: bool, node: str, command: tuple[str, ...], choice: Choice) -> int:
    r"""Log in to a node, or run a COMMAND there; exits as ssh does (255: no connection).

    NODE is a name, an alias, SITE:NODE, or an address such as muc1/h2/r017/n0653; what follows it is the command. The
    user's own ssh_config counts.

    \b
    Examples:
      gigadeck ssh n0653
      gigadeck ssh muc1:n0653 nvidia-smi -q -d ECC
    """
    from shlex import join

    from console.cli.opening import set_up_logging
    from console.config.fleet import load_fleet
    from console.link.ssh.shell import node_shell
    from console.model.errors import UsageError
    from console.wiring import demo_of, find_fleet

    set_up_logging(choice)
    if demo_of(choice.fleet):
        raise UsageError("the demo has no nodes to log in to; name a fleet file: --fleet PATH")
    site, name, line = node_shell(load_fleet(find_fleet(choice.fleet)), node, choice.sites)
    line += command
    if only_print:
        click.echo(join(line))
        return Exit.DONE
    return _in_window(site, name, command, choice) if window else run_shell(site, name, line)


def run_shell(site: str, node: str, line: list[str]) -> int:
    """Run ssh in this terminal and return its exit code; start and end are logged."""
    log.info("%s/%s: shell starts", site, node)
    started = time.monotonic()
    # Ctrl+C is for what runs on the node; we must still be there when it ends.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with subprocess.Popen(line, preexec_fn=_default_interrupt) as process:
            code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    log.info("%s/%s: shell ends with %d after %.0f s", site, node, code, time.monotonic() - started)
    return code if code >= 0 else 128 - code


def _in_window(site: str, node: str, command: tuple[str, ...], choice: Choice) -> int:
    """Let this same command run in a new tmux window, where its end is logged too."""
    from console.link.ssh.shell import window_line
    from console.model.errors import UsageError

    fleet = ["--fleet", os.path.abspath(choice.fleet)] if choice.fleet else []
    file = ["--log-file", os.path.abspath(choice.log_file)] if choice.log_file else []
    again = [sys.executable, "-m", "console", *fleet, *file, "ssh", "--here", f"{site}:{node}", *command]
    line = window_line(node, again)
    if line is None:
        raise UsageError("this is no tmux; leave --window out")
    return subprocess.run(line, check=False).returncode


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
