from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.config.fleet import load_fleet, parse_fleet
from console.model.errors import ConfigErrors

DATA = Path(__file__).parents[2] / "data" / "config" / "bad"
# A bad fleet file tells its own faults: `#! key: message` on the line that they belong to.
FIXTURES = sorted(path for path in DATA.glob("*.yaml") if "#!" in path.read_text())


def told(path: Path) -> list[str]:
    text = path.read_text().replace("FOLDER", str(path.parent))
    return [
        f"{path}:{number}: {message.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        for message in re.split(" #! ", line)[1:]
    ]


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load_fleet(path)
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_every_fault_is_told_at_once_with_file_line_and_key(path: Path) -> None:
    assert sorted(faults(path)) == sorted(told(path))


def test_faults_come_in_the_order_of_lines() -> None:
    lines = [int(fault.split(":")[1]) for fault in faults(DATA / "sources.yaml")]
    assert lines == sorted(lines)
    assert len(lines) > 10


def test_no_fault_shows_a_credential() -> None:
    assert not [fault for fault in faults(DATA / "secrets.yaml") if "hunter2" in fault]


def test_keys_without_a_value_are_not_said() -> None:
    path = DATA / "empty-parts.yaml"
    assert faults(path) == [f"{path}:1: fleet: is required", f"{path}:2: sites: expected at least one site"]


def test_an_empty_file_points_to_the_example() -> None:
    with pytest.raises(ConfigErrors, match=r"^f\.yaml: is empty; see fleet\.example\.yaml$"):
        parse_fleet("# nothing\n", Path("f.yaml"))


def test_a_missing_file_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="cannot be read: No such file or directory"):
        load_fleet(tmp_path / "fleet.yaml")


def test_names_that_could_harm_a_terminal_are_shown_escaped() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse_fleet('"\\e[31mfleet": 1\nsites: [{name: "\\e]0;x\\a"}]\n', Path("f.yaml"))
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[31mfleet" in str(caught.value)


def test_a_private_file_may_hold_a_credential(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        "fleet: x\nstate: postgresql://u:p@db/x\n"
        "sites: [{name: a, sources: [{kind: site, url: 'http://x', auth: {bearer: {value: hunter2}}}]}]\n"
    )
    path.chmod(0o644)
    assert len(faults(path)) == 2
    path.chmod(0o600)
    bearer = load_fleet(path).sites[0].sources[0].auth.bearer
    assert bearer is not None
    assert bearer.value == "hunter2"
