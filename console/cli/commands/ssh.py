"""`gigadeck ssh NODE`: a shell on a node, with the system's ssh through the site's jump hosts."""

from __future__ import annotations

import click

from console.cli.exits import Exit
from console.cli.options import Choice, fleet_options


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--window/--here", default=None, help="in a new tmux window, or in this terminal (default: here)")
@click.option("--unlisted", is_flag=True, help="take SITE:NODE as it is, whether or not an inventory knows it")
@click.option("--through", default="", hidden=True, help="a socket of a console, in place of jump hosts")
@click.option("--print", "only_print", is_flag=True, help="print the command line and do nothing")
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@fleet_options()
def ssh(
    window: bool | None,
    unlisted: bool,
    through: str,
    only_print: bool,
    node: str,
    command: tuple[str, ...],
    choice: Choice,
) -> int:
    r"""Log in to a node, or run a COMMAND there; exits as ssh does (255: no connection).

    NODE is a name, an alias, SITE:NODE, or an address such as muc1/h2/r017/n0653; what follows it is the command. The
    user's own ssh_config counts. Start and end are logged and journaled; with --read-only there is no shell.

    \b
    Examples:
      gigadeck ssh n0653
      gigadeck ssh muc1:n0653 nvidia-smi -q -d ECC
    """
    from shlex import join

    from console.cli.opening import set_up_logging
    from console.cli.shells import READ_ONLY, diary, open_window
    from console.config.fleet import load_fleet
    from console.link.ssh import doors
    from console.link.ssh.shell import node_shell, run_shell
    from console.model.errors import RefusedError, UsageError
    from console.wiring import demo_of, find_fleet

    set_up_logging(choice)
    if demo_of(choice.fleet):
        raise UsageError("the demo has no nodes to log in to; name a fleet file: --fleet PATH")
    shell = node_shell(load_fleet(find_fleet(choice.fleet)), node, choice.sites, unlisted=unlisted)
    if through:
        shell = shell._replace(line=doors.through(shell.line, through))
    if only_print:
        click.echo(join([*shell.line, *command]))
        return Exit.DONE
    if choice.read_only:
        raise RefusedError(READ_ONLY + node)
    if window:
        open_window(shell, command, choice.log_file, choice.fleet)
        return Exit.DONE
    with diary() as note:
        return run_shell(shell._replace(line=[*shell.line, *command]), note)
