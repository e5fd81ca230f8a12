"""`gigadeck rules`: what a site's Prometheus should record, and what its exporters should offer."""

from __future__ import annotations

import click

from console.cli.options import Choice, fleet_options


@click.command()
@click.option("--exporter", is_flag=True, help="print the dcgm-exporter counters (CSV) instead")
@fleet_options()
def rules(exporter: bool, choice: Choice) -> None:
    r"""Print recording rules that make the fleet view cheap for Prometheus.

    \b
    Examples:
      gigadeck rules > /etc/prometheus/rules/gigadeck.yml
      gigadeck rules --exporter > /etc/dcgm-exporter/gigadeck.csv
    """
    from console.model.builtin_metrics import BUILTIN
    from console.sources.prometheus import rules as made

    click.echo(made.exporter_counters() if exporter else made.recording_rules(BUILTIN), nl=False)
