"""Imports what a plugin provides, by path, under `gigadeck_plugins.<id>`: built-in and foreign plugins alike."""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from console.model.errors import PluginError

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "gigadeck_plugins"


def load(plugin: str, folder: Path, reference: str) -> Any:
    """Return `module:attribute` of a plugin's folder; raises PluginError naming what is missing or what failed."""
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise PluginError(plugin, f"provides {reference!r}: write module:attribute")
    try:
        module = importlib.import_module(f"{_package(plugin, folder)}.{module_name}")
    except Exception as error:  # a plugin's import may fail in any way
        raise PluginError(plugin, f"cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        raise PluginError(plugin, f"{module_name}.py has no {attribute}")
    return getattr(module, attribute)


def _package(plugin: str, folder: Path) -> str:
    """Return the name of a plugin's package, made (without running code) at first use."""
    root = sys.modules.setdefault(ROOT, types.ModuleType(ROOT))
    root.__dict__.setdefault("__path__", [])
    name = f"{ROOT}.{plugin}"
    known = sys.modules.get(name)
    if known is None or str(folder) not in known.__path__:
        for stale in [each for each in sys.modules if each.startswith(f"{name}.")]:
            del sys.modules[stale]
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name
