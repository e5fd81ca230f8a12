"""Credentials at the moment they are needed: read from where the fleet file says, never kept or shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from console.config.commands import CommandError, run_command
from console.config.values import Secret
from console.model.errors import ConsoleError

COMMAND_LIMIT_S = 10.0
MAX_SECRET_BYTES = 65536


def resolve(secret: Secret, base_dir: str | Path) -> str:
    """Return the credential without the white space around it; relative files start at `base_dir`.

    Blocks for as long as a command takes, at most 10 s: call it outside the event loop. Raises ConsoleError, whose text
    never holds the credential, its command's arguments or its output.
    """
    if secret.env:
        text = os.environ.get(secret.env, "")
    elif secret.file:
        text = _of_file(secret, Path(base_dir) / os.path.expanduser(secret.file))
    elif secret.command:
        text = _of_command(secret, Path(base_dir))
    else:
        text = secret.value
    if not text.strip():
        raise ConsoleError(f"the credential from {secret.origin} is empty or not set")
    if "\n" in text.strip() or "\r" in text.strip() or "\0" in text:
        raise ConsoleError(f"the credential from {secret.origin} has more than one line")
    return text.strip()


def is_private(path: Path) -> bool:
    """Whether only the owner may read a file (no permission for the group or others)."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def _of_file(secret: Secret, path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return _decoded(secret, stream.read(MAX_SECRET_BYTES + 1))
    except OSError as error:
        raise ConsoleError(f"the credential from {secret.origin} cannot be read: {error.strerror}") from None


def _of_command(secret: Secret, base: Path) -> str:
    try:
        return _decoded(secret, run_command(secret.command, base, COMMAND_LIMIT_S, MAX_SECRET_BYTES))
    except CommandError as error:
        raise ConsoleError(f"the credential from {secret.origin} is missing: {error}") from None


def _decoded(secret: Secret, data: bytes) -> str:
    if len(data) > MAX_SECRET_BYTES:
        raise ConsoleError(f"the credential from {secret.origin} is over {MAX_SECRET_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConsoleError(f"the credential from {secret.origin} is not UTF-8 text") from None
