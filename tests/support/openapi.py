"""Holds what is served to docs/site-api.openapi.json; members that it does not name are refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "site-api.openapi.json").read_text())


def closed(schema: Any) -> Any:
    """Return a schema that refuses members it does not name: what is served must be documented."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if made.get("type") == "object" and "additionalProperties" not in made:
        made["unevaluatedProperties"] = False
    return made


def check(name: str, body: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": closed(DOCUMENT["components"])}
    Draft202012Validator(schema).validate(body)


def paths(server: str) -> dict[str, Any]:
    """Return the documented paths of a server."""
    return {path: item for path, item in DOCUMENT["paths"].items() if server in item["x-served-by"]}


def answers_of(server: str, verb: str = "get") -> dict[str, str]:
    """Return the schema of what each path answers to who accepts JSON."""
    found = {}
    for path, item in paths(server).items():
        content = item.get(verb, {}).get("responses", {}).get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if schema:
            found[path] = schema.rpartition("/")[2]
    return found


def as_json(body: Any, name: str = "") -> Any:
    """Return a msgpack body as JSON would have it."""
    if isinstance(body, dict):
        return {key: as_json(value, key) for key, value in body.items()}
    if isinstance(body, list):
        return [as_json(each) for each in body]
    if isinstance(body, bytes):
        return body.hex() if name == "uuids" else base64.b64encode(body).decode()
    return body
