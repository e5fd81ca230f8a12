"""What a plugin's manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from console.config.kept import Kept
from console.model.values import dataclass


class InputKind(StrEnum):
    """What a command may ask for before it runs."""

    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    YES_NO = "yes_no"


@dataclass(frozen=True)
class CommandInput:
    """One typed input of a command; `choices` are the words of a choice."""

    name: str
    type: InputKind = InputKind.TEXT
    title: str = ""
    required: bool = True
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class CommandSpec:
    """A command on what is marked: `command` and `args` without a shell, `scopes` the levels it is offered at."""

    name: str
    command: str
    title: str = ""
    key: str = ""
    scopes: tuple[str, ...] = ("node",)
    args: tuple[str, ...] = ()
    confirm: bool = True
    dangerous: bool = False
    inputs: tuple[CommandInput, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What a plugin says of itself; `provides` maps a kind (`panel`, `detector`) to `module:attribute` references."""

    id: str
    title: str
    version: str
    api: int
    key: str = ""
    description: str = ""
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    commands: tuple[CommandSpec, ...] = ()
    path: str = ""

    def references(self, kind: str) -> tuple[str, ...]:
        """Return what the plugin provides of one kind, as `module:attribute`; `detector` and `detectors` are one."""
        return (*self.provides.get(kind, ()), *self.provides.get(f"{kind}s", ()))


def kept_manifests(store: Path) -> Kept:
    """Return the cache of manifests in a file."""
    return Kept(store, asdict, _made_manifest)


def _made_manifest(plain: dict[str, Any]) -> Manifest:
    provides = {kind: tuple(references) for kind, references in plain["provides"].items()}
    commands = tuple(_made_command(each) for each in plain["commands"])
    return Manifest(**{**plain, "provides": provides, "commands": commands})


def _made_command(plain: dict[str, Any]) -> CommandSpec:
    lists = {name: tuple(plain[name]) for name in ("scopes", "args")}
    return CommandSpec(**{**plain, **lists, "inputs": tuple(map(_made_input, plain["inputs"]))})


def _made_input(plain: dict[str, Any]) -> CommandInput:
    return CommandInput(**{**plain, "type": InputKind(plain["type"]), "choices": tuple(plain["choices"])})
