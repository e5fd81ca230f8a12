"""A real Prometheus on a free loopback port in a folder of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.servers import HttpServer, free_port, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Prometheus(HttpServer):
    """The server."""


@contextmanager
def prometheus(
    folder: Path,
    targets: Sequence[str] = (),
    *,
    interval: str = "1s",
    rules: str = "",
    honor_timestamps: bool = True,
    keep: str = "",
    extra: Sequence[str] = (),
) -> Iterator[Prometheus]:
    """Run Prometheus on `targets` (`host:port/path?query`), scraped every `interval`; `keep` matches metrics."""
    binary = require("prometheus")
    port = free_port()
    (folder / "rules.yml").write_text(rules or "groups: []\n")
    (folder / "prometheus.yml").write_text(_configuration(folder, targets, interval, honor_timestamps, keep))
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        *extra,
    ]
    with Prometheus(f"http://127.0.0.1:{port}", folder, command, ready="/-/ready") as server:
        yield server


def _configuration(folder: Path, targets: Sequence[str], interval: str, honor_timestamps: bool, keep: str) -> str:
    lines = [
        f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}",
        f"rule_files: ['{folder / 'rules.yml'}']",
        "scrape_configs:",
    ]
    for number, target in enumerate(targets):
        address, _, rest = target.partition("/")
        path, _, query = f"/{rest}".partition("?")
        parameters = ", ".join(
            f"{k}: ['{v}']" for k, _, v in (pair.partition("=") for pair in query.split("&") if pair)
        )
        lines += [
            f"- job_name: dcgm-{number}",
            f"  metrics_path: {path}",
            f"  params: {{{parameters}}}",
            f"  honor_timestamps: {str(honor_timestamps).lower()}",
            f"  static_configs: [{{targets: ['{address}']}}]",
        ]
        if keep:
            lines.append(f"  metric_relabel_configs: [{{source_labels: [__name__], regex: '{keep}', action: keep}}]")
    return "\n".join(lines) + "\n"
