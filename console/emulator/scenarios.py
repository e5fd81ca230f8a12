"""The scripts an emulated world can follow."""

from __future__ import annotations

from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """One script. `fault_scale` multiplies the fault rates, `standing_scale` what is broken at the start.

    `cooling_loss_after_s` and `blackout_after_s` count from the start of the world; None is never. `lies` lets the
    telemetry of a few GPUs lie.
    """

    name: str
    title: str
    fault_scale: float = 1.0
    standing_scale: float = 1.0
    cooling_loss_after_s: float | None = None
    blackout_after_s: float | None = None
    lies: bool = False


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("default", "published fault rates, a few parts already broken"),
        Scenario("calm", "nothing breaks", fault_scale=0.0, standing_scale=0.0),
        Scenario("cdu", "a coolant distribution unit loses its flow after 20 s", cooling_loss_after_s=20.0),
        Scenario("blackout", "the telemetry of one site stops after 20 s", blackout_after_s=20.0),
        Scenario("storm", "faults come 100 times as often", fault_scale=100.0, standing_scale=3.0),
        Scenario("lies", "telemetry of a few GPUs lies after 20 s, and has a gap after 60 s", lies=True),
    )
}
