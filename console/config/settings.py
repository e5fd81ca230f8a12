"""The user's own settings: `settings.yaml` in the configuration folder; a bad key keeps its default, others count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.config.places import config_dir
from console.model.values import dataclass

if TYPE_CHECKING:
    from cattrs import Converter

    from console.model.errors import ConfigError

FILE = "settings.yaml"
RENAMED = {"bandwidth_bytes_per_s": "bandwidth"}
MAX_SETTINGS_BYTES = 256 * 1024
CLOCKS = ("utc", "site")
GLYPHS = ("auto", "unicode", "ascii")
SHELLS = ("window", "here")
MOST_FPS = 60.0


@dataclass(frozen=True)
class Settings:
    """What a user chose.

    `theme` is a theme's name (empty: the default), `clock` is `utc` or `site`, `keys` maps an action's id to its keys
    (none: no key), `disabled_plugins` are ids of plugins that are not run. `glyphs` is `auto` (as the terminal's locale
    tells), `unicode` or `ascii`. At most `fps` frames and `bandwidth_bytes_per_s` bytes a second go to the terminal; 0
    leaves it to what the terminal takes. `shell` says where a node's shell opens inside tmux: in a new `window`, or
    `here` in place of the console.
    """

    theme: str = ""
    clock: str = "utc"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    disabled_plugins: tuple[str, ...] = ()
    glyphs: str = "auto"
    fps: float = 0.0
    bandwidth_bytes_per_s: float = 0.0
    shell: str = "window"


def load_settings(path: Path | None = None) -> tuple[Settings, list[ConfigError]]:
    """Return the settings in a file (default: the user's) and what is wrong with it; no file is no fault."""
    path = path or config_dir() / FILE
    if not path.exists():
        return Settings(), []
    from console.config.structure import structured
    from console.config.yaml_reader import Document, Map, read_yaml

    document = read_yaml(path, MAX_SETTINGS_BYTES)
    settings, errors = structured(_converter(), document, Settings)
    if settings is not None or not isinstance(document.data, Map):
        return settings or Settings(), errors
    settings = Settings()
    for name, key in {each.name: RENAMED.get(each.name, each.name) for each in fields(Settings)}.items():
        alone = Document(document.file, {key: document.data[key]} if key in document.data else {})
        said, _ = structured(_converter(), alone, Settings)
        settings = replace(settings, **{name: getattr(said, name)}) if said else settings
    return settings, errors


def _converter() -> Converter:
    from console.config.structure import new_converter, one_of, record
    from console.config.text_fields import between, hooked, valued
    from console.config.units import size_bytes

    converter = new_converter()
    record(
        converter,
        Settings,
        clock=hooked(one_of(CLOCKS)),
        keys=hooked(_keys),
        glyphs=hooked(one_of(GLYPHS)),
        shell=hooked(one_of(SHELLS)),
        fps=hooked(between(0.0, MOST_FPS)),
        bandwidth_bytes_per_s=hooked(valued(size_bytes), RENAMED["bandwidth_bytes_per_s"]),
    )
    return converter


def _keys(raw: Any, _: Any = None) -> dict[str, tuple[str, ...]]:
    from console.config.structure import Fault, described, gathered
    from console.config.text_fields import one_or_more

    if not isinstance(raw, Mapping):
        raise Fault(f"expected actions with keys, found {described(raw)}")
    return {str(key): keys for key, keys in gathered(raw.items(), lambda each: one_or_more(each, None))}
