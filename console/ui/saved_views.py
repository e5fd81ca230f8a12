"""Views that the user saved by name: a panel, a place and how it is looked at; one JSON file a user."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from console.model.errors import ConsoleError
from console.model.place import Place
from console.ui.places import Stop

if TYPE_CHECKING:
    from pathlib import Path

FILE = "views.json"
SCHEMA = "gigadeck/views/v1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
TEXTS = ("path", "metric", "by", "where", "sort")
LIMIT_BYTES = 1_000_000


class SavedViews:
    """The saved views of a user; without a folder they live as long as the console."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / FILE if folder else None
        self._memory: dict[str, dict[str, Any]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names in order; raises ConsoleError where the file cannot be read."""
        return tuple(sorted(self._read()))

    def load(self, name: str) -> Stop:
        """Return a saved view; raises ConsoleError where there is none."""
        views = self._read()
        if name not in views:
            raise ConsoleError(f"no view named {name}; saved: {', '.join(sorted(views)) or 'none'}")
        return _stop_of(views[name])

    def save(self, name: str, stop: Stop) -> None:
        """Keep a view under a name, in place of an older one; raises ConsoleError."""
        if not NAME.fullmatch(name):
            raise ConsoleError(f"{name!r} is no name for a view: letters, digits, '-', '_', '.', at most 40")
        self._write({**self._read(), name: _entry_of(stop)})

    def delete(self, name: str) -> None:
        """Forget a view; raises ConsoleError where there is none."""
        views = self._read()
        if name not in views:
            raise ConsoleError(f"no view named {name}")
        self._write({key: value for key, value in views.items() if key != name})

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._file is None:
            return self._memory
        try:
            if self._file.stat().st_size > LIMIT_BYTES:
                raise ConsoleError(f"{self._file}: larger than {LIMIT_BYTES:,} bytes")
            data = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConsoleError(f"{self._file}: saved views cannot be read: {error}") from error
        views = data.get("views") if isinstance(data, dict) else None
        if not isinstance(views, dict) or not all(isinstance(each, dict) for each in views.values()):
            raise ConsoleError(f"{self._file}: this is no file of saved views")
        return views

    def _write(self, views: dict[str, dict[str, Any]]) -> None:
        self._memory = views
        if self._file is None:
            return
        text = json.dumps({"schema": SCHEMA, "views": views}, indent=2, sort_keys=True, ensure_ascii=False)
        new = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(text + "\n", encoding="utf-8")
            os.replace(new, self._file)
        except OSError as error:
            raise ConsoleError(f"{self._file}: the view is not saved: {error.strerror or error}") from error


def as_text(stop: Stop) -> str:
    """Return a view as others get it."""
    return json.dumps(_entry_of(stop), sort_keys=True, ensure_ascii=False)


def from_text(name: str, text: str) -> Stop:
    """Return the view that somebody shared; raises ConsoleError for a text that is none."""
    try:
        entry = json.loads(text)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        raise ConsoleError(f"view {name} was shared by another version and cannot be read")
    return _stop_of(entry)


def _entry_of(stop: Stop) -> dict[str, Any]:
    fields = asdict(stop.place)
    entry = {"panel": stop.panel, **{key: fields[key] for key in (*TEXTS, "only_wrong")}}
    return {**entry, "options": dict(stop.place.options)}


def _stop_of(entry: dict[str, Any]) -> Stop:
    texts = {key: str(entry.get(key, "")) for key in TEXTS}
    texts["metric"] = texts["metric"] or Place.metric
    options = entry.get("options")
    place = Place(
        **texts,  # type: ignore[arg-type]  # every one of TEXTS is a str field of Place
        only_wrong=bool(entry.get("only_wrong")),
        options={str(k): str(v) for k, v in options.items()} if isinstance(options, dict) else {},
    )
    return Stop(str(entry.get("panel", "")), place)
