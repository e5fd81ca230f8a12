"""The bearer tokens that a serve knows: read from the memory now and then, looked up without waiting for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from console.serve.who import Bearer, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.state.store import Store
    from console.state.tokens import Token

LOOK_EVERY_S = 5.0
NOTE_EVERY_S = 60.0


class TokenBook:
    """`refresh` is called by the thread that owns the store; `find` by any.

    While the memory cannot be read, what was read last goes on to count; ends of tokens are kept by our own clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: tuple[Token, ...] = ()
        self._used: set[str] = set()
        self._due = self._note_due = 0.0

    def find(self, token: str) -> Bearer | None:
        """Return whose a token is, None for one that is unknown, revoked or has expired."""
        with self._lock:
            tokens = self._tokens
        if not tokens:
            return None
        from console.state.tokens import match_token

        found = match_token(tokens, token, self._clock())
        if found is None:
            return None
        with self._lock:
            self._used.add(found.id)
        return Bearer(found.name, Role[found.role.upper()])

    def refresh(self, store: Store, now: float) -> None:
        """Read the tokens where that is due (`now` is monotonic); raises StateError."""
        if now < self._due:
            return
        from console.state.tokens import list_tokens, note_use

        self._due = now + LOOK_EVERY_S
        tokens = list_tokens(store)
        with self._lock:
            self._tokens = tokens
            used = self._used if now >= self._note_due else set()
        if used and not store.read_only:
            note_use(store, tuple(used), self._clock())
            with self._lock:
                self._used, self._note_due = set(), now + NOTE_EVERY_S
