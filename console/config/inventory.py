"""A site's declared nodes, from CSV, YAML, JSON or a command's output, with file and line of every fault."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from console.config.commands import CommandError, run_command
from console.config.inventory_columns import sound_specs
from console.config.inventory_rows import Faults, Row, csv_rows, json_rows, yaml_rows
from console.config.inventory_specs import node_specs
from console.config.values import AliasRule, InventoryConfig, InventoryFormat, SiteConfig
from console.config.yaml_reader import read_text
from console.model.errors import ConfigError, ConfigErrors
from console.model.inventory import NodeSpec

MAX_INVENTORY_BYTES = 64 * 1024 * 1024
MAX_FAULTS = 100
_READERS = {InventoryFormat.CSV: csv_rows, InventoryFormat.YAML: yaml_rows, InventoryFormat.JSON: json_rows}
_SUFFIXES = {
    ".yaml": InventoryFormat.YAML,
    ".yml": InventoryFormat.YAML,
    ".json": InventoryFormat.JSON,
    ".csv": InventoryFormat.CSV,
}


def read_inventory(config: SiteConfig, base: Path) -> tuple[NodeSpec, ...]:
    """Return the declared nodes of a site in the order they are written; none if the site declares none.

    Relative files start at `base`, where a command runs too; that blocks for its time-out at most. The site's alias
    rules are applied. Raises ConfigErrors (the first 100 faults).
    """
    inventory = config.inventory
    if inventory is None:
        return ()
    file, text = _text_of(inventory, base, config.name)
    written = _format_of(inventory, text)
    sound = sound_specs(text) if written is InventoryFormat.CSV else None
    return _with_aliases(sound or _careful(file, text, written), config.aliases)


def _careful(file: str, text: str, written: InventoryFormat) -> list[NodeSpec]:
    """Return the nodes of a text, row by row, so that every fault can be told; raises ConfigErrors."""
    faults = Faults(file)
    rows: list[Row] = _READERS[written](text, faults)
    specs = node_specs(rows, faults)
    if not specs and not faults.errors:
        faults.add(0, "", "names no node")
    if faults.errors:
        raise ConfigErrors(_shortened(faults))
    return specs


def _text_of(inventory: InventoryConfig, base: Path, site: str) -> tuple[str, str]:
    """Return where the inventory comes from, in words, and its text."""
    if inventory.file:
        path = base / inventory.file
        text = read_text(path, MAX_INVENTORY_BYTES)
        if isinstance(text, ConfigError):
            raise ConfigErrors([text])
        return str(path), text
    name = f"inventory command of {site}"
    try:
        output = run_command(inventory.command, base, inventory.timeout_s, MAX_INVENTORY_BYTES)
        return name, output.decode("utf-8-sig")
    except CommandError as error:
        raise ConfigErrors([ConfigError(name, 0, "inventory.command", str(error))]) from None
    except UnicodeDecodeError:
        raise ConfigErrors([ConfigError(name, 0, "inventory.command", "printed something that is not UTF-8")]) from None


def _format_of(inventory: InventoryConfig, text: str) -> InventoryFormat:
    if inventory.format:
        return InventoryFormat(inventory.format)
    suffix = Path(inventory.file).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    return InventoryFormat.JSON if text.lstrip()[:1] in ("[", "{") else InventoryFormat.CSV


def _with_aliases(specs: Sequence[NodeSpec], rules: Sequence[AliasRule]) -> tuple[NodeSpec, ...]:
    if not rules:
        return tuple(specs)
    compiled = [(re.compile(rule.pattern), rule.alias) for rule in rules]
    named: list[NodeSpec] = []
    for spec in specs:
        matches = ((pattern.fullmatch(spec.name), alias) for pattern, alias in compiled)
        more = (match.expand(alias) for match, alias in matches if match)
        named.append(replace(spec, aliases=tuple(dict.fromkeys((*spec.aliases, *more)))))
    return tuple(named)


def _shortened(faults: Faults) -> list[ConfigError]:
    errors = sorted(faults.errors, key=lambda error: error.line)
    if len(errors) <= MAX_FAULTS:
        return errors
    more = ConfigError(faults.file, 0, "", f"has {len(errors) - MAX_FAULTS} more faults")
    return [*errors[:MAX_FAULTS], more]
