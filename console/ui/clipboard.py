"""Copies text through the terminal (OSC 52), over SSH and through tmux and screen."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# xterm and tmux refuse longer sequences; an address has 100 characters.
LIMIT_BYTES = 50_000


def copy_sequence(text: str, environ: Mapping[str, str]) -> str:
    """Return what to write to the terminal so that it copies `text`; raises ValueError for a text that is too long.

    tmux passes a sequence on when it is wrapped in DCS with every ESC doubled (tmux(1), allow-passthrough); the plain
    one goes first, for `set-clipboard on`. GNU screen wants DCS alone.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"too long to copy through the terminal: {len(data):,} bytes")
    plain = f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07"
    if environ.get("TMUX"):
        escaped = plain.replace("\x1b", "\x1b\x1b")
        return f"{plain}\x1bPtmux;{escaped}\x1b\\"
    if environ.get("TERM", "").startswith("screen"):
        return f"\x1bP{plain}\x1b\\"
    return plain
