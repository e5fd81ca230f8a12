"""What slurmctld's `diag` says of its load and of our part in it: shown, and reason enough to ask less often."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from console.sources.slurm.bodies import Meta, Text  # noqa: TC001 - msgspec reads annotations at run time
from console.sources.slurm.words import Loose, count, number, when

# slurmctld serves 256 requests at once at most (MAX_SERVER_THREADS); half of that is a busy one.
BUSY_THREADS = 128
BUSY_AGENTS = 2000
BUSY_DBD = 10_000
SHOWN_TYPES = 3


class RpcType(msgspec.Struct, gc=False):
    """What one kind of request cost, in microseconds."""

    message_type: Text = None
    count: Loose = None
    average_time: Loose = None
    total_time: Loose = None


class RpcUser(msgspec.Struct, gc=False):
    """What one user's requests cost, in microseconds."""

    user: Text = None
    count: Loose = None
    total_time: Loose = None


class Statistics(msgspec.Struct):
    """The part of `diag` that is read; times are microseconds, `req_time` epoch seconds."""

    server_thread_count: Loose = None
    agent_queue_size: Loose = None
    dbd_agent_queue_size: Loose = None
    schedule_cycle_last: Loose = None
    schedule_cycle_mean: Loose = None
    schedule_queue_length: Loose = None
    bf_cycle_last: Loose = None
    req_time: Loose = None
    req_time_start: Loose = None
    rpcs_by_message_type: list[RpcType] = []
    rpcs_by_user: list[RpcUser] = []


class DiagBody(msgspec.Struct):
    """The answer of `diag`."""

    statistics: Statistics
    meta: Meta | None = None


_decoder = msgspec.json.Decoder(DiagBody)
LISTS = ("REQUEST_JOB_INFO", "REQUEST_NODE_INFO")


@dataclass(frozen=True)
class Diag:
    """slurmctld's load at one time. `at` is its own clock, 0 where it does not say; `busy` says why it is, if it is."""

    at: float
    busy: str
    notes: dict[str, str]


def read_diag(content: bytes, user: str) -> Diag:
    """Return what a diag says; `user` is whose requests ours are. Raises msgspec.MsgspecError, UnicodeDecodeError."""
    return diag_of(_decoder.decode(content).statistics, user)


def diag_of(told: Statistics, user: str) -> Diag:
    """Return what statistics say, however they came; `user` is whose requests ours are."""
    threads, agents = count(told.server_thread_count), count(told.agent_queue_size)
    dbd = count(told.dbd_agent_queue_size)
    busy = [f"{threads} of 256 threads" for _ in (1,) if threads >= BUSY_THREADS]
    busy += [f"{agents:,} messages to nodes wait" for _ in (1,) if agents >= BUSY_AGENTS]
    busy += [f"{dbd:,} messages to slurmdbd wait" for _ in (1,) if dbd >= BUSY_DBD]
    notes = {
        "slurmctld": f"{threads} threads, agent queue {agents:,}, slurmdbd queue {dbd:,}",
        "scheduler": f"cycle {_ms(told.schedule_cycle_last)} (mean {_ms(told.schedule_cycle_mean)}), "
        f"backfill {_ms(told.bf_cycle_last)}, {count(told.schedule_queue_length):,} jobs in queue",
        **_costs(told, user),
    }
    return Diag(when(told.req_time), ", ".join(busy), notes)


def _costs(told: Statistics, user: str) -> dict[str, str]:
    """Return what lists cost slurmctld, and what this user's requests did since its counters began."""
    costs = {}
    kinds = [each for each in told.rpcs_by_message_type if each.message_type in LISTS]
    if kinds:
        costs["lists cost"] = ", ".join(
            f"{each.message_type}: {count(each.count):,} x {_ms(each.average_time)}" for each in kinds
        )
    mine = next((each for each in told.rpcs_by_user if user and each.user == user), None)
    if mine is not None:
        span_s = when(told.req_time) - when(told.req_time_start)
        share = f", {number(mine.total_time) / 1e6 / span_s:.2%} of its time" if span_s > 0 else ""
        costs[f"user {user}"] = f"{count(mine.count):,} requests, {number(mine.total_time) / 1e6:.1f} s{share}"
    return costs


def _ms(microseconds: Loose) -> str:
    found = number(microseconds)
    return "-" if found != found else f"{found / 1000:.3g} ms"
