from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.model.errors import StateError
from console.serve.token_book import LOOK_EVERY_S, TokenBook
from console.serve.who import Bearer, Role
from console.state.store import Store, open_store
from console.state.tokens import create_token, list_tokens, revoke_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/state.db", realm="r")
    yield made
    made.close()


def test_a_token_counts_until_it_ends_or_is_revoked(store: Store) -> None:
    clock = Clock()
    book = TokenBook(clock)
    _, secret = create_token(store, "ci", "operator", now=NOW, expires_at=NOW + 100)
    assert book.find(secret) is None
    book.refresh(store, 10.0)
    assert book.find(secret) == Bearer("ci", Role.OPERATOR)
    clock.now = NOW + 101  # ends are kept without asking anybody
    assert book.find(secret) is None
    clock.now = NOW
    revoke_token(store, "ci", NOW)
    book.refresh(store, 10.0 + LOOK_EVERY_S / 2)
    assert book.find(secret) is not None  # not looked at again yet
    book.refresh(store, 10.0 + LOOK_EVERY_S)
    assert book.find(secret) is None


def test_when_a_token_was_used_is_kept(store: Store) -> None:
    book = TokenBook(Clock())
    _, secret = create_token(store, "ci", "viewer", now=NOW)
    book.refresh(store, 1000.0)
    book.find(secret)
    book.refresh(store, 1010.0)
    assert list_tokens(store)[0].used_at == NOW


def test_while_the_memory_is_away_what_was_known_counts(store: Store) -> None:
    book = TokenBook(Clock())
    _, secret = create_token(store, "ci", "viewer", now=NOW)
    book.refresh(store, 10.0)
    store.close()
    with pytest.raises(StateError):
        book.refresh(store, 100.0)
    assert book.find(secret) is not None
