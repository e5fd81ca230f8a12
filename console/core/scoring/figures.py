"""The figures that a score consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from console.core.scoring.calibration import ReliabilityBin
    from console.core.scoring.intervals import Interval
    from console.core.scoring.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Leads:
    """How long before their faults alerts came, in seconds; NaN where none did.

    `p10_s`, `p50_s`, `p90_s` of what was foreseen (90 % had more than the first); `of_onset` is the median of lead by
    the time from onset to fault, 0 to 1, where the onset is known; `late_p50_s` the median delay of what came after.
    """

    p10_s: float
    p50_s: float
    p90_s: float
    of_onset: float
    late_p50_s: float


@dataclass(frozen=True, eq=False)
class ClassScore:
    """The figures of one class of faults, or of all (`fault_class` is `all`); NaN is 'nothing to judge'.

    `faults` came, `foreseen` of them with an alert before, `early` 10 min before or more, `found` before or within
    24 h after; `early_of_precursor` is the share of those with a precursor. `alerts` were judged: `true` ones, `false`
    ones (one for each begun day that it was up), `repeats` beside another of the same fault, `open` ones whose day was
    not over. `precision` takes alerts of either kind, `foresight_precision` leaves out those that came after their
    fault. `class_right` is the share of true alerts that name their fault's class.
    """

    fault_class: str
    faults: int
    foreseen: int
    early: int
    found: int
    with_precursor: int
    alerts: int
    true: int
    false: int
    repeats: int
    open: int
    precision: Interval
    foresight_precision: Interval
    recall: Interval
    early_recall: Interval
    early_of_precursor: Interval
    f1: float
    class_right: float
    ranking: Ranking
    leads: Leads
    false_per_1000_gpu_days: Interval
    calibration_error: float
    gpu_hours_saved: float


@dataclass(frozen=True, eq=False)
class Score:
    """All figures of one who raised alerts: `rows` in all first, then by class; `bins` of the reliability diagram."""

    rows: tuple[ClassScore, ...]
    bins: tuple[ReliabilityBin, ...]
    outside_alerts: int
    outside_faults: int
