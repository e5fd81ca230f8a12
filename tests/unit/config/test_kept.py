from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from console.config.kept import Kept
from console.config.manifest import load_manifest
from console.config.manifest_values import kept_manifests
from console.config.places import cache_dir, theme_folders
from console.config.themes import kept_themes, load_themes
from console.model.errors import ConfigErrors

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO_S = 1_000_000_000
MANIFEST = """
id: mine
title: Mine
version: 1.0.0
api: 1
key: "7"
provides: {panel: "panel:PANEL", detectors: ["watch:ONE", "watch:TWO"]}
commands:
  - name: drain
    command: scontrol
    args: [update]
    scopes: [node, rack]
    inputs: [{name: why, type: choice, choices: [a, b]}]
"""


@pytest.fixture
def manifest(tmp_path) -> Path:
    path = tmp_path / "plugin.yaml"
    return written(path, MANIFEST)


def written(path: Path, text: str, at_s: float = LONG_AGO_S) -> Path:
    path.write_text(text)
    os.utime(path, (at_s, at_s))
    return path


def refused(path: Path):
    raise AssertionError(f"{path} was read again")


def kept(tmp_path: Path) -> Kept:
    return kept_manifests(tmp_path / "cache" / "manifests")


def keep(tmp_path: Path, path: Path):
    first = kept(tmp_path)
    value = first.read(path, load_manifest)
    first.save()
    return value


def test_what_was_read_once_is_not_read_again(tmp_path, manifest):
    value = keep(tmp_path, manifest)
    again = kept(tmp_path).read(manifest, refused)
    assert again == value
    assert asdict(again) == asdict(load_manifest(manifest))


def test_every_theme_comes_back_as_it_was(tmp_path):
    store = tmp_path / "themes"
    themes, errors = load_themes(theme_folders(), kept_themes(store))
    assert store.exists()
    assert not errors
    again, _ = load_themes(theme_folders(), kept_themes(store))
    assert {name: asdict(theme) for name, theme in again.items()} == {
        name: asdict(theme) for name, theme in themes.items()
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda path: written(path, MANIFEST.replace("Mine", "Yours"), LONG_AGO_S + 1),
        lambda path: written(path, MANIFEST.replace("Mine", "Longer"), LONG_AGO_S),
    ],
    ids=["another time", "another size"],
)
def test_a_changed_file_is_read(tmp_path, manifest, change):
    keep(tmp_path, manifest)
    change(manifest)
    assert kept(tmp_path).read(manifest, load_manifest).title in ("Yours", "Longer")


def test_a_file_of_this_moment_is_not_kept(tmp_path, manifest):
    manifest.touch()
    keep(tmp_path, manifest)
    assert not (tmp_path / "cache").exists()


def test_a_faulty_file_is_not_kept_and_says_so_each_time(tmp_path, manifest):
    written(manifest, "id: 7\n")
    for _ in range(2):
        with pytest.raises(ConfigErrors):
            keep(tmp_path, manifest)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"Mine", b"Evil"),
        lambda data: b"\xff\xfe" * 100,
        lambda data: data.replace(b"gigadeck ", b"gigadeck 9", 1),
        lambda data: data.partition(b"\n")[0] + b"\n[1, 2, 3]",
    ],
    ids=["empty", "half", "changed", "binary", "another version", "another shape"],
)
def test_a_damaged_cache_means_that_files_are_read_and_kept_anew(tmp_path, manifest, damage):
    value = keep(tmp_path, manifest)
    store = tmp_path / "cache" / "manifests"
    whole = store.read_bytes()
    store.write_bytes(damage(whole))
    assert keep(tmp_path, manifest) == value
    assert store.read_bytes() == whole


def test_what_is_kept_in_a_wrong_shape_is_read(tmp_path, manifest):
    first = Kept(tmp_path / "cache" / "manifests", lambda _: {"id": 7}, lambda plain: plain)
    first.read(manifest, load_manifest)
    first.save()
    assert kept(tmp_path).read(manifest, load_manifest).id == "mine"


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path, manifest):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert keep(tmp_path, manifest).id == "mine"


def test_files_that_are_gone_are_forgotten(tmp_path, manifest):
    other = written(tmp_path / "other.yaml", MANIFEST.replace("Mine", "Gone"))
    keep(tmp_path, other)
    other.unlink()
    keep(tmp_path, manifest)
    assert b"Gone" not in (tmp_path / "cache" / "manifests").read_bytes()


def test_the_cache_has_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("GIGADECK_CACHE_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("GIGADECK_CACHE_DIR")
    assert cache_dir().name == "gigadeck"


def test_what_is_kept_needs_no_yaml(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from console.config.places import theme_folders\n"
        "from console.config.themes import kept_themes, load_themes\n"
        f"load_themes(theme_folders(), kept_themes(Path({str(tmp_path / 'themes')!r})))\n"
        "print([name for name in ('yaml', 'cattrs', 'attr') if name in sys.modules])"
    )
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        for _ in "12"
    ]
    assert said[1].stdout.strip() == "[]"
