"""`gigadeck serve`: engine, detectors and memory without a screen; consoles and scripts attach to it."""

from __future__ import annotations

import click

from console.cli.options import Choice, fleet_options


@click.command()
@click.option("--listen", default="", metavar="HOST:PORT", help="listen here (127.0.0.1:8470), or off")
@click.option("--socket", default="", metavar="PATH", help="listen on this UNIX socket too")
@click.option(
    "--state", default="", metavar="URL", help="remember there: sqlite:////path or postgresql://user@host/name"
)
@click.option("--name", default="", metavar="NAME", help="what this serve is called (the host's name)")
@fleet_options()
def serve(listen: str, socket: str, state: str, name: str, choice: Choice) -> int:
    r"""Watch sites for a team: one set of queries, one memory; it runs until SIGTERM and reads its file anew on SIGHUP.

    The section `serve:` of the fleet file says who may do what (docs/operations.md). It needs: pip install
    'gigadeck[serve]'.

    \b
    Examples:
      gigadeck serve --fleet demo:4000 --site muc1 --listen 127.0.0.1:8470
      gigadeck serve --fleet fleet.yaml --site muc1 --socket /run/gigadeck/serve.sock
      gigadeck serve --fleet fleet.yaml --state postgresql://gigadeck@db.example/gigadeck
    """
    _check(listen)
    from console.model.errors import ConsoleError

    try:
        from console.serve.run import serve as run
    except ModuleNotFoundError as error:
        raise ConsoleError(
            f"serve needs {error.name}, which is not installed: pip install 'gigadeck[serve]'"
        ) from error
    from console.cli.serving import Wish, serve_setup

    return run(serve_setup(Wish(choice.fleet, choice.sites, listen, socket, state, name, choice.verbose)))


def _check(listen: str) -> None:
    host, _, port = listen.rpartition(":")
    if listen in ("", "off") or (host and port.isdecimal() and int(port) <= 65535):
        return
    raise click.UsageError(f"--listen {listen!r} is not HOST:PORT, such as 127.0.0.1:8470, and not off")
