"""Decodes JSON in which a text may not be UTF-8."""

from __future__ import annotations

from typing import TypeVar

import msgspec

Decoded = TypeVar("Decoded")


def decoded(decoder: msgspec.json.Decoder[Decoded], content: bytes) -> Decoded:
    """Return what is decoded; what is not UTF-8 is replaced, for one odd name must not cost a whole list.

    Raises msgspec.MsgspecError, and UnicodeDecodeError never.
    """
    try:
        return decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        try:
            content.decode()
        except UnicodeDecodeError:
            return decoder.decode(content.decode("utf-8", "replace").encode())
        raise
