"""What is scored: alerts that somebody raised, faults that came, and the time in which both were watched."""

from __future__ import annotations

from console.model.values import dataclass

WHOLE_NODE = -1
HOUR_S, DAY_S = 3600.0, 86400.0
HORIZON_S = DAY_S
ENOUGH_LEAD_S = 600.0


@dataclass(frozen=True, slots=True)
class BacktestAlert:
    """One alert: raised `at`, up until `until` (both UTC epoch seconds), about one GPU or a whole node (`gpu` -1).

    `probability_24h` is what it says of a job-stopping fault there within 24 h, 0 to 1.
    """

    at: float
    site: str
    node: str
    gpu: int
    fault_class: str
    probability_24h: float
    until: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that came: it stopped work `at`; `onset` is when it began to grow, None where that is not known.

    `gpu` -1 is the whole node; `precursor` whether telemetry showed anything of it, None where nobody says.
    """

    at: float
    site: str
    node: str
    gpu: int
    fault_class: str
    onset: float | None = None
    precursor: bool | None = None


@dataclass(frozen=True, eq=False)
class Watched:
    """The time (UTC epoch seconds) and the GPUs that were watched.

    `gpus` is their number, `gpu_days` for how long they were really heard; `node_gpus` their indices by (site, node).
    """

    start: float
    end: float
    gpu_days: float
    node_gpus: dict[tuple[str, str], tuple[int, ...]]

    @property
    def gpus(self) -> int:
        """How many GPUs were watched."""
        return sum(len(each) for each in self.node_gpus.values())

    def covers(self, subject: BacktestAlert | Fault) -> bool:
        """Whether something is about hardware and a time that were watched."""
        gpus = self.node_gpus.get((subject.site, subject.node))
        here = gpus is not None and (subject.gpu == WHOLE_NODE or subject.gpu in gpus)
        return here and self.start <= subject.at <= self.end


def same_hardware(one: BacktestAlert | Fault, other: BacktestAlert | Fault) -> bool:
    """Whether two are about one node and, where both name a GPU, about that one."""
    same_gpu = one.gpu == other.gpu or WHOLE_NODE in (one.gpu, other.gpu)
    return same_gpu and one.node == other.node and one.site == other.site
