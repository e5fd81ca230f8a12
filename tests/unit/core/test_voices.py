import gc
import weakref

import numpy as np
import pytest

from console.core.voices import TimeShare, cleaned
from console.model.builtin_metrics import BUILTIN

TEMP = BUILTIN["temp_c"]


def final(*values):
    array = np.array(values, dtype=np.float32)
    array.flags.writeable = False
    return array


def test_a_block_that_nobody_writes_any_more_is_kept_without_a_copy():
    given = final(40.0, np.nan, 60.0)
    values, missing = cleaned(TEMP, given)
    assert values is given
    assert missing.tolist() == [1]


def test_a_sentinel_is_taken_out_of_a_copy():
    given = final(40.0, 1e14, np.nan)
    values, missing = cleaned(TEMP, given)
    assert missing.tolist() == [1, 2]
    assert np.isnan(values).tolist() == [False, True, True]
    assert given[1] == np.float32(1e14)


@pytest.mark.parametrize(
    "given",
    [
        np.array([40.0, 50.0], dtype=np.float32),
        np.array([40.0, 50.0]),
        np.frombuffer(np.array([40.0, 50.0], dtype=np.float32).tobytes(), dtype=np.float32),
        final(40.0, 1.0, 50.0)[::2],
        np.broadcast_to(np.float32(40.0), 2),
    ],
    ids=["writable", "float64", "body of an answer", "every second", "one for all"],
)
def test_what_may_change_or_holds_more_than_itself_is_copied(given):
    values, missing = cleaned(TEMP, given)
    assert not np.shares_memory(values, given)
    assert (values.dtype, len(missing)) == (np.float32, 0)
    np.testing.assert_array_equal(values, given)


def test_columns_of_one_sweep_share_their_times():
    share, missing = TimeShare(), np.array([1])
    first = share.with_missing(10.0, None, missing, 3)
    assert share.with_missing(10.0, None, missing, 3) is first
    assert share.with_missing(11.0, first, missing, 3) is share.with_missing(11.0, first, missing, 3)
    assert share.with_missing(10.0, None, np.array([2]), 3) is not first


def test_columns_that_once_missed_different_rows_share_their_times_again():
    share = TimeShare()
    one = share.with_missing(10.0, None, np.array([1]), 3)
    other = share.with_missing(10.0, None, np.array([1, 2]), 3)
    assert one is not other
    again = share.with_missing(11.0, one, np.array([1]), 3)
    assert share.with_missing(11.0, other, np.array([1]), 3) is again
    later = share.with_missing(12.0, again, np.array([0, 1]), 3)
    assert later.tolist() == [11.0, 0.0, 12.0]


def test_rows_that_have_been_missing_since_different_times_are_not_shared():
    share, missing = TimeShare(), np.array([1])
    first = share.with_missing(11.0, np.array([5.0, 6.0, 7.0]), missing, 3)
    assert share.with_missing(11.0, np.array([5.0, 8.0, 7.0]), missing, 3).tolist() == [11.0, 8.0, 11.0]
    assert share.with_missing(11.0, None, missing, 3).tolist() == [11.0, 0.0, 11.0]
    assert first.tolist() == [11.0, 6.0, 11.0]


def test_times_that_no_column_has_are_let_go_of():
    share, times, kept = TimeShare(), None, []
    for at in range(10, 20):
        times = share.with_missing(float(at), times, np.array([1]), 3)
        kept.append(weakref.ref(times))
    gc.collect()
    assert [each() is not None for each in kept] == [False] * 9 + [True]
