"""What is wrong with the expressions of checks, before any of them is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.default_checks import DISAGREEMENTS
from console.core.expr import compile_expression
from console.core.registry import WELL_KNOWN_DOMAINS
from console.model.errors import ConfigError, ExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from console.model.events import CheckSpec
    from console.model.metrics import MetricTable


def check_faults(checks: Iterable[CheckSpec], metrics: MetricTable, kinds: AbstractSet[str]) -> list[ConfigError]:
    """Return a fault with file and line for every check whose expression does not compile.

    `kinds` are the kinds of domains that there are beside the usual ones.
    """
    errors: list[ConfigError] = []
    domains = sorted(kinds | set(WELL_KNOWN_DOMAINS))
    for check in checks:
        if check.where == DISAGREEMENTS:
            continue
        try:
            compile_expression(check.where, metrics, check.level, domains)
        except ExpressionError as error:
            errors.append(ConfigError(check.file, check.line, f"checks.{check.name}.where", str(error)))
    return errors
