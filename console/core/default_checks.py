"""The checks of a fleet whose file has none."""

from __future__ import annotations

from console.model.events import CheckSpec
from console.model.levels import Level

# NVIDIA's Xid catalogue: codes whose immediate action is a reset, a reboot, a service call or a decision tree of its
# own, and that speak of hardware; 13, 31, 43 and 45 are mostly the application's doing and are left out.
ACTION_XIDS = (46, 48, 62, 64, 74, 79, 92, 94, 95, 109, 119, 120, 140)

# The condition of the check that counts what a site's voices disagree on; it is no expression.
DISAGREEMENTS = "disagreements"


def with_disagreements(specs: tuple[CheckSpec, ...]) -> tuple[CheckSpec, ...]:
    """Return the checks of a fleet and the built-in one of its disagreements, where it has none of its own."""
    if any(spec.where == DISAGREEMENTS or spec.name == DISAGREEMENTS for spec in specs):
        return specs
    title = "voices of a site do not say the same"
    return (*specs, CheckSpec(DISAGREEMENTS, DISAGREEMENTS, Level.NODE, warning=1, title=title))


def default_checks() -> tuple[CheckSpec, ...]:
    """Return checks of heat, memory, links, silence, leaks and cooling that a calm fleet passes with a few findings.

    Facility numbers that a site does not offer count as well; numbers of GPUs that nobody offers are unknown.
    """
    codes = ", ".join(str(code) for code in ACTION_XIDS)
    return (
        CheckSpec("hot", "temp_c > 88", warning=10, critical=500, for_s=60, title="over 88 C"),
        CheckSpec("ecc", "ecc_dbe > 0", warning=1, critical=200, title="uncorrected memory errors"),
        CheckSpec("remap", "remap_failed > 0", critical=1, title="row remap failed: replace the GPU"),
        CheckSpec("xid", f"xid in [{codes}]", warning=1, critical=200, title="last XID asks for action on hardware"),
        CheckSpec("silent", "gpus_reporting < gpus", Level.NODE, warning=1, for_s=60, title="GPUs that do not report"),
        CheckSpec("leak", "not missing(leak) and leak > 0", Level.NODE, critical=1, title="liquid leak"),
        CheckSpec(
            "blind",
            "gpus_reporting < gpus * 0.95",
            Level.SITE,
            critical=1,
            for_s=60,
            title="over 5 % silent",
        ),
        _facility("pue", "pue > 1.5", Level.SITE, "PUE over 1.5"),
        # ASHRAE TC 9.9: 32 C is the allowable limit of class A1 air; W40 ends at 40 C facility water.
        _facility("inlet", "hall_inlet_c > 32", Level.HALL, "air inlet over 32 C"),
        _facility("coolant", "supply_c > 40", Level.SITE, "coolant supply over 40 C"),
    )


def _facility(name: str, where: str, level: Level, title: str) -> CheckSpec:
    field = where.partition(" ")[0]
    return CheckSpec(name, f"not missing({field}) and {where}", level, warning=1, for_s=120, title=title)
