from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.config import places
from console.config.settings import Settings, load_settings

LIMITED = """\
glyphs: ascii
fps: 2.5
bandwidth: 8 kB
"""
GOOD = """\
theme: light
clock: site
keys: {quit: Q, row.down: [j, down], back: []}
disabled_plugins: [fleet]
"""


def test_without_a_file_the_defaults_stand(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "settings.yaml") == (Settings(), [])


def test_settings_are_typed_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIGADECK_CONFIG_DIR", str(tmp_path))
    (tmp_path / "settings.yaml").write_text(GOOD)
    settings = Settings("light", "site", {"quit": ("Q",), "row.down": ("j", "down"), "back": ()}, ("fleet",))
    assert load_settings() == (settings, [])


def test_what_the_terminal_is_sent_can_be_limited(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(LIMITED)
    assert load_settings(path) == (Settings(glyphs="ascii", fps=2.5, bandwidth_bytes_per_s=8000.0), [])
    path.write_text(LIMITED + "theme: 5\n")
    assert load_settings(path)[0] == Settings(glyphs="ascii", fps=2.5, bandwidth_bytes_per_s=8000.0)
    path.write_text("bandwidth: fast\nfps: 1000\nglyphs: emoji\n")
    settings, errors = load_settings(path)
    assert settings == Settings()
    assert len(errors) == 3


def test_a_bad_key_keeps_its_default_and_the_others_count(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("theme: light\nclock: local\nkeys: {quit: 5}\nfsp: 3\ndisabled_plugins: [a]\n")
    settings, errors = load_settings(path)
    assert settings == Settings("light", disabled_plugins=("a",))
    assert [str(error).removeprefix(f"{path}:") for error in errors] == [
        '2: clock: expected utc or site, found "local"',
        "3: keys.quit: expected text, found the number 5; put it in quotes",
        "4: fsp: is not a known key; did you mean fps?",
    ]


@pytest.mark.parametrize("text", ["[", "- a", "theme: light\ntheme: dark"])
def test_a_broken_file_is_a_fault_and_never_an_exception(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    settings, errors = load_settings(path)
    assert isinstance(settings, Settings)
    assert len(errors) == 1


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("# theme: dark\n")
    assert load_settings(tmp_path / "settings.yaml") == (Settings(), [])


def test_folders_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIGADECK_CONFIG_DIR", str(tmp_path / "c"))
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "s"))
    monkeypatch.setenv("GIGADECK_PLUGINS", os.pathsep.join(("/a", "", "/b")))
    monkeypatch.setenv("GIGADECK_THEMES", "/t")
    assert (places.config_dir(), places.state_dir()) == (tmp_path / "c", tmp_path / "s")
    assert places.plugin_folders()[1:] == [tmp_path / "c" / "plugins", Path("/a"), Path("/b")]
    assert places.theme_folders()[1:] == [tmp_path / "c" / "themes", Path("/t")]


def test_without_an_environment_the_platform_names_the_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG_DIR", "STATE_DIR", "PLUGINS", "THEMES"):
        monkeypatch.delenv(f"GIGADECK_{name}", raising=False)
    assert {places.config_dir().name, places.state_dir().name} == {"gigadeck"}
    assert places.config_dir() != places.state_dir()


def test_what_comes_with_the_program_is_found() -> None:
    assert (places.plugin_folders()[0] / "fleet" / "plugin.yaml").is_file()
    assert (places.theme_folders()[0] / "dark.yaml").is_file()
    assert places.example_fleet().is_file()


def test_a_wheel_carries_them_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "console"
    (package / "_bundled" / "themes").mkdir(parents=True)
    monkeypatch.setattr(places, "_PACKAGE", package)
    assert places.theme_folders()[0] == package / "_bundled" / "themes"
    assert places.plugin_folders()[0] == tmp_path / "plugins"
