"""Files of alert rules: what they say, checked, as values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.model.builtin_metrics import BUILTIN
from console.model.errors import ConfigError
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

BUNDLED = ("simple", "tuned")
TESTS = ("above", "below", "any_bits", "rises", "over_peers", "under_peers", "not_over_peers")
PEERS = ("node", "rack", "hall", "site")
_CONDITION_KEYS = frozenset({"metric", "within_s", "of", *TESTS})
_RULE_KEYS = frozenset({"name", "class", "probability_24h", "all", "xids", "for_s", "keep_s"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of one metric against `bound`; `within_s` for `rises`, `of` for tests against peers' median."""

    metric: str
    test: str
    bound: float
    within_s: float = 0.0
    of: str = "node"


@dataclass(frozen=True, slots=True)
class Rule:
    """A GPU (or node) for which all conditions hold for `for_s`, or on which one of the XIDs comes, is alerted.

    The alert is over when the conditions have not held for `keep_s`; one of an XID stays up for that long.
    """

    name: str
    fault_class: str
    probability_24h: float
    conditions: tuple[Condition, ...] = ()
    xids: frozenset[int] = frozenset()
    for_s: float = 0.0
    keep_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A name, a title and rules."""

    name: str
    title: str
    rules: tuple[Rule, ...]


def load_rules(file: str | Path) -> RuleFile:
    """Return the rules of a file, or of one that comes with gigadeck (`simple`, `tuned`); raises ConfigError."""
    path = Path(__file__).parent / "rules" / f"{file}.yaml" if file in BUNDLED else Path(file)
    import yaml

    try:
        with path.open(encoding="utf-8") as text:
            document = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(str(path), 0, "", f"cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(str(path), mark.line + 1 if mark else 0, "", f"is no YAML: {error}") from error
    return _Reader(str(path)).file(document)


class _Reader:
    """Reads one document; every fault names the file and the rule."""

    def __init__(self, path: str) -> None:
        self._path = path

    def file(self, document: Any) -> RuleFile:
        if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
            raise self._fault("rules", "a list of rules is needed here")
        name = str(document.get("name") or Path(self._path).stem)
        rules = tuple(self._rule(each, f"rules[{i}]") for i, each in enumerate(document["rules"]))
        return RuleFile(name, str(document.get("title") or name), rules)

    def _rule(self, rule: Any, key: str) -> Rule:
        rule = self._mapping(rule, key, _RULE_KEYS)
        conditions = tuple(self._condition(each, f"{key}.all[{i}]") for i, each in enumerate(rule.get("all") or ()))
        xids = frozenset(rule.get("xids") or ())
        if bool(conditions) == bool(xids):
            raise self._fault(key, "either `all` (conditions) or `xids` is needed")
        if not all(isinstance(each, int) for each in xids):
            raise self._fault(f"{key}.xids", "XIDs are whole numbers")
        probability = self._number(rule, "probability_24h", key)
        if not 0 <= probability <= 1:
            raise self._fault(f"{key}.probability_24h", "0 to 1 is a probability")
        names = [str(rule.get(each) or "") for each in ("name", "class")]
        if not all(names):
            raise self._fault(key, "a rule needs a name and a class")
        waits = [self._number(rule, each, key, 0.0) for each in ("for_s", "keep_s")]
        return Rule(names[0], names[1], probability, conditions, xids, *waits)

    def _condition(self, condition: Any, key: str) -> Condition:
        condition = self._mapping(condition, key, _CONDITION_KEYS)
        tests = [each for each in TESTS if each in condition]
        if len(tests) != 1:
            raise self._fault(key, f"one test is needed: {', '.join(TESTS)}")
        metric, of = str(condition.get("metric")), str(condition.get("of", "node"))
        if metric not in BUILTIN or BUILTIN[metric].level not in ("gpu", "node"):
            raise self._fault(f"{key}.metric", f"{metric!r} is no metric of GPUs or nodes")
        if of not in PEERS:
            raise self._fault(f"{key}.of", f"{of!r} is none of {', '.join(PEERS)}")
        within_s = self._number(condition, "within_s", key, 0.0)
        if tests[0] == "rises" and within_s <= 0:
            raise self._fault(f"{key}.within_s", "`rises` needs a time, in seconds")
        return Condition(metric, tests[0], self._number(condition, tests[0], key), within_s, of)

    def _mapping(self, value: Any, key: str, known: frozenset[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._fault(key, "keys and values are needed here")
        unknown = sorted(str(each) for each in value.keys() - known)
        if unknown:
            raise self._fault(f"{key}.{unknown[0]}", f"is not known; {', '.join(sorted(known))} are")
        return value

    def _number(self, values: Mapping[str, Any], name: str, key: str, default: float | None = None) -> float:
        value = values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._fault(f"{key}.{name}", "a number is needed here")
        return float(value)

    def _fault(self, key: str, message: str) -> ConfigError:
        return ConfigError(self._path, 0, key, message)
