"""The command group: every command is imported when it is called, never before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from console import __version__
from console.cli.options import Choice, Link, fleet_options, link_options

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Mapping[str, tuple[str, str]] = {
    "alerts": ("alerts", "incidents and alerts of every site; ack and unack"),
    "backtest": ("backtest", "score predictive alerts on recorded incidents"),
    "check": ("check", "run the fleet's checks (Nagios exit codes)"),
    "completion": ("completion", "print shell completion"),
    "demo": ("demo", "the console on the built-in emulator"),
    "doctor": ("doctor", "configuration, reachability, credentials, clock skew, sweep cost"),
    "emulate": ("emulate", "serve the emulator in real wire formats"),
    "expand": ("hostlist", "turn a host list into names"),
    "fold": ("hostlist", "turn names into a host list"),
    "jobs": ("jobs", "jobs of every site: running, waiting, ended"),
    "note": ("note", "notes on nodes, GPUs, jobs, incidents and places"),
    "plugins": ("plugins", "list the plugins, with what is wrong with any"),
    "rules": ("rules", "print recording rules for Prometheus, or the exporter's counters"),
    "screenshot": ("screenshot", "draw a panel as an SVG picture"),
    "serve": ("serve", "watch a site for a team: consoles and scripts attach to it"),
    "ssh": ("ssh", "a shell on a node, through the site's jump hosts"),
    "state": ("state", "care for the memory: what it holds, backup, restore, migrate"),
    "status": ("status", "one snapshot of the fleet"),
    "themes": ("themes", "list the themes, with what is wrong with any"),
    "token": ("token", "bearer tokens of a serve: add, list, revoke"),
    "watch": ("watch", "a stream of events as NDJSON"),
    "why": ("why", "what happened to a job, a node or a GPU"),
}


class LazyGroup(click.Group):
    """A group whose commands live in `console.cli.commands` and are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"console.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        keep_lines(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when one is misspelt."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?" if near else error.message) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises ReaderLeftError when nobody reads the output any more."""
        from console.cli.exits import ReaderLeftError

        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderLeftError from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


def keep_lines(command: click.Command) -> None:
    """Let a command's examples keep their lines.

    Docstrings are raw, so click's mark for a paragraph that is not to be wrapped stands there as two characters.
    """
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        keep_lines(each)


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gigadeck", message="%(prog)s %(version)s")
@fleet_options(root=True)
@link_options(root=True)
@click.pass_context
def gigadeck(ctx: click.Context, /, choice: Choice, link: Link, **_: Any) -> int | None:
    r"""A terminal operations console for fleets of AI gigafactories.

    Without a command it opens the console on the fleet.

    \b
    Examples:
      gigadeck demo                                    400,000 emulated GPUs, at once
      gigadeck --fleet fleet.yaml                      the console on your fleet
      gigadeck status --fleet demo --level site --json
    """
    if ctx.invoked_subcommand is not None:
        return None
    from console.cli.commands.console import open_console

    return open_console(choice, link=link)


keep_lines(gigadeck)
