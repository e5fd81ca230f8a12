from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[3]
OURS = sorted(path for top in ("console", "plugins") for path in (ROOT / top).rglob("*.py"))
LOWER = ["model", "core", "config", "present", "link", "emulator", "plugin", "sources", "engine", "extend"]


@pytest.fixture(scope="module")
def graph():
    # Deferred imports and those for types alone count too.
    return grimp.build_graph("console", exclude_type_checking_imports=False, cache_dir=None)


def cycle(edges):
    """Return one cycle, empty if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_there_is_no_import_cycle_of_any_kind(graph):
    edges = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert cycle(edges) == []


def test_the_cycle_finder_finds_one():
    assert set(cycle({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})) == {"a", "b", "c"}


@pytest.mark.parametrize("floor", LOWER)
def test_a_lower_floor_never_imports_the_screen(floor):
    code = (
        "import sys, pkgutil, importlib\n"
        f"package = importlib.import_module('console.{floor}')\n"
        "for each in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(each.name)\n"
        "sys.exit('textual' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_deliberate_violation_is_caught(tmp_path):
    shutil.copytree(ROOT / "console", tmp_path / "console", ignore=shutil.ignore_patterns("__pycache__", "_bundled"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    victim = tmp_path / "console" / "core" / "hostlist.py"
    victim.write_text(
        victim.read_text() + "\n\ndef _up():\n    from console.engine import session\n    return session\n"
    )
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "console.core.hostlist -> console.engine.session" in done.stdout


def imports_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_plugin_imports_the_public_api_and_nothing_else_of_ours(path):
    if "tests" in path.parts:
        return
    ours = {name for name in imports_of(ast.parse(path.read_text())) if name.split(".")[0] in ("console", "plugins")}
    assert ours <= {"console.plugin"}


def test_nobody_imports_plugins_as_a_package():
    bad = [
        path
        for path in OURS
        if any(name.split(".")[0] == "plugins" for name in imports_of(ast.parse(path.read_text())))
    ]
    assert bad == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 330
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 50
    ]
    assert long == []


def test_the_public_api_is_pinned():
    from console import plugin

    pinned = (ROOT / "tests" / "data" / "plugin_api_v1.txt").read_text().split()
    assert sorted(plugin.__all__) == sorted(pinned), (
        "within version 1 names are added (then add them there), never removed"
    )
    assert all(hasattr(plugin, name) for name in plugin.__all__)
