"""`gigadeck emulate`: the emulator as a server, in the wire formats of real sites."""

from __future__ import annotations

import click


@click.command()
@click.option("--listen", default="127.0.0.1:9400", show_default=True, metavar="HOST:PORT")
@click.option("--gpus", type=click.IntRange(min=1), default=400_000, show_default=True)
@click.option("--sites", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--scenario", default="default", show_default=True)
def emulate(listen: str, gpus: int, sites: int, seed: int, scenario: str) -> None:
    r"""Serve the emulator: dcgm-exporter text at /metrics, the native site API at /site/v1.

    It runs until Ctrl+C or SIGTERM, and needs: pip install 'gigadeck[serve]'.

    \b
    Example:
      gigadeck emulate --listen 127.0.0.1:9400 --gpus 16000 --sites 1
      curl -s '127.0.0.1:9400/metrics?shard=0&shards=100' | head
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.UsageError(f"--listen {listen!r} is not HOST:PORT, such as 127.0.0.1:9400")
    from console.wiring import Demo, serve_emulator

    demo = Demo(gpus=gpus, sites=sites, seed=seed, scenario=scenario)
    serve_emulator(host.strip("[]"), int(port), demo, announce=lambda text: click.echo(text, err=True))
