"""What settles a window's instruments: rules by symbol, by variant of an experiment, and a common one.

Plans are kept as JSON with the window, and parameters in them as texts, as operators give them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bearpit_server.rules import settling
from bearpit_server.rules.parameters import parse, texts_of
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.settling import Algorithm

DEFAULT = "linear"
MAX_WEIGHT = 1_000_000
MOST_VARIANTS = 20
MAX_EXPERIMENT = 80

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,24}")


@dataclass(frozen=True, slots=True)
class Rule:
    """An algorithm by its name, and of its parameters those that differ from their defaults."""

    algorithm: str = DEFAULT
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variant:
    """One arm of an experiment; its share of the instruments is its weight against the others'."""

    name: str
    weight: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Chosen:
    """What settles one instrument; `variant` is empty outside of an experiment."""

    algorithm: Algorithm[Any]
    parameters: Any
    variant: str

    @property
    def texts(self) -> dict[str, str]:
        """All parameters, those with their defaults too: what was settled by stays known."""
        return texts_of(self.parameters)


@dataclass(frozen=True, slots=True)
class Plan:
    """What settles which instrument."""

    rule: Rule = field(default_factory=Rule)
    by_symbol: Mapping[str, Rule] = field(default_factory=dict)
    variants: tuple[Variant, ...] = ()
    experiment: str = ""

    def choose(self, symbol: str) -> Chosen:
        """What settles an instrument: its symbol's rule, else its variant's, else the common one."""
        if rule := self.by_symbol.get(symbol):
            return _chosen(rule, "")
        if not self.variants:
            return _chosen(self.rule, "")
        weights = {variant.name: variant.weight for variant in self.variants}
        name = settling.variant_of(self.experiment, symbol, weights)
        return _chosen(next(each.rule for each in self.variants if each.name == name), name)

    def check(self, symbols: Iterable[str]) -> None:
        """Raises Refused INVALID_FIELD with a field of the plan, or NOT_FOUND for an algorithm."""
        known = set(symbols)
        _check_rule("plan.rule", self.rule)
        for symbol, rule in self.by_symbol.items():
            if symbol not in known:
                raise invalid("plan.by_symbol", f"the window has no {symbol[:24]}")
            _check_rule(f"plan.by_symbol.{symbol}", rule)
        if len(self.experiment) > MAX_EXPERIMENT or not self.experiment.isprintable():
            raise invalid("plan.experiment", f"give at most {MAX_EXPERIMENT} printable characters")
        self._check_variants()

    def _check_variants(self) -> None:
        names = {variant.name for variant in self.variants}
        if len(names) < len(self.variants) or len(names) > MOST_VARIANTS:
            raise invalid("plan.variants", f"give at most {MOST_VARIANTS}, each a name of its own")
        for variant in self.variants:
            if not _NAME.fullmatch(variant.name):
                raise invalid("plan.variants.name", "give 1 to 24 of letters, digits, `_`, `-` and `.`")
            if not 1 <= variant.weight <= MAX_WEIGHT:
                raise invalid("plan.variants.weight", f"give a number from 1 to {MAX_WEIGHT}")
            _check_rule(f"plan.variants.{variant.name}", variant.rule)

    def as_json(self) -> dict[str, object]:
        """As it is kept."""
        return {
            "rule": _rule_json(self.rule),
            "by_symbol": {symbol: _rule_json(rule) for symbol, rule in self.by_symbol.items()},
            "variants": [
                {"name": each.name, "weight": each.weight, "rule": _rule_json(each.rule)}
                for each in self.variants
            ],
            "experiment": self.experiment,
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Plan":
        """What `as_json` made; nothing kept: the default."""
        return cls(
            _rule_of(kept.get("rule", {})),
            {symbol: _rule_of(rule) for symbol, rule in kept.get("by_symbol", {}).items()},
            tuple(
                Variant(each["name"], each["weight"], _rule_of(each["rule"]))
                for each in kept.get("variants", ())
            ),
            kept.get("experiment", ""),
        )


def _chosen(rule: Rule, variant: str) -> Chosen:
    algorithm = settling.find(rule.algorithm)
    return Chosen(algorithm, parse(algorithm.parameters, rule.parameters), variant)


def _check_rule(field: str, rule: Rule) -> None:
    try:
        _chosen(rule, "")
    except Refused as refused:
        where = f"{field}.{refused.field or 'algorithm'}"
        raise Refused(refused.reason, f"{field}: {refused.message}", where, **refused.metadata) from None


def _rule_json(rule: Rule) -> dict[str, object]:
    return {"algorithm": rule.algorithm, "parameters": {**rule.parameters}}


def _rule_of(kept: Mapping[str, Any]) -> Rule:
    return Rule(kept.get("algorithm", DEFAULT), dict(kept.get("parameters", {})))
