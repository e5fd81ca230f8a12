"""The plugin host: finds plugins by manifest without importing any, and offers what they provide behind the ports."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console.extend.guarded import Guard, GuardedDetector, GuardedPanel
from console.extend.loader import load
from console.model.errors import ConfigErrors
from console.model.values import dataclass
from console.plugin import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from console.config.kept import Kept
    from console.config.manifest_values import Manifest
    from console.model.ports import Detector, Panel

MANIFEST = "plugin.yaml"
GROUP = "gigadeck.plugins"
BLOCKED = "disabled in the settings"


@dataclass(frozen=True)
class PluginInfo:
    """One plugin as `gigadeck plugins` lists it; `state` is ok, disabled or failed, `reason` says why."""

    id: str
    title: str
    version: str
    state: str
    provides: tuple[str, ...]
    origin: str
    reason: str = ""
    key: str = ""


@dataclass(frozen=True, eq=False)
class _Plugin:
    manifest: Manifest
    folder: Path
    guard: Guard


class PluginHost:
    """All plugins of some folders and of the installed distributions' entry points.

    A broken one is listed with its reason and the rest runs; the id of an earlier plugin cannot be taken. Manifests
    that `kept` still has are not read.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        *,
        disabled: Iterable[str] = (),
        with_entry_points: bool = True,
        kept: Kept | None = None,
    ) -> None:
        self._kept = kept
        self._blocked = frozenset(disabled)
        self._plugins: dict[str, _Plugin] = {}
        self._failed: list[PluginInfo] = []
        for folder in folders:
            self._scan(folder)
        if with_entry_points:
            for origin in _entry_point_folders():
                self._read(origin)
        if kept:
            kept.save()

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin as it stands now, broken ones last."""
        return (*(_info(each) for each in self._plugins.values()), *self._failed)

    @property
    def panels(self) -> Mapping[str, Panel]:
        """The panels by plugin id, in the order of their keys; none is imported yet."""
        shown = sorted(self._plugins.values(), key=lambda each: (each.manifest.key or "~", each.manifest.id))
        return {
            each.manifest.id: GuardedPanel(each.guard, _loader(each, reference))
            for each in shown
            if not each.guard.disabled
            for reference in each.manifest.references("panel")[:1]
        }

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """The detectors by plugin id (`id`, `id.2`, ... where it has several); none is imported yet."""
        return {
            each.manifest.id if not number else f"{each.manifest.id}.{number + 1}": GuardedDetector(
                each.guard, _loader(each, reference)
            )
            for each in self._plugins.values()
            if not each.guard.disabled
            for number, reference in enumerate(each.manifest.references("detector"))
        }

    def info(self, plugin: str) -> PluginInfo | None:
        """Return one plugin by id."""
        found = self._plugins.get(plugin)
        return _info(found) if found else None

    def _scan(self, folder: Path) -> None:
        if not folder.is_dir():
            return
        for child in sorted(folder.iterdir()):
            if (child / MANIFEST).is_file():
                self._read(child)

    def _read(self, folder: Path) -> None:
        try:
            manifest = self._kept.read(folder / MANIFEST, _load) if self._kept else _load(folder / MANIFEST)
        except (ConfigErrors, OSError) as error:
            self._failed.append(PluginInfo(folder.name, "", "", "failed", (), str(folder), str(error)))
            return
        taken = self._plugins.get(manifest.id)
        if taken is not None and taken.folder.resolve() == folder.resolve():
            return
        why = _refusal(manifest, taken)
        if why:
            self._failed.append(
                PluginInfo(manifest.id, manifest.title, manifest.version, "failed", (), str(folder), why)
            )
            return
        guard = Guard(manifest.id)
        if manifest.id in self._blocked:
            guard.disable(BLOCKED)
        self._plugins[manifest.id] = _Plugin(manifest, folder, guard)


def _load(path: Path) -> Manifest:
    from console.config.manifest import load_manifest

    return load_manifest(path)


def _refusal(manifest: Manifest, taken: _Plugin | None) -> str:
    if manifest.api != API_VERSION:
        return f"needs plugin API {manifest.api}, this gigadeck offers {API_VERSION}"
    return f"its id is taken by {taken.folder}; choose another" if taken is not None else ""


def _loader(plugin: _Plugin, reference: str) -> Callable[[], Any]:
    return lambda: load(plugin.manifest.id, plugin.folder, reference)


def _info(plugin: _Plugin) -> PluginInfo:
    manifest, guard = plugin.manifest, plugin.guard
    return PluginInfo(
        id=manifest.id,
        title=manifest.title,
        version=manifest.version,
        state="disabled" if guard.disabled else "ok",
        provides=(*manifest.provides, *(f"command:{command.name}" for command in manifest.commands)),
        origin=str(plugin.folder),
        reason=guard.reason,
        key=manifest.key,
    )


def _entry_point_folders() -> Iterator[Path]:
    """Yield the folders of installed plugins, found without importing them."""
    if not _maybe_installed():
        return
    from importlib.metadata import entry_points

    for each in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        folder = _folder_of(each.value.partition(":")[0])
        if folder is not None:
            yield folder


def _maybe_installed() -> bool:
    """Return whether any distribution may offer a plugin: `importlib.metadata` takes 25 ms to say that none does."""
    usual = (importlib.machinery.PathFinder, importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter)
    if any(hasattr(finder, "find_distributions") for finder in sys.meta_path if finder not in usual):
        return True
    return any(_offers(entry or ".") for entry in sys.path)


def _offers(entry: str) -> bool:
    """Return whether a folder holds a distribution that names our group; what is no folder may."""
    if not os.path.isdir(entry):
        return os.path.exists(entry)
    with os.scandir(entry) as found:
        return any(_names_group(each.path) for each in found if each.name.endswith((".dist-info", ".egg-info", ".egg")))


def _names_group(distribution: str) -> bool:
    try:
        with open(os.path.join(distribution, "entry_points.txt"), "rb") as file:
            return GROUP.encode() in file.read()
    except OSError:
        return distribution.endswith(".egg")


def _folder_of(module: str) -> Path | None:
    """Return the folder of a package, walking down from its top without running its code."""
    search: list[str] | None = None
    for name in module.split("."):
        spec = importlib.machinery.PathFinder.find_spec(name, search)
        if spec is None or not spec.submodule_search_locations:
            return None
        search = list(spec.submodule_search_locations)
    return Path(search[0]) if search else None
