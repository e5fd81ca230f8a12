"""From plain data to typed values, strictly, with every fault at once: cattrs with our own 'text', 'list' and lines."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin

from cattrs import AttributeValidationNote, ClassValidationError, Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from console.config.scalars import shown
from console.config.yaml_reader import Document
from console.model.errors import ConfigError

T = TypeVar("T")
Override = Any  # cattrs does not export the type that `override()` returns
Hook = Callable[[Any, Any], Any]
Check = Callable[[Mapping[str, Any]], Iterable["Fault"]]


class Fault(ValueError):  # noqa: N818 - it is a value that becomes a ConfigError once its line is known
    """What is wrong with one value; `path` leads to it from the value that is being read."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message, self.path = message, path

    def under(self, step: str | int) -> Fault:
        """Return the fault as seen from one level up."""
        return Fault(self.message, step, *self.path)


class FaultsError(Exception):
    """Several faults of one value."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


def new_converter() -> Converter:
    """Return a converter that takes nothing for something else: no text from numbers, no list from text."""
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    for kind, hook in ((str, text), (int, integer), (float, number), (bool, boolean)):
        converter.register_structure_hook(kind, hook)
    # An enum of words is a str: it needs the more special hook.
    converter.register_structure_hook(StrEnum, lambda raw, kind: one_of(tuple(kind))(raw, kind))
    converter.register_structure_hook_factory(
        lambda kind: _origin(kind) is tuple, lambda kind: _list_hook(converter, get_args(kind)[0])
    )
    converter.register_structure_hook_factory(
        lambda kind: _origin(kind) is Mapping, lambda kind: _map_hook(converter, get_args(kind)[1])
    )
    return converter


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def record(
    converter: Converter,
    cls: type,
    *,
    check: Check | None = None,
    finish: Callable[[Any, Mapping[str, Any]], Any] | None = None,
    secret: bool = False,
    **overrides: Override,
) -> None:
    """Teach a converter one dataclass.

    `overrides` rename, omit or hook single fields; `check` finds faults between keys in the raw mapping, and `finish`
    makes the final value from the structured one and the raw mapping. Of a `secret` nothing is shown.
    """
    structure: Hook = make_dict_structure_fn(cls, converter, **overrides)
    keys = keys_of(cls, overrides)

    def hook(raw: Any, kind: Any) -> Any:
        if not isinstance(raw, Mapping):
            found = "something else" if secret else described(raw)
            raise Fault(f"expected {', '.join(keys.values())} with values, found {found}")
        faults = list(check(raw)) if check else []
        try:
            value = structure({key: each for key, each in raw.items() if each is not None}, kind)
        except ClassValidationError as error:
            faults += _class_faults(error, keys)
        if faults:
            raise FaultsError(faults)
        return finish(value, raw) if finish else value

    converter.register_structure_hook(cls, hook)


def keys_of(cls: type, overrides: Mapping[str, Override]) -> dict[str, str]:
    """Return the YAML key of each field of a dataclass that is read from YAML."""
    plain = override()
    chosen = {field.name: overrides.get(field.name, plain) for field in fields(cls)}
    return {name: each.rename or name for name, each in chosen.items() if not each.omit}


def structured(converter: Converter, document: Document, cls: type[T]) -> tuple[T | None, list[ConfigError]]:
    """Return a document as a typed value, or None and what is wrong with it, in order of lines."""
    if document.data is None and document.errors:
        return None, list(document.errors)
    raw = {} if document.data is None else document.data
    errors = list(document.errors)
    try:
        value = converter.structure(raw, cls)
    except (Fault, FaultsError) as error:
        errors += [document.error(fault.path, fault.message) for fault in faults_of(error)]
    errors.sort(key=lambda error: error.line)
    return (None if errors else value), errors


def faults_of(error: Exception) -> tuple[Fault, ...]:
    """Return what an error of a hook stands for."""
    if isinstance(error, FaultsError):
        return error.faults
    if isinstance(error, Fault):
        return (error,)
    if isinstance(error, KeyError):
        return (Fault("is required"),)
    return (Fault(str(error)),)


def _class_faults(error: ClassValidationError, keys: Mapping[str, str]) -> list[Fault]:
    faults: list[Fault] = []
    for each in error.exceptions:
        if isinstance(each, ForbiddenExtraKeysError):
            faults += [unknown_key(str(key), keys.values()) for key in sorted(each.extra_fields)]
            continue
        notes = [note for note in getattr(each, "__notes__", ()) if isinstance(note, AttributeValidationNote)]
        step = keys.get(notes[-1].name, notes[-1].name) if notes else ""
        faults += [fault.under(step) for fault in faults_of(each)]
    return faults


def unknown_key(key: str, known: Iterable[str]) -> Fault:
    """Return the fault of a key that nobody reads, with the one that may be meant."""
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return Fault("is not a known key" + (f"; did you mean {near[0]}?" if near else _listing(known)), key)


def _listing(known: Iterable[str]) -> str:
    return f"; the keys here are {', '.join(sorted(known))}"


def one_of(words: Iterable[str]) -> Hook:
    """Return a hook that takes one of some words."""
    known = tuple(words)

    def hook(raw: Any, _: Any = None) -> Any:
        for word in known:
            if isinstance(raw, str) and raw == word:
                return word
        near = difflib.get_close_matches(raw, known, n=1) if isinstance(raw, str) else []
        meant = f"; did you mean {near[0]}?" if near else ""
        *others, last = (word for word in known if word)
        choice = f"{', '.join(others)} or {last}" if others else last
        raise Fault(f"expected {choice}, found {described(raw)}{meant}")

    return hook


def text(raw: Any, _: Any = None) -> str:
    """Take text without control characters; a number is not text."""
    if not isinstance(raw, str):
        quotes = "" if isinstance(raw, Mapping | list) or raw is None else "; put it in quotes"
        raise Fault(f"expected text, found {described(raw)}{quotes}")
    if not all(letter.isprintable() or letter in "\n\t" for letter in raw):
        raise Fault("holds characters that cannot be shown")
    return raw


def integer(raw: Any, _: Any = None) -> int:
    """Take a whole number."""
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise Fault(f"expected a whole number, found {described(raw)}")
    return raw


def number(raw: Any, _: Any = None) -> float:
    """Take a finite number."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) < 1e300:
        raise Fault(f"expected a number, found {described(raw)}")
    return float(raw)


def boolean(raw: Any, _: Any = None) -> bool:
    """Take true or false, nothing else."""
    if not isinstance(raw, bool):
        raise Fault(f"expected true or false, found {described(raw)}")
    return raw


def described(raw: Any) -> str:
    """Return a value in words fit for a message."""
    if raw is None:
        return "nothing"
    if isinstance(raw, Mapping):
        return "keys with values"
    if isinstance(raw, list):
        return "a list"
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return f'"{shown(raw)}"' if isinstance(raw, str) else f"the number {raw}"


def gathered(pairs: Iterable[tuple[str | int, Any]], hook: Callable[[Any], T]) -> list[tuple[str | int, T]]:
    """Return each value as `hook` takes it; raises the faults of all of them together."""
    values, faults = [], []
    for step, raw in pairs:
        try:
            values.append((step, hook(raw)))
        except (Fault, FaultsError) as error:
            faults += [fault.under(step) for fault in faults_of(error)]
    if faults:
        raise FaultsError(faults)
    return values


def _list_hook(converter: Converter, kind: Any) -> Hook:
    def hook(raw: Any, _: Any = None) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise Fault(f"expected a list, found {described(raw)}")
        return tuple(value for _, value in gathered(enumerate(raw), lambda each: converter.structure(each, kind)))

    return hook


def _map_hook(converter: Converter, kind: Any) -> Hook:
    def hook(raw: Any, _: Any = None) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise Fault(f"expected keys with values, found {described(raw)}")
        return {str(key): value for key, value in gathered(raw.items(), lambda each: converter.structure(each, kind))}

    return hook


def duplicates(
    raw: Mapping[str, Any], key: str, name_of: Callable[[Mapping[str, Any]], Any] = lambda item: item.get("name")
) -> list[Fault]:
    """Return a fault for each item of the list under `key` whose name an earlier one has."""
    items = raw.get(key)
    seen: dict[str, int] = {}
    faults: list[Fault] = []
    for index, item in enumerate(items if isinstance(items, list) else []):
        name = name_of(item) if isinstance(item, Mapping) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            step = "name" if "name" in item else "kind"
            more = "; give one of them a name" if step == "kind" else ""
            faults.append(Fault(f"{shown(name)} is a duplicate of line {seen[name]}{more}", key, index, step))
        seen.setdefault(name, getattr(item, "line", 0))
    return faults
