from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.config.manifest import CommandInput, CommandSpec, InputKind, load_manifest
from console.config.places import plugin_folders
from console.model.errors import ConfigErrors

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
id: drainer
title: Drainer
version: 1.2.0
api: 1
key: "7"
description: drains
provides: {panel: "panel:PANEL", detectors: ["a.b:ONE", "a:TWO"]}
commands:
  - name: cordon
    title: Cordon
    key: C
    scopes: [node, rack]
    command: kubectl
    args: [cordon, "{node}"]
    confirm: true
    dangerous: true
    inputs:
      - {name: reason, title: Reason}
      - {name: how, type: choice, choices: [now, later], default: now, required: false}
"""
BAD = """\
id: Bad
titel: x
version: 1.0
api: '1'
key: ab
provides: {panle: x, detector: nope}
commands:
  - {name: a, comand: b}
  - {name: a, command: 5, scopes: noed, inputs: [{name: Q, type: choice}]}
"""


def load(base: Path, text: str) -> object:
    (base / "plugin.yaml").write_text(text)
    return load_manifest(base / "plugin.yaml")


def test_a_manifest_is_typed_values(tmp_path: Path) -> None:
    (tmp_path / "plugin.yaml").write_text(GOOD)
    manifest = load_manifest(tmp_path / "plugin.yaml")
    assert (manifest.id, manifest.title, manifest.version, manifest.api) == ("drainer", "Drainer", "1.2.0", 1)
    assert (manifest.key, manifest.description) == ("7", "drains")
    assert manifest.path == str(tmp_path / "plugin.yaml")
    assert manifest.references("panel") == ("panel:PANEL",)
    assert manifest.references("detector") == ("a.b:ONE", "a:TWO")
    assert manifest.commands == (
        CommandSpec(
            "cordon",
            "kubectl",
            "Cordon",
            "C",
            ("node", "rack"),
            ("cordon", "{node}"),
            True,
            True,
            (
                CommandInput("reason", title="Reason"),
                CommandInput("how", InputKind.CHOICE, required=False, default="now", choices=("now", "later")),
            ),
        ),
    )


def test_every_fault_of_a_manifest_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path, BAD)
    assert [str(error).removeprefix(f"{tmp_path}/plugin.yaml:") for error in caught.value.errors] == [
        "1: id: must be lower-case letters, digits and '_', a letter first, found \"Bad\"",
        "1: title: is required",
        "2: titel: is not a known key; did you mean title?",
        "3: version: expected text, found the number 1.0; put it in quotes",
        '4: api: expected a whole number, found "1"',
        '5: key: must be one character, found "ab"',
        "6: provides.panle: is not a known key; did you mean panel?",
        '6: provides.panle: expected module:attribute, found "x"',
        '6: provides.detector: expected module:attribute, found "nope"',
        "8: commands.a.command: is required",
        "8: commands.a.comand: is not a known key; did you mean command?",
        "9: commands.a.name: a is a duplicate of line 8",
        "9: commands.a.command: expected text, found the number 5; put it in quotes",
        '9: commands.a.scopes[0]: expected site, hall, rack, node, gpu or job, found "noed"; did you mean node?',
        "9: commands.a.inputs.Q.choices: belongs to inputs of type choice, and to all of those",
        "9: commands.a.inputs.Q.name: must be lower-case letters, digits, '-' and '_', a letter first, found \"Q\"",
    ]


def test_a_plugin_that_provides_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="provides nothing; name a panel, a detector or commands"):
        load(tmp_path, "id: a\ntitle: A\nversion: 1.0.0\napi: 1\n")


@pytest.mark.parametrize("path", sorted(plugin_folders()[0].glob("*/plugin.yaml")), ids=lambda path: path.parent.name)
def test_the_built_in_manifests_load(path: Path) -> None:
    assert load_manifest(path).id == path.parent.name
