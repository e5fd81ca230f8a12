from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.config.fleet import load_fleet
from console.model.errors import ConfigErrors

if TYPE_CHECKING:
    from pathlib import Path

    from console.config.values import SourceConfig


def source(tmp_path: Path, text: str) -> SourceConfig:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"fleet: f\nsites:\n  - name: muc1\n    sources:\n      - {{kind: slurm, {text}}}\n")
    return load_fleet(path).sites[0].sources[0]


def test_every_option_of_slurm(tmp_path: Path) -> None:
    found = source(
        tmp_path, "url: 'http://s:6820', auth: {jwt: {env: T}}, user: sre, api: v0.0.41, cluster: a, cadence: 1m"
    )
    assert dict(found.options) == {"user": "sre", "api": "v0.0.41", "cluster": "a"}
    assert found.auth.jwt is not None
    assert found.cadence_s == 60.0


def test_a_socket_stands_in_for_a_url(tmp_path: Path) -> None:
    found = source(tmp_path, "socket: /run/slurmrestd/slurmrestd.socket")
    assert (found.url, found.options["socket"]) == ("", "/run/slurmrestd/slurmrestd.socket")


def test_a_login_host_stands_in_for_a_url(tmp_path: Path) -> None:
    found = source(tmp_path, "ssh: login1.muc1, bin: /opt/slurm/bin")
    assert (found.url, found.address) == ("", "login1.muc1")
    assert dict(found.options) == {"ssh": "login1.muc1", "bin": "/opt/slurm/bin"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x", "url: is required, or socket"),
        ("url: 'http://s', cadence: 10s", "cadence: must be 30s or longer"),
        ("url: 'http://s', cadence: soon", "cadence"),
        ("url: 'http://s', api: '41'", "api: expected auto or a version such as v0.0.41"),
        ("url: 'http://s', flavor: auto", "flavor"),
    ],
)
def test_faults(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigErrors, match=words):
        source(tmp_path, text)
