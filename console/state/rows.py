"""Values to rows of the database and back; what a database cannot hold in a text is replaced."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import msgspec

from console.model.events import AlertState
from console.model.incidents import Acknowledgement, Incident, Note, SharedView, Sign
from console.model.levels import Level, Severity
from console.state.values import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, Any]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def plain(text: str) -> str:
    """Return a text that every database holds: without NUL and without halves of surrogate pairs."""
    text = str(text)  # of a StrEnum its value: drivers have views of their own on enums
    if "\0" in text:
        text = text.replace("\0", "�")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def row_of(value: Any) -> Row:
    """Return a flat value as a row: the columns are named as the fields."""
    row = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: plain(each) if isinstance(each, str) else each for name, each in row.items()}


def sign_text(sign: Sign) -> str:
    """Return a sign as JSON."""
    row = {name: list(map(plain, each)) if isinstance(each, tuple) else each for name, each in row_of(sign).items()}
    return _encode(row).decode()


def sign_of(text: str) -> Sign:
    """Return the sign that a JSON text tells; fields that this version does not know are left out."""
    raw = _decode(text)
    known = {field.name: raw[field.name] for field in dataclasses.fields(Sign) if field.name in raw}
    for name in ("paths", "jobs", "folds"):
        known[name] = tuple(known.get(name, ()))
    known["severity"], known["level"] = Severity(known["severity"]), Level(known.get("level", Level.GPU))
    return Sign(**known)


def incident_row(incident: Incident) -> Row:
    """Return an incident's own row; its acknowledgement has one of its own."""
    row = row_of(incident)
    del row["sign"], row["acknowledgement"]
    sign = incident.sign
    return {
        **row,
        "site": plain(sign.site),
        "key": plain(sign.key),
        "severity": str(sign.severity),
        "sign": sign_text(sign),
    }


def change_row(incident: Incident) -> Row:
    """Return the step of its life that an incident has just made."""
    taken = incident.acknowledgement
    return {
        "incident": plain(incident.id),
        "site": plain(incident.site),
        "at": incident.changed_at,
        "state": str(incident.state),
        "severity": str(incident.sign.severity),
        "author": plain(taken.author) if taken and incident.state is AlertState.ACKNOWLEDGED else "",
    }


def acknowledgement_row(incident: Incident) -> Row:
    """Return who has taken an incident on, with the incident; an empty row's `at` is -1."""
    taken = incident.acknowledgement or Acknowledgement("", -1.0, Severity.OK)
    return {**row_of(taken), "incident": plain(incident.id), "changed_at": incident.changed_at}


def incident_of(row: Mapping[str, Any], taken: Acknowledgement | None) -> Incident:
    """Return the incident of a row."""
    return Incident(
        id=row["id"],
        state=AlertState(row["state"]),
        sign=sign_of(row["sign"]),
        opened_at=row["opened_at"],
        changed_at=row["changed_at"],
        seen_at=row["seen_at"],
        worst=Severity(row["worst"]),
        resolved_at=row["resolved_at"],
        returns=row["returns"],
        acknowledgement=taken,
        keeper=row["keeper"],
    )


def acknowledgement_of(row: Mapping[str, Any]) -> Acknowledgement:
    """Return the acknowledgement of a row."""
    return Acknowledgement(row["author"], row["at"], Severity(row["severity"]), row["note"])


def note_of(row: Mapping[str, Any]) -> Note:
    """Return the note of a row."""
    return Note(row["id"], row["site"], row["subject"], row["author"], row["at"], row["text"])


def view_of(row: Mapping[str, Any]) -> SharedView:
    """Return the view of a row."""
    return SharedView(row["name"], row["author"], row["at"], row["spec"])


def change_of(row: Mapping[str, Any]) -> Change:
    """Return the change of a row."""
    return Change(row["incident"], row["site"], row["at"], row["state"], row["severity"], row["author"])
