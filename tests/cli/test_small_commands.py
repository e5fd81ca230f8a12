from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from console.cli.group import COMMANDS
from tests.support.cli import FLEET, gigadeck


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_s_help_shows_an_example(command):
    said = gigadeck(command, "--help")
    assert said.code == 0
    assert "Example" in said.out
    assert f"gigadeck {command}" in said.out
    examples = said.out.partition("Options:")[0].partition("Example")[2].splitlines()[1:]
    assert examples
    assert all(line.startswith("    ") for line in examples if line), "each example has a line of its own"
    assert "\\b" not in said.out


def test_the_program_s_own_help_keeps_its_examples_apart():
    said = gigadeck("--help")
    assert "\\b" not in said.out
    assert "    gigadeck --fleet fleet.yaml  " in said.out


def test_expand_and_fold_are_each_other_s_inverse():
    names = gigadeck("expand", "n[0001-0003,0007],gpu9").lines
    assert names == ["gpu9", "n0001", "n0002", "n0003", "n0007"]
    assert gigadeck("fold", *names).lines == ["gpu9,n[0001-0003,0007]"]


def test_fold_reads_standard_input():
    assert gigadeck("fold", "-", stdin="n1\nn2\nn3\n").lines == ["n[1-3]"]


def test_a_bad_host_list_is_a_usage_error():
    said = gigadeck("expand", "n[1-")
    assert said.code == 2
    assert "bracket" in said.err


def test_plugins_and_themes_list_what_there_is():
    assert {row["id"] for row in gigadeck("plugins", "--json").json["rows"]} >= {
        "fleet",
        "drilldown",
        "checks",
        "sources",
    }
    assert len(gigadeck("themes", "--format", "id").lines) >= 5


def test_a_broken_plugin_is_listed_and_makes_the_command_fail(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "plugin.yaml").write_text("id: mine\n")
    monkeypatch.setenv("GIGADECK_PLUGINS", str(tmp_path))
    said = gigadeck("plugins")
    assert said.code == 1
    assert "plugin.yaml" in said.out


def test_rules_are_yaml_and_counters_are_csv():
    groups = yaml.safe_load(gigadeck("rules").out)["groups"]
    assert all(rule["record"] for group in groups for rule in group["rules"])
    assert "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL" in gigadeck("rules", "--exporter").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(shell):
    assert "_GIGADECK_COMPLETE" in gigadeck("completion", shell).out


def test_doctor_says_that_the_emulator_is_well():
    said = gigadeck("doctor", "--fleet", FLEET, "--json")
    assert said.json["schema"] == "gigadeck/doctor/v1"
    assert not [row for row in said.json["rows"] if row["state"] == "failed"]


def test_doctor_says_what_is_wrong_with_an_endpoint_and_what_to_do(tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        "fleet: t\nsites:\n  - name: muc1\n    sources:\n      - {kind: prometheus, url: 'http://127.0.0.1:9'}\n"
    )
    said = gigadeck("doctor", "--fleet", str(fleet), "--json", "--timeout", "5s")
    assert said.code == 1
    (row,) = [row for row in said.json["rows"] if row["id"].startswith("muc1/")]
    assert row["state"] == "failed"
    assert row["advice"]


def test_doctor_tells_of_the_memory_and_what_to_do_where_it_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    assert "none" in _memory_row("--fleet", FLEET)["what"]
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("fleet: t\nsites:\n  - name: muc1\n    sources: []\n")
    well = _memory_row("--fleet", str(fleet))
    assert (well["state"], str(tmp_path / "state" / "t.db") in well["what"]) == ("ok", True)
    (tmp_path / "file").write_text("")
    fleet.write_text(f"fleet: t\nstate: sqlite:///{tmp_path}/file/m.db\nsites:\n  - name: muc1\n    sources: []\n")
    broken = _memory_row("--fleet", str(fleet))
    assert broken["state"] == "failed"
    assert broken["advice"]


def _memory_row(*arguments):
    said = gigadeck("doctor", *arguments, "--json", "--timeout", "5s")
    (row,) = [row for row in said.json["rows"] if row["id"] == "memory"]
    return row


def test_demo_without_a_terminal_prints_one_status():
    said = gigadeck("demo", "--gpus", "800")
    assert said.code == 0
    assert len(said.lines) >= 5


def test_the_console_without_a_fleet_says_how_to_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIGADECK_CONFIG_DIR", str(tmp_path))
    said = gigadeck()
    assert said.code == 2
    assert "gigadeck demo" in said.err


def test_a_misspelt_command_gets_the_nearest():
    said = gigadeck("statsu")
    assert said.code == 2
    assert "'status'" in said.err


def test_watch_streams_events_with_sequence_numbers():
    said = gigadeck("watch", "--fleet", FLEET, "--for", "2s")
    events = [json.loads(line) for line in said.lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {"snapshot"} <= {event["type"] for event in events}
    assert all("at" in event for event in events)


def test_a_screenshot_is_an_svg_picture(tmp_path):
    out = tmp_path / "fleet.svg"
    said = gigadeck("screenshot", "--fleet", FLEET, "--panel", "fleet", "--size", "100x30", "--out", str(out))
    assert said.code == 0
    assert out.read_text().startswith("<svg")


@pytest.mark.parametrize(
    "bad", [["--size", "1x1"], ["--panel", "nonsense"], ["--theme", "nonsense"], ["--metric", "x"]]
)
def test_a_screenshot_that_cannot_be_made_is_a_usage_error(tmp_path, bad):
    said = gigadeck("screenshot", "--fleet", FLEET, "--out", str(tmp_path / "f.svg"), *bad)
    assert said.code == 2
    assert bad[1] in said.err or "WIDTHxHEIGHT" in said.err


def test_a_closed_pipe_is_a_good_end():
    code = f"{sys.executable} -m console status --fleet {FLEET} --level gpu --format ndjson | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (["status", "--fleet", FLEET], ["textual", "httpx", "cattrs", "starlette", "asyncssh"]),
        (["check", "--fleet", FLEET], ["textual", "httpx", "starlette"]),
        (["expand", "n[1-3]"], ["textual", "httpx", "cattrs", "yaml"]),
        (["--help"], ["textual", "httpx", "numpy", "yaml"]),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments, never):
    code = (
        "import sys, io, contextlib\nfrom console.cli.entry import run\n"
        "with contextlib.redirect_stdout(io.StringIO()): run(sys.argv[1].split())\n"
        f"print([m for m in {never!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, " ".join(arguments)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
