from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.config.fleet import load_fleet
from console.config.serve_values import Retention, ServeConfig, ServeLimits, SocketConfig
from console.model.errors import ConfigErrors

if TYPE_CHECKING:
    from pathlib import Path

FLEET = "fleet: f\nsites:\n  - {name: lab, sources: [{kind: emulator}]}\n"


def serve(folder: Path, text: str) -> ServeConfig:
    path = folder / "fleet.yaml"
    path.write_text(f"{FLEET}serve: {text}\n")
    return load_fleet(path).serve


def test_left_out_it_listens_on_this_machine_alone(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    config = load_fleet(path).serve
    assert config == ServeConfig()
    assert config.listen.startswith("127.0.0.1:")
    assert not config.socket.path


def test_values_are_typed_and_files_start_at_the_fleet_file(tmp_path: Path) -> None:
    config = serve(
        tmp_path,
        "{listen: '[::1]:8470', socket: {path: serve.sock, mode: '0600', group: sre},"
        " tls: {cert_file: c.pem, key_file: k.pem, client_ca: ca.pem}, advertise: run/other.sock,"
        " roles: {operator: ['group:sre', 'cn:Ada Lovelace'], loopback: none},"
        " limits: {requests_per_s: 5, body: 8 KiB, streams: 7, connections: 99},"
        " retention: {incidents: 7d, notes: 30d, notifications: 1d, journal: 2d, most: 1 GiB, vacuum: false},"
        " heartbeat: {every: 30s, webhooks: [{url: 'https://h/x'}]}}",
    )
    assert config.socket == SocketConfig(str(tmp_path / "serve.sock"), 0o600, "sre")
    assert config.tls.cert_file == str(tmp_path / "c.pem")
    assert config.advertise == str(tmp_path / "run/other.sock")
    assert config.roles.operator == ("group:sre", "cn:Ada Lovelace")
    assert config.limits == ServeLimits(5.0, 8192, 7, 99)
    day = 86400.0
    assert config.retention == Retention(7 * day, 30 * day, day, 2 * day, 2**30, False)
    assert (config.heartbeat.every_s, config.heartbeat.webhooks[0].url) == (30.0, "https://h/x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{listen: 8470}", "serve.listen"),
        ("{listen: 'host'}", "expected HOST:PORT"),
        ("{listen: 'host:99999'}", "expected HOST:PORT"),
        ("{socket: {mode: '0660'}}", "serve.socket.path: is required"),
        ("{socket: {path: s, mode: 660}}", "put it in quotes"),
        ("{socket: {path: s, mode: '0888'}}", "octal mode"),
        (f"{{socket: {{path: {'x' * 120}}}}}", "too long for a socket"),
        ("{tls: {key_file: k}}", "needs cert_file"),
        ("{tls: {client_ca: k}}", "needs cert_file"),
        ("{tls: {plain: true, cert_file: c}}", "does not go with"),
        ("{roles: {operator: [ada]}}", "expected user:NAME"),
        ("{roles: {operator: ['user:a'], approver: ['user:a']}}", "is operator already"),
        ("{roles: {loopback: operator}}", "serve.roles.loopback"),
        ("{heartbeat: {every: 0s}}", "serve.heartbeat.every"),
        ("{heartbeat: {webhooks: [{}]}}", "url: is required"),
        ("{heartbeat: {webhooks: [{url: 'https://user:pw@h/'}]}}", "holds credentials"),
        ("{limits: {body: 1 GiB}}", "serve.limits.body"),
        ("{limits: {streams: 0}}", "serve.limits.streams"),
        ("{retention: {incidents: 0d}}", "more than 0"),
        ("{lisen: x}", "did you mean listen?"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigErrors) as found:
        serve(tmp_path, text)
    assert words in str(found.value)
