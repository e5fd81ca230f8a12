from __future__ import annotations

import threading

import pytest

from console.engine.publish import Publisher
from console.model.builtin_metrics import BUILTIN
from console.model.errors import NoDataError
from console.model.snapshot import Frame, Snapshot


def snapshot(seq):
    return Snapshot(seq, Frame(0.0, "test", BUILTIN, ()))


def test_subscribers_hear_every_snapshot_until_they_leave():
    publisher, heard = Publisher(), []
    leave = publisher.subscribe(lambda each: heard.append(each.seq))
    publisher.publish(snapshot(1))
    leave()
    publisher.publish(snapshot(2))
    assert heard == [1]
    assert publisher.latest.seq == 2


def test_a_subscriber_that_raises_is_dropped_and_the_others_hear(caplog):
    publisher, heard = Publisher(), []
    publisher.subscribe(lambda each: 1 / 0)
    publisher.subscribe(lambda each: heard.append(each.seq))
    publisher.publish(snapshot(1))
    publisher.publish(snapshot(2))
    assert heard == [1, 2]
    assert caplog.text.count("ZeroDivisionError") == 1


def test_wait_returns_the_first_snapshot_that_satisfies():
    publisher = Publisher()
    threading.Timer(0.0, lambda: [publisher.publish(snapshot(n)) for n in range(1, 4)]).start()
    assert publisher.wait(lambda each: each.seq == 3, 10.0).seq == 3


def test_wait_ends_with_an_error_in_time_and_at_the_end():
    publisher = Publisher()
    with pytest.raises(NoDataError, match="within 0 s"):
        publisher.wait(lambda each: True, 0.0)
    publisher.close()
    with pytest.raises(NoDataError, match="closed"):
        publisher.wait(lambda each: True, 10.0)
