"""Columns of detectors' memory as they are kept: packed with the keys of their rows, and carried to the rows of now."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.remap import level_names, match
from console.model.identity import UuidIndex
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from console.model.topology import SiteTopology
    from console.state.values import Baseline

MAGIC = b"GDC1"
# Of older memory nobody knows any more whether it is still about the same machines and loads.
OLDEST_S = 86_400.0
MOST_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class RowKeys:
    """The keys of a site's rows at one level: UUIDs of GPUs, names of anything else; `digest` tells them apart."""

    level: Level
    digest: str
    rows: int
    uuid_high: NDArray[np.uint64] | None = None
    uuid_low: NDArray[np.uint64] | None = None
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True, eq=False)
class SavedColumn:
    """One column of one detector's memory at one site, its rows in the order of `keys`."""

    site: str
    detector: str
    column: str
    saved_at: float
    values: NDArray[np.generic]
    keys: RowKeys


def keys_of(topology: SiteTopology, level: Level) -> RowKeys:
    """Return the keys of a topology's rows at a level."""
    if level is Level.GPU:
        high, low = topology.uuid_high, topology.uuid_low
        slots = "\n".join(topology.nodes).encode() + topology.gpu_slot.tobytes() + topology.node_gpus.tobytes()
        return RowKeys(level, _digest(high.tobytes(), low.tobytes(), slots), topology.gpus, high, low)
    names = tuple(level_names(topology, level.value))
    return RowKeys(level, _digest("\n".join(names).encode()), len(names), names=names)


def pack(columns: Iterable[SavedColumn]) -> Iterator[Baseline]:
    """Yield columns as bytes to be stored, and once for each site and level the keys of their rows."""
    from console.state.values import Baseline

    told: set[tuple[str, str]] = set()
    for column in columns:
        keys, at = column.keys, column.saved_at
        if (column.site, keys.digest) not in told:
            told.add((column.site, keys.digest))
            yield Baseline(column.site, "", keys.level.value, at, _framed(_head(keys, "keys"), _key_bytes(keys)))
        dtype = column.values.dtype.newbyteorder("<")
        body = column.values.astype(dtype).tobytes()
        yield Baseline(column.site, column.detector, column.column, at, _framed(_head(keys, dtype.str), body))


def _head(keys: RowKeys, dtype: str) -> dict[str, object]:
    return {"dtype": dtype, "rows": len(keys), "level": keys.level.value, "digest": keys.digest}


def _key_bytes(keys: RowKeys) -> bytes:
    if keys.uuid_high is not None and keys.uuid_low is not None:
        return keys.uuid_high.astype("<u8").tobytes() + keys.uuid_low.astype("<u8").tobytes()
    return "\n".join(keys.names).encode()


def _framed(head: dict[str, object], body: bytes) -> bytes:
    header = json.dumps(head).encode()
    return b"".join((MAGIC, struct.pack("<I", len(header)), header, zlib.compress(body, 1)))


def unpack(baselines: Iterable[Baseline]) -> tuple[SavedColumn, ...]:
    """Return stored columns; bytes that are none (another version's, damaged) are left out."""
    read = [(each, *found) for each in baselines if (found := _read(each.data)) is not None]
    keys: dict[tuple[str, str], RowKeys] = {}
    for each, head, body in read:
        if not each.detector and (made := _keys(head, body)) is not None:
            keys[each.site, made.digest] = made
    columns = (_column(each, head, body, keys) for each, head, body in read if each.detector)
    return tuple(column for column in columns if column is not None)


def _read(data: bytes) -> tuple[dict[str, Any], bytes] | None:
    try:
        size = struct.unpack_from("<I", data, len(MAGIC))[0]
        start = len(MAGIC) + struct.calcsize("<I")
        head = json.loads(data[start : start + size])
        if data[: len(MAGIC)] != MAGIC or not isinstance(head, dict):
            return None
        made = zlib.decompressobj()
        body = made.decompress(data[start + size :], MOST_BYTES)
        return (head, body) if made.eof else None
    except (ValueError, struct.error, zlib.error):
        return None


def _column(
    baseline: Baseline, head: dict[str, Any], body: bytes, keys: Mapping[tuple[str, str], RowKeys]
) -> SavedColumn | None:
    try:
        level, digest, rows = Level(head["level"]), str(head["digest"]), int(head["rows"])
        values = np.frombuffer(body, dtype=np.dtype(str(head["dtype"])), count=rows)
    except (ValueError, KeyError, TypeError):
        return None
    known = keys.get((baseline.site, digest)) or RowKeys(level, digest, rows=rows)
    return SavedColumn(baseline.site, baseline.detector, baseline.column, baseline.saved_at, values, known)


def _keys(head: dict[str, Any], body: bytes) -> RowKeys | None:
    try:
        level, digest, rows = Level(head["level"]), str(head["digest"]), int(head["rows"])
        if level is Level.GPU:
            words = np.frombuffer(body, dtype="<u8", count=2 * rows).astype(np.uint64)
            return RowKeys(level, digest, rows, words[:rows], words[rows:])
        names = tuple(body.decode().split("\n")) if rows else ()
    except (ValueError, KeyError, TypeError):
        return None
    return RowKeys(level, digest, rows, names=names) if len(names) == rows else None


def restored(saved: SavedColumn, keys: RowKeys, fresh: NDArray[np.generic]) -> bool:
    """Write a saved column into a fresh one whose rows have these keys; return whether any row fits.

    A GPU is known by its UUID alone where anything has changed: who is in a slot may be another one now.
    """
    if saved.keys.level is not keys.level or saved.values.dtype != fresh.dtype:
        return False
    if saved.keys.digest == keys.digest and len(saved.values) == len(fresh):
        fresh[:] = saved.values
        return True
    rows = _rows(saved.keys, keys)
    known = rows >= 0
    fresh[known] = saved.values[rows[known]]
    return bool(known.any())


def _rows(old: RowKeys, new: RowKeys) -> NDArray[np.int32]:
    if new.uuid_high is None or new.uuid_low is None:
        return match(old.names, new.names) if old.names else np.full(len(new), -1, dtype=np.int32)
    if old.uuid_high is None or old.uuid_low is None or not len(old.uuid_high):
        return np.full(len(new.uuid_high), -1, dtype=np.int32)
    found = UuidIndex.build(old.uuid_high, old.uuid_low).find(new.uuid_high, new.uuid_low)
    named = (new.uuid_high != 0) | (new.uuid_low != 0)
    return np.where(named, found, -1).astype(np.int32)


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(struct.pack("<Q", len(part)))
        digest.update(part)
    return digest.hexdigest()
