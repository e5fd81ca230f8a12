from __future__ import annotations

import json
import logging

import pytest

from console.serve.logs import JsonLines, without_secrets


def line(message: str, *arguments: object, **extra: object) -> dict[str, object]:
    record = logging.LogRecord("console.serve", logging.WARNING, __file__, 1, message, arguments, None)
    for name, value in extra.items():
        setattr(record, name, value)
    told: dict[str, object] = json.loads(JsonLines().format(record))
    return told


def test_a_record_is_one_object_with_what_was_added() -> None:
    told = line("the stream of %s ends", "ada", author="ada", fence=3)
    assert (told["message"], told["level"], told["author"], told["fence"]) == (
        "the stream of ada ends",
        "warning",
        "ada",
        3,
    )
    assert "\n" not in JsonLines().format(logging.makeLogRecord({"msg": "two\nlines"}))


def test_a_traceback_is_told_without_secrets() -> None:
    try:
        raise ValueError("postgresql://gigadeck:hunter2@db/x")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, error.__traceback__)})
    told = JsonLines().format(record)
    assert "ValueError" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer gdk_abc123", "gdk_abc123"),
        ("basic dXNlcjpwdw==", "dXNlcjpwdw=="),
        ("https://user:pw@host/path", ":pw@"),
        ("password=hunter2&x=1", "hunter2"),
        ("token: abcdef", "abcdef"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str, secret: str) -> None:
    assert secret not in without_secrets(text)
    assert "***" in without_secrets(text)
