from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from console.state.migrations import NEWEST
from console.state.store import open_store
from tests.support.cli import gigadeck
from tests.support.remembered import SITE, fill, note

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    named = f"sqlite:///{tmp_path}/memory.db"
    with closing(open_store(named, realm="lab")) as store:
        fill(store)
    return named


@pytest.fixture
def fleet(tmp_path: Path, url: str) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"fleet: lab\nstate: sqlite:///memory.db\nsites:\n  - name: {SITE}\n")
    return path


def test_info_tells_rows_and_sizes(url: str) -> None:
    said = gigadeck("state", "info", "--state", url, "--json")
    assert said.code == 0
    assert said.json["schema"] == "gigadeck/state/v1"
    rows = {row["id"]: row for row in said.json["rows"]}
    assert (rows["incidents"]["rows"], rows["plans"]["rows"]) == (2, 0)
    assert (rows["incidents"]["oldest_at"], rows["plans"]["oldest_at"]) == (100.0, None)
    assert f"schema {NEWEST}" in said.err
    assert "1970-01-01T00:01:40+00:00" in gigadeck("state", "info", "--state", url).out


def test_the_fleet_s_own_memory_is_found(fleet: Path) -> None:
    said = gigadeck("state", "info", "--fleet", str(fleet), "--json")
    assert (said.code, said.json["rows"][0]["id"]) == (0, "acknowledgements")
    assert str(fleet.parent / "memory.db") in said.err


def test_without_a_named_database_it_is_this_user_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "own"))
    path = tmp_path / "fleet.yaml"
    path.write_text(f"fleet: lab\nsites:\n  - name: {SITE}\n")
    assert gigadeck("state", "migrate", "--fleet", str(path)).code == 0
    said = gigadeck("state", "info", "--fleet", str(path))
    assert (said.code, str(tmp_path / "own") in said.err) == (0, True)


def test_the_demo_has_nothing_to_care_for() -> None:
    said = gigadeck("state", "info", "--fleet", "demo")
    assert said.code == 2
    assert "the demo's memory ends with it" in said.err


@pytest.mark.parametrize("name", ["copy.db", "copy.jsonl", "copy.jsonl.gz"])
def test_a_backup_is_restored_to_the_same(tmp_path: Path, url: str, name: str) -> None:
    file, other = tmp_path / name, f"sqlite:///{tmp_path}/other.db"
    said = gigadeck("state", "backup", str(file), "--state", url, "--json")
    assert (said.code, said.json["rows"][0]["schema"]) == (0, NEWEST)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert gigadeck("state", "restore", str(file), "--state", other).code == 0
    with closing(open_store(url, realm="x")) as first, closing(open_store(other, realm="x")) as second:
        assert second.load([SITE]) == first.load([SITE])
    again = gigadeck("state", "restore", str(file), "--state", other)
    assert again.code == 5
    assert "it is not empty; with --replace what it holds is gone" in again.err
    assert gigadeck("state", "restore", str(file), "--replace", "--state", other).code == 0


def test_what_a_killed_writer_left_in_its_log_is_restored_too(tmp_path: Path, url: str) -> None:
    with closing(open_store(url, realm="lab")) as store:
        with store.begin() as writer:
            writer.add_note(note(1))
        for end in ("", "-wal"):
            shutil.copyfile(tmp_path / f"memory.db{end}", tmp_path / f"left.db{end}")
    other = f"sqlite:///{tmp_path}/other.db"
    assert gigadeck("state", "restore", str(tmp_path / "left.db"), "--state", other).code == 0
    with closing(open_store(other, realm="x")) as restored:
        assert note(1) in restored.load([SITE]).notes


def test_a_backup_is_made_while_the_memory_is_written(tmp_path: Path, url: str) -> None:
    with closing(open_store(url, realm="lab")):
        assert gigadeck("state", "backup", str(tmp_path / "copy.db"), "--state", url).code == 0
        said = gigadeck("state", "restore", str(tmp_path / "copy.db"), "--replace", "--state", url)
    assert said.code == 1
    assert f"process {os.getpid()} writes it" in said.err


def test_a_backup_replaces_no_file_by_itself(tmp_path: Path, url: str) -> None:
    (tmp_path / "copy.db").write_text("something")
    said = gigadeck("state", "backup", str(tmp_path / "copy.db"), "--state", url)
    assert said.code == 5
    assert "is there already" in said.err
    assert gigadeck("state", "backup", str(tmp_path / "copy.db"), "--overwrite", "--state", url).code == 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[: len(text) // 2], "damaged|cut off"),
        (lambda text: text.rpartition("\n{")[0] + "\n", "it was cut off or changed"),
        (lambda text: text.replace('"notes"', '"sqlite_master"'), "does not know: sqlite_master"),
        (lambda text: text.replace('"subject"', '"x); DROP TABLE notes"', 1), "does not know"),
        (lambda text: text.replace('"schema":2', '"schema":99', 1), "a newer gigadeck wrote it"),
        (lambda text: "hello\n", "is no backup"),
    ],
)
def test_a_damaged_backup_is_refused_and_changes_nothing(tmp_path: Path, url: str, spoil: object, words: str) -> None:
    file = tmp_path / "copy.jsonl"
    gigadeck("state", "backup", str(file), "--state", url)
    file.write_text(spoil(file.read_text()))  # type: ignore[operator]  # a function of one text
    said = gigadeck("state", "restore", str(file), "--replace", "--state", url)
    assert said.code == 1
    assert any(word in said.err for word in words.split("|"))
    with closing(open_store(url, realm="x")) as store:
        assert len(store.load([SITE]).incidents) == 2


def test_a_backup_of_an_older_schema_is_brought_up_to_date(tmp_path: Path, url: str) -> None:
    file = tmp_path / "copy.jsonl"
    gigadeck("state", "backup", str(file), "--state", url)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["schema"] = 1
    gone: list[int] = []
    for line in lines:
        if isinstance(line, dict) and "columns" in line:
            gone = [n for n, name in enumerate(line["columns"]) if (line["table"], name) in _ADDED]
            line["columns"] = [each for n, each in enumerate(line["columns"]) if n not in gone]
        elif isinstance(line, list):
            line[:] = [each for n, each in enumerate(line) if n not in gone]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert gigadeck("state", "restore", str(file), "--state", f"sqlite:///{tmp_path}/new.db").code == 0
    with (
        closing(open_store(url, realm="x")) as first,
        closing(open_store(f"sqlite:///{tmp_path}/new.db", realm="x")) as new,
    ):
        assert new.load([SITE]) == first.load([SITE])
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        keys = connection.execute("SELECT key, severity FROM incidents ORDER BY key").fetchall()
    assert keys == [("check:hot", "warning"), ("fault:gpu-off-bus", "warning")]


_ADDED = {("incidents", "key"), ("incidents", "severity"), ("tokens", "used_at")}


def test_migrate_says_what_it_did(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    said = gigadeck("state", "migrate", "--state", url, "--json")
    assert (said.code, [row["id"] for row in said.json["rows"]]) == (0, list(range(1, NEWEST + 1)))
    again = gigadeck("state", "migrate", "--state", url)
    assert (again.code, "nothing to do" in again.err) == (0, True)


def test_a_database_of_another_kind_is_refused_without_its_password() -> None:
    said = gigadeck("state", "info", "--state", "mysql://root:geheim@db/x")
    assert said.code == 1
    assert "mysql database is known" in said.err or "no mysql" in said.err
    assert "geheim" not in said.err
