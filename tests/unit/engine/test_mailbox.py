from __future__ import annotations

import pytest

from console.engine.mailbox import Mailbox, MailboxFull


def test_the_newest_item_of_a_key_wins_and_keeps_its_place():
    box: Mailbox[str] = Mailbox(3)
    assert box.put("a", "old") is None
    assert box.put("b", "b") is None
    assert box.put("a", "new") == "old"
    assert [box.take(), box.take(), box.take()] == ["new", "b", None]


def test_a_full_box_refuses_a_new_key_and_still_takes_a_known_one():
    box: Mailbox[int] = Mailbox(1)
    box.put("a", 1)
    with pytest.raises(MailboxFull):
        box.put("b", 2)
    assert box.put("a", 3) == 1
    assert box.drain() == [3]
    assert len(box) == 0
