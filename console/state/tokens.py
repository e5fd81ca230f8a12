"""Bearer tokens: 32 random bytes that are shown once; the memory keeps their SHA-256, a role, a name and an end."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import field
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from console.model.errors import RefusedError
from console.model.values import dataclass
from console.state import schema
from console.state.rows import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from console.state.store import Store

PREFIX = "gdk_"
MOST_CHARACTERS = 200
USED_STEP_S = 60.0
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: times are UTC epoch seconds, 0 is never. `digest` is the SHA-256 of what its owner has."""

    id: str
    name: str
    role: str
    created_at: float
    created_by: str = ""
    expires_at: float = 0.0
    revoked_at: float = 0.0
    used_at: float = 0.0
    digest: str = field(default="", repr=False)

    def state(self, now: float) -> str:
        """Return `valid`, `expired` or `revoked`."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and now >= self.expires_at else "valid"


def digest_of(secret: str) -> str:
    """Return what is kept of a token: with 256 random bits in it a plain SHA-256 cannot be guessed back."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def create_token(
    store: Store, name: str, role: str, *, now: float, expires_at: float = 0.0, created_by: str = ""
) -> tuple[Token, str]:
    """Make a token; return it and the secret, which is nowhere afterwards.

    Raises RefusedError where a valid token has this name, StateError where it cannot be written.
    """
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    token = Token(
        secrets.token_hex(4), plain(name), plain(role), now, plain(created_by), expires_at, digest=digest_of(secret)
    )
    store.require_writable()
    with store.writing() as connection:
        if any(each.name == token.name and each.state(now) == "valid" for each in _tokens(connection)):
            raise RefusedError(f"there is a valid token named {name!r}; revoke it first, or choose another name")
        connection.execute(schema.tokens.insert(), _row(token))
    return token, secret


def list_tokens(store: Store) -> tuple[Token, ...]:
    """Return all tokens, oldest first, those that are no longer valid too; enough for `match_token`."""
    with store.reading() as connection:
        return _tokens(connection)


def match_token(tokens: Iterable[Token], secret: str, now: float) -> Token | None:
    """Return the valid token that a secret is, None if there is none; a near miss takes as long as any other."""
    if not secret.startswith(PREFIX) or len(secret) > MOST_CHARACTERS:
        return None
    digest, found = digest_of(secret), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found if found is not None and found.state(now) == "valid" else None


def verify_token(store: Store, secret: str, now: float) -> Token | None:
    """Return the valid token that a secret is, asking the memory; raises StateError."""
    return match_token(list_tokens(store), secret, now)


def revoke_token(store: Store, name: str, now: float) -> Token | None:
    """Make the valid token of this name or id worth nothing; return it, None if there is none."""
    store.require_writable()
    with store.writing() as connection:
        found = [each for each in _tokens(connection) if name in (each.id, each.name) and not each.revoked_at]
        if not found:
            return None
        last, table = found[-1], schema.tokens
        connection.execute(update(table).where(table.c.id == last.id).values(revoked_at=now))
    return last


def note_use(store: Store, ids: Iterable[str], now: float) -> None:
    """Keep when tokens were last used, true to USED_STEP_S."""
    table = schema.tokens
    with store.writing() as connection:
        old = or_(table.c.used_at == 0, table.c.used_at < now - USED_STEP_S)
        connection.execute(update(table).where(table.c.id.in_(list(ids)), old).values(used_at=now))


def _tokens(connection: Connection) -> tuple[Token, ...]:
    table = schema.tokens
    rows = connection.execute(select(table).order_by(table.c.created_at, table.c.id)).mappings()
    return tuple(Token(**row) for row in rows)


def _row(token: Token) -> dict[str, object]:
    return {column.name: getattr(token, column.name) for column in schema.tokens.columns}
