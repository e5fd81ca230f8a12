from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from console.config.fleet import parse_fleet
from console.config.inventory import read_inventory
from console.config.manifest import load_manifest
from console.config.places import example_fleet
from console.config.settings import load_settings
from console.config.themes import load_themes
from console.config.values import InventoryConfig, SiteConfig
from console.config.yaml_reader import Document, parse_yaml
from console.model.errors import ConfigErrors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.model.errors import ConfigError

QUICK = settings(deadline=None, max_examples=60)
YAML_TEXT = st.text(alphabet=st.sampled_from(list("ab:-[]{}&*!'\"#,|>%@`?~<= \n\t01.\x00\x1bé")), max_size=80)
WORDS = """
fleet environment sites name kind url sources auth bearer env value place country inventory file command layout metrics
unit level roll_up promql heat checks where warning for state settings options labels tls budget
"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS
TREES = st.recursive(
    SCALARS, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(KEYS, inside, max_size=4), max_leaves=20
)


def load(text: str) -> None:
    errors = faults_of(lambda: parse_fleet(text, Path("/nowhere/fleet.yaml")))
    assert all(str(error).isprintable() for error in errors)


def faults_of(read: Callable[[], object]) -> Sequence[ConfigError]:
    """The faults that reading ends with; any other exception fails the test."""
    try:
        read()
    except ConfigErrors as faults:
        return faults.errors
    return ()


@QUICK
@given(YAML_TEXT | st.text(max_size=60))
def test_any_text_is_a_fleet_or_faults(text: str) -> None:
    load(text)


@QUICK
@given(TREES)
def test_any_tree_is_a_fleet_or_faults(tree: object) -> None:
    load(yaml.safe_dump(tree, allow_unicode=True))


@QUICK
@given(st.data())
def test_a_fleet_with_any_one_value_replaced_is_a_fleet_or_faults(data: st.DataObject) -> None:
    tree = parse_yaml(example_fleet().read_text(), "example").data
    here = tree
    while True:
        steps = list(here) if isinstance(here, dict) else list(range(len(here)))
        step = data.draw(st.sampled_from(steps))
        if not isinstance(here[step], dict | list) or not here[step] or data.draw(st.booleans()):
            here[step] = data.draw(TREES)
            break
        here = here[step]
    load(yaml.safe_dump(_plain(tree)))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


@QUICK
@given(TREES)
def test_what_yaml_writes_we_read_as_it_was_meant(tree: object) -> None:
    document = parse_yaml(yaml.safe_dump(tree, default_style='"', allow_unicode=True), "f")
    assert isinstance(document, Document)
    assert document.errors == () or "tag" in document.errors[0].message


@settings(deadline=None, max_examples=30)
@given(YAML_TEXT, st.sampled_from(["n.csv", "n.yaml", "n.json"]))
def test_any_file_of_the_user_is_read_or_told_of(text: str, name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        (path.parent / "theme.yaml").write_text(text, encoding="utf-8")
        assert load_settings(path)[0] is not None
        assert len(load_themes([path.parent])[1]) >= 1
        assert len(faults_of(lambda: load_manifest(path))) >= 1
        faults_of(lambda: read_inventory(SiteConfig("a", inventory=InventoryConfig(name)), path.parent))
