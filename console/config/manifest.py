"""A plugin's manifest, read without importing any of its code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from cattrs import Converter
from cattrs.gen import override

from console.config.manifest_values import CommandInput, CommandSpec, InputKind, Manifest
from console.config.structure import (
    Fault,
    FaultsError,
    described,
    duplicates,
    gathered,
    new_converter,
    one_of,
    record,
    structured,
    text,
    unknown_key,
)
from console.config.yaml_reader import read_yaml
from console.model.errors import ConfigErrors

MAX_MANIFEST_BYTES = 1024 * 1024
PROVIDES = ("panel", "detector", "detectors")
SCOPES = ("site", "hall", "rack", "node", "gpu", "job")
_ID = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_VERSION = re.compile(r"\d+(\.\d+){0,3}[-+.a-z0-9]*")
_KEY = re.compile(r"\S?")
_REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def load_manifest(path: Path) -> Manifest:
    """Return the manifest in a file `plugin.yaml`; raises ConfigErrors with every fault."""
    manifest, errors = structured(_converter(), read_yaml(path, MAX_MANIFEST_BYTES), Manifest)
    if manifest is None:
        raise ConfigErrors(errors)
    return replace(manifest, path=str(path))


@cache
def _converter() -> Converter:
    name = _matching(_NAME, "lower-case letters, digits, '-' and '_', a letter first")
    converter = new_converter()
    record(converter, CommandInput, name=name, check=_input_faults)
    record(converter, CommandSpec, name=name, scopes=override(struct_hook=_scopes))
    record(
        converter,
        Manifest,
        check=_manifest_faults,
        id=_matching(_ID, "lower-case letters, digits and '_', a letter first"),
        version=_matching(_VERSION, "a version such as 1.0.0"),
        key=_matching(_KEY, "one character"),
        provides=override(struct_hook=_provides),
        path=override(omit=True),
    )
    return converter


def _matching(pattern: re.Pattern[str], what: str) -> Any:
    def hook(raw: Any, _: Any = None) -> str:
        if not pattern.fullmatch(text(raw)):
            raise Fault(f"must be {what}, found {described(raw)}")
        return str(raw)

    return override(struct_hook=hook)


def _scopes(raw: Any, _: Any = None) -> tuple[str, ...]:
    scope = one_of(SCOPES)
    words = raw if isinstance(raw, list) else [raw]
    return tuple(word for _, word in gathered(enumerate(words), lambda word: str(scope(word, str))))


def _provides(raw: Any, _: Any = None) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(raw, Mapping):
        raise Fault(f"expected keys with values, found {described(raw)}")
    faults = [unknown_key(key, PROVIDES) for key in raw if key not in PROVIDES]
    provided = {key: tuple(value) if isinstance(value, list) else (value,) for key, value in raw.items()}
    for key, references in provided.items():
        faults += [
            Fault(f"expected module:attribute, found {described(each)}", key)
            for each in references
            if not isinstance(each, str) or not _REFERENCE.fullmatch(each)
        ]
    if faults:
        raise FaultsError(faults)
    return provided


def _manifest_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    if not raw.get("provides") and not raw.get("commands"):
        yield Fault("provides nothing; name a panel, a detector or commands", "provides")
    yield from duplicates(raw, "commands")


def _input_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    if (raw.get("type") == InputKind.CHOICE) != bool(raw.get("choices")):
        yield Fault("belongs to inputs of type choice, and to all of those", "choices")
