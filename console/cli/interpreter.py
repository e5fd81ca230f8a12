"""Sets the interpreter up for many threads and large tables: nobody waits long for its lock or for its collector."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.engine.session import Session
    from console.model.snapshot import Snapshot

# A thread that waits for the lock asks for it after so long; the default, 5 ms, is as much as a key may take.
SWITCH_S = 0.0005
# Imports and tables make objects that stay; looking for cycles among them at every 700 is a tenth of a start.
YOUNG, MIDDLE, OLD = 20_000, 20, 10
SETTLING_SNAPSHOTS = 5
# A view, a traceback or a closure in a cycle may hold a snapshot, which is 50 MB with a million GPUs.
LOOK_EVERY_SNAPSHOTS = 5
FULL, YOUNGER = 2, 1
# A full look of 8 ms comes every 10 snapshots, one of 50 ms every 50: a thousandth of the time at 1 Hz.
SNAPSHOTS_PER_S = 1000
# malloc.h of glibc; other C libraries have no mallopt, or ignore it.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEEP_BYTES = 32 * 1024 * 1024
# Columns of a site are smaller, and are kept; answers of a server are larger, and go back at once.
LARGE_BYTES = 4 * 1024 * 1024
# What lies unused between blocks in use is given back so often, where it is worth the few milliseconds.
GIVE_BACK_EVERY_SNAPSHOTS, GIVE_BACK_AT = 10, 2
WORTH_BYTES = 32 * 1024 * 1024
MALLINFO = ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]
_KEPT: list[object] = []
_tuned = False


def tune() -> None:
    """Choose how threads take turns, how often cycles are looked for, and what becomes of memory that was given back.

    Called before NumPy is imported. What the environment already says of BLAS threads holds.
    """
    global _tuned
    _tuned = True
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    # No matrix is multiplied here: a pool of threads, one a core, would be made for nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let the C library keep what arrays gave back: each tick would otherwise take its pages from the kernel anew."""
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)


def leave(code: int) -> NoReturn:
    """End the process as it is: giving a million objects back one by one takes longer than reading a small site."""
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # A reader that left has been told of already.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def keep_to_the_end(kept: object) -> None:
    """Hold what would only be taken apart on the way out; one thing at a time."""
    _KEPT[:] = [kept]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Look for no cycles: for a command that reads once, writes and ends.

    Where the process ends with it (`tune` was called) nothing is looked through at its end either.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled and not _tuned:
            gc.enable()


def keep_pauses_short(session: Session) -> None:
    """Look for no cycles at first, and take what there is out of sight whenever the fleet has settled after a change.

    Looking through the names, jobs and series of a million GPUs takes a tenth of a second, in which no thread runs.
    What came after that is few, and is looked through every few snapshots, so that none is held by what is garbage.
    """
    gc.disable()
    session.subscribe(_Settling())


def give_back() -> None:
    """Give memory back to the kernel that the C library keeps between blocks in use, if it is much.

    The library takes the block that has been free for longest, so that each second's columns go round all the room that
    there ever was, and an overload, when three or four snapshots are held at once, widens it for good. The lock of the
    interpreter is free meanwhile. Elsewhere than with glibc it does nothing.
    """
    library = _allocator()
    if library is not None and library.mallinfo2().fordblks >= WORTH_BYTES:
        library.malloc_trim(0)


@cache
def _allocator() -> Any:
    """Return the C library with what tells and gives back free memory, None where it is not glibc's (2.33 or later)."""
    import ctypes

    class Usage(ctypes.Structure):
        """`struct mallinfo2` of malloc.h; `fordblks` is what is free."""

        _fields_ = tuple((name, ctypes.c_size_t) for name in MALLINFO)

    try:
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = Usage
        return library if library.malloc_trim else None
    except (OSError, AttributeError):
        return None


class _Settling:
    """Counts the snapshots since a site came or changed; looks for cycles when it has settled."""

    def __init__(self) -> None:
        self._sites: tuple[tuple[str, int], ...] = ()
        self._left = 0
        self._full_from_seq = 0

    def __call__(self, snapshot: Snapshot) -> None:
        sites = tuple((site.site, site.topology.version) for site in snapshot.frame.sites if site.data_at)
        if snapshot.seq >= SETTLING_SNAPSHOTS and not gc.isenabled():
            gc.enable()
        if sites != self._sites:
            self._sites, self._left = sites, SETTLING_SNAPSHOTS
        elif self._left:
            self._left -= 1
            if not self._left:
                gc.freeze()
                self._full_from_seq = 0
        elif sites and not snapshot.seq % LOOK_EVERY_SNAPSHOTS:
            self._look(snapshot.seq)
        elif sites and snapshot.seq % GIVE_BACK_EVERY_SNAPSHOTS == GIVE_BACK_AT:
            give_back()

    def _look(self, seq: int) -> None:
        """Look for cycles: among all the rarer the longer that takes, in between only among what is young."""
        if seq < self._full_from_seq:
            gc.collect(YOUNGER)
            return
        began = time.thread_time()
        gc.collect(FULL)
        self._full_from_seq = seq + round(SNAPSHOTS_PER_S * (time.thread_time() - began))
