from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from console.cli.serving import Wish, keeper_name, plan_of
from console.serve.setup import LONGEST_REALM, realm_of
from tests.support.cli import gigadeck

if TYPE_CHECKING:
    from pathlib import Path

FLEET = """\
fleet: f
sites:
  - {name: a, sources: [{kind: emulator, gpus: 64}]}
  - {name: b, inventory: {file: b.csv}, sources: [{kind: emulator, gpus: 64}]}
serve: {listen: "127.0.0.1:1", peer: {auth: {bearer: {env: PEER}}}}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "b.csv").write_text("node,rack\nn1,r1\n")
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


@pytest.mark.parametrize("listen", ["8470", "host:", ":8470", "host:99999", "host:x"])
def test_where_to_listen_is_told_apart(listen: str) -> None:
    said = gigadeck("serve", "--fleet", "demo:64", "--listen", listen)
    assert said.code == 2
    assert "HOST:PORT" in said.err


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith(("uvicorn", "console.serve.run"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = gigadeck("serve", "--fleet", "demo:64")
    assert said.code == 1
    assert "pip install 'gigadeck[serve]'" in said.err


def test_a_broken_file_is_told_with_all_its_faults(fleet: Path) -> None:
    fleet.write_text(FLEET.replace("gpus: 64", "gpus: x") + "checks: [{name: c, where: 'temp_c >', warning: 1}]\n")
    said = gigadeck("serve", "--fleet", str(fleet))
    assert said.code == 2
    assert said.err.count("sources[0].gpus") == 2


def test_a_check_that_does_not_compile_keeps_it_from_starting(fleet: Path) -> None:
    fleet.write_text(FLEET + "checks: [{name: c, where: 'temp_q > 1', warning: 1}]\n")
    said = gigadeck("serve", "--fleet", str(fleet))
    assert said.code == 2
    assert "checks.c.where" in said.err


def test_what_the_command_line_says_takes_the_place_of_the_file(fleet: Path) -> None:
    plan = plan_of(Wish(str(fleet), ("b",), listen="127.0.0.1:2", socket="/run/s", state="sqlite:////tmp/x.db"))
    assert (plan.sites, plan.config.listen, plan.config.socket.path) == (("b",), "127.0.0.1:2", "/run/s")
    assert (plan.state, plan.realm) == ("sqlite:////tmp/x.db", "f/b")


def test_plans_are_alike_while_nothing_that_is_read_changes(fleet: Path) -> None:
    before = plan_of(Wish(str(fleet))).likeness
    fleet.write_text(FLEET.replace('"127.0.0.1:1"', '"127.0.0.1:2", roles: {operator: "user:a"}'))
    assert plan_of(Wish(str(fleet))).likeness == before
    (fleet.parent / "b.csv").write_text("node,rack\nn1,r1\nn2,r1\n")
    assert plan_of(Wish(str(fleet))).likeness != before


def test_who_follows_reads_from_the_leader_and_from_nothing_else(fleet: Path) -> None:
    plan = plan_of(Wish(str(fleet)))
    for address in ("http://127.0.0.1:9", "/run/leader.sock"):
        session = plan.follow(address)
        assert {(site.name, each.kind) for site in session.config.sites for each in site.sources} == {
            ("a", "site"),
            ("b", "site"),
        }
        assert session.config.memory is None
        assert not session.config.detectors
        session.close()


def test_who_leads_reads_the_sites_and_remembers(fleet: Path) -> None:
    session = plan_of(Wish(str(fleet), state="postgresql://u:pw@h/db")).lead(lambda: 7)
    assert {each.kind for site in session.config.sites for each in site.sources} == {"emulator"}
    memory = session.config.memory
    assert memory is not None
    assert memory.fence is not None
    assert (memory.fence(), memory.where) == (7, "postgresql://u@h/db")
    session.close()


def test_the_demo_is_remembered_in_ram() -> None:
    plan = plan_of(Wish("demo:64"))
    assert (plan.state, len(plan.sites)) == ("", 4)


def test_realms_are_by_fleet_and_sites_and_not_too_long() -> None:
    assert realm_of("f", ["b", "a"]) == realm_of("f", ["a", "b"]) == "f/a+b"
    many = [f"site{number}" for number in range(100)]
    assert len(realm_of("f", many)) <= LONGEST_REALM
    assert realm_of("f", many) != realm_of("f", [*many, "more"])


def test_names_tell_serves_of_one_host_apart() -> None:
    assert keeper_name("127.0.0.1:8470") == keeper_name("off") == keeper_name("")
    assert keeper_name("127.0.0.1:9999") == f"{keeper_name('')}:9999"
    assert keeper_name("127.0.0.1:0") != keeper_name("")


def test_tokens_are_added_listed_and_revoked(tmp_path: Path) -> None:
    state = ("--state", f"sqlite:///{tmp_path}/state.db")
    added = gigadeck("token", "add", "ci", "--role", "operator", "--days", "7", *state)
    assert added.code == 0
    secret = added.out.strip()
    assert secret.startswith("gdk_")
    assert secret.encode() not in (tmp_path / "state.db").read_bytes()
    (row,) = gigadeck("token", "list", "--json", *state).json["rows"]
    assert (row["name"], row["role"], row["state"], row["used_at"]) == ("ci", "operator", "valid", None)
    assert round((row["expires_at"] - row["created_at"]) / 86400) == 7
    again = gigadeck("token", "add", "ci", "--role", "viewer", *state)
    assert (again.code, again.out) == (5, "")
    assert secret not in gigadeck("token", "list", *state).out
    assert gigadeck("token", "revoke", "ci", *state).code == 0
    assert gigadeck("token", "list", "--json", *state).json["rows"][0]["state"] == "revoked"
    gone = gigadeck("token", "revoke", "ci", *state)
    assert gone.code == 2
    assert "no valid token named 'ci'" in gone.err


@pytest.mark.parametrize("arguments", [("a b", "--role", "viewer"), ("ci", "--role", "root"), ("ci",)])
def test_a_token_needs_a_name_and_a_role(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert gigadeck("token", "add", *arguments, "--state", f"sqlite:///{tmp_path}/s.db").code == 2
