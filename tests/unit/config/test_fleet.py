from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import pytest

from console.config import access, serve_values, values
from console.config.fleet import load_fleet
from console.config.kinds import OPTIONS
from console.config.places import example_fleet
from console.config.values import Budget, Limit, NvlinkGuard, Permission, SourceConfig, Timeouts
from console.model.builtin_metrics import BUILTIN
from console.model.errors import ConfigErrors
from console.model.events import CheckSpec
from console.model.levels import Level
from console.model.metrics import Metric, RollUp
from console.model.topology import Geo

if TYPE_CHECKING:
    from pathlib import Path

    from console.config.values import FleetConfig

FLEET = """\
fleet: europe
environment: production
sites:
  - name: muc1
    place: {country: NO, latitude: 48.1, longitude: 11, timezone: Europe/Oslo}
    inventory: {file: muc1.csv}
    expect: {nodes: 12500, gpus: 100000}
    layout: '(?P<rack>r\\d+)'
    aliases: [{pattern: '(.+)', alias: '\\1.example'}]
    sources:
      - {kind: prometheus, url: 'https://prom.example', auth: {bearer: {env: TOKEN}},
         budget: {rps: 4, bytes_per_s: 2 MiB},
         cadence: 15s, stale_after: 1m, timeouts: {connect: 500ms, total: 1m}, max_body: 64 MiB, tenant: a,
         tls: {ca_file: ca.pem, verify: false}, proxy: 'http://proxy:3128', headers: {X-A: b},
         labels: {node: Hostname, gpu: [a, b]},
         flavor: thanos, job: dcgm, sweep_cadence: 2m, queries: {it_power_w: 'sum(x)'}}
      - {kind: site, name: api, url: 'http://127.0.0.1:9400', auth: {basic: {user: sre, password: {file: pw}}}}
      - {kind: site, name: other, url: 'http://h', auth: {header: {name: X-Key, value: {command: [vault, read]}}}}
    ssh: {user: sre, jump: jump.example, known_hosts: known}
    allow: {drain: true, power-cycle: ask, burn: false}
    guard: {taken: {site: 1 %, rack: 2}, nvlink: {trays: 2, or_whole: true, domains: 2}, protect: 'job =~ "prod-.*"'}
  - {name: lab, environment: lab, sources: [{kind: emulator, gpus: 64}]}
metrics:
  - {name: ib, unit: errors/s, level: node, roll_up: sum, promql: 'rate(x[5m])', worse: less, heat: [0, 5]}
  - {name: it_power_w, promql: sum(pdu)}
  - {name: nv, unit: B/s, roll_up: {nv_max: max, nv_avg: mean}, dcgm: NVLINK, scale: 1e-9}
state: sqlite:////var/lib/gigadeck.db
checks:
  - {name: hot, where: temp_c > 87,
     warning: 5, critical: 50, for: 5m}
  - name: dark
    level: node
    where: >-
      missing(util_pct)
    critical: 1
settings: {snapshot_hz: 2, plugin_limit: 5s}
"""


@pytest.fixture
def config(tmp_path: Path) -> FleetConfig:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "muc1.csv").write_text("node\nn1\n")
    (tmp_path / "ca.pem").write_text("")
    return load_fleet(tmp_path / "fleet.yaml")


def test_a_fleet_is_typed_values(config: FleetConfig, tmp_path: Path) -> None:
    assert (config.fleet, config.environment, config.path) == ("europe", "production", str(tmp_path / "fleet.yaml"))
    assert config.state == "sqlite:////var/lib/gigadeck.db"
    assert (config.settings.snapshot_hz, config.settings.plugin_limit_s) == (2.0, 5.0)
    assert [site.name for site in config.sites] == ["muc1", "lab"]
    assert config.sites[1].sources[0] == SourceConfig(
        "emulator", "emulator", options={"gpus": 64}, base_dir=str(tmp_path), line=22
    )


def test_a_site_is_typed_values(config: FleetConfig, tmp_path: Path) -> None:
    site = config.sites[0]
    assert site.place == Geo("NO", 48.1, 11.0, "Europe/Oslo")
    assert site.inventory is not None
    assert site.inventory.file == str(tmp_path / "muc1.csv")
    assert (site.expect.nodes, site.expect.gpus, site.layout) == (12500, 100000, r"(?P<rack>r\d+)")
    assert [(rule.pattern, rule.alias) for rule in site.aliases] == [("(.+)", r"\1.example")]
    assert site.ssh.jump == ("jump.example",)
    assert site.ssh.known_hosts == str(tmp_path / "known")
    assert site.allow == {"drain": Permission.YES, "power-cycle": Permission.ASK, "burn": Permission.NO}
    assert site.guard.taken == {"site": Limit(ratio=0.01), "rack": Limit(count=2)}
    assert site.guard.nvlink == NvlinkGuard(2, True, 2)


def test_a_source_is_typed_values(config: FleetConfig, tmp_path: Path) -> None:
    prometheus, api, other = config.sites[0].sources
    assert (prometheus.kind, prometheus.name, prometheus.url) == ("prometheus", "prometheus", "https://prom.example")
    assert prometheus.budget == Budget(4.0, 2.0 * 2**20)
    assert prometheus.timeouts == Timeouts(0.5, 10.0, 60.0)
    assert (prometheus.cadence_s, prometheus.stale_after_s, prometheus.max_body_bytes) == (15.0, 60.0, 64 * 2**20)
    assert (prometheus.tls.ca_file, prometheus.tls.verify) == (str(tmp_path / "ca.pem"), False)
    assert (prometheus.labels.node, prometheus.labels.gpu, prometheus.labels.uuid) == (("Hostname",), ("a", "b"), ())
    assert prometheus.options == {
        "flavor": "thanos",
        "job": "dcgm",
        "sweep_cadence": 120.0,
        "queries": {"it_power_w": "sum(x)"},
    }
    assert prometheus.base_dir == str(tmp_path)
    assert prometheus.line == 11
    assert api.auth.basic_user == "sre"
    assert api.auth.basic_password is not None
    assert api.auth.basic_password.file == str(tmp_path / "pw")
    assert other.auth.header_value is not None
    assert (other.auth.header, other.auth.header_value.command) == ("X-Key", ("vault", "read"))


def test_metrics_of_our_own_are_like_the_built_in_ones(config: FleetConfig) -> None:
    infiniband, power, nvlink = config.metrics
    assert infiniband == Metric(
        "ib", "errors/s", "ib", {"ib": RollUp.SUM}, level="node", heat=(0.0, 5.0), worse=-1, promql="rate(x[5m])"
    )
    assert (power.promql, power.unit, power.level) == ("sum(pdu)", "W", "site")
    assert power.aggregates == BUILTIN["it_power_w"].aggregates
    assert nvlink.aggregates == {"nv_max": RollUp.MAX, "nv_avg": RollUp.MEAN}
    assert (nvlink.dcgm, nvlink.scale, nvlink.level) == (("NVLINK",), 1e-9, "gpu")


def test_checks_keep_their_expression_as_text_with_its_position(config: FleetConfig) -> None:
    assert config.checks == (
        CheckSpec("hot", "temp_c > 87", Level.GPU, 5, 50, 300.0, "", config.path, 29),
        CheckSpec("dark", "missing(util_pct)", Level.NODE, None, 1, 0.0, "", config.path, 33),
    )


def test_the_example_loads() -> None:
    config = load_fleet(example_fleet())
    assert {source.kind for site in config.sites for source in site.sources} == set(OPTIONS)


def keys_of_values() -> set[str]:
    """The YAML key of every field: without its unit, and where one value is written as a nested one, in those words."""
    modules = (values, access, serve_values)
    found = [each for module in modules for each in vars(module).values() if is_dataclass(each)]
    classes = [each for each in found if each.__module__ in {module.__name__ for module in modules}]
    names = {field.name for cls in (*classes, Geo, CheckSpec) for field in fields(cls)}
    units = {name: name.removesuffix("_bytes").removesuffix("_s") for name in names} | {
        each: each for each in ("bytes_per_s", "requests_per_s")
    }
    written = {units[name] for name in names} - {"options", "base_dir", "line", "path", "count", "ratio"}
    nested = {"basic_user": "user", "basic_password": "password", "header_value": "value"}
    return {nested.get(name, name) for name in written}


def test_the_example_shows_every_key() -> None:
    text = example_fleet().read_text()
    missing = {key for key in keys_of_values() if not re.search(rf"(?<![\w-]){key}:", text)}
    assert missing == set()


def test_the_example_shows_every_option_of_every_kind() -> None:
    text = example_fleet().read_text()
    assert [option for options in OPTIONS.values() for option in options if f"{option}:" not in text] == []


def test_light_values_do_not_import_what_reads_them() -> None:
    import subprocess
    import sys

    code = (
        "import sys, console.config.values, console.config.places, console.config.settings as s; s.load_settings();"
        "print([m for m in ('yaml', 'cattrs', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_commands_of_ssh_are_words_and_programs_are_found_beside_the_fleet_file(tmp_path: Path) -> None:
    ssh = "{known_hosts_command: [./keys.sh, '%H'], renew: [step, ssh, certificate]}"
    path = tmp_path / "fleet.yaml"
    path.write_text(f"fleet: f\nsites:\n  - name: muc1\n    ssh: {ssh}\n    sources: [{{kind: ssh}}]\n")
    found = load_fleet(path).sites[0].ssh
    assert found.known_hosts_command == (str(tmp_path / "keys.sh"), "%H")
    assert found.renew == ("step", "ssh", "certificate")


@pytest.mark.parametrize("renew", ["step ssh certificate", "[]", "[1, 2]"])
def test_a_command_of_ssh_that_is_no_list_of_words(tmp_path: Path, renew: str) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"fleet: f\nsites:\n  - name: muc1\n    ssh: {{renew: {renew}}}\n    sources: [{{kind: ssh}}]\n")
    with pytest.raises(ConfigErrors, match=r"ssh\.renew"):
        load_fleet(path)
