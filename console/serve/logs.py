"""The log of a serve: one JSON object a line on standard error, without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

HIDDEN = "***"
_SECRETS = (
    re.compile(r"(?i)(bearer\s+|basic\s+|token[=:]\s*|password[=:]\s*|passwd[=:]\s*)[^\s\"',;&]+"),
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),
)
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: `at`, `level`, `logger`, `message`, and what was added with `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        more = {name: value for name, value in vars(record).items() if name not in _USUAL}
        line: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            **{name: without_secrets(value) if isinstance(value, str) else value for name, value in more.items()},
        }
        if record.exc_info:
            line["traceback"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, default=str)


def without_secrets(text: str) -> str:
    """Return text in which what looks like a credential is hidden."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text


def set_up(level: int, stream: TextIO | None = None) -> None:
    """Send every logger of ours, and the warnings of libraries, to `stream` (standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger = logging.getLogger("console")
    logger.setLevel(level)
    logger.handlers.clear()
    logger.propagate = True
