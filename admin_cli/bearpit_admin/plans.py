"""Settlement plans on the command line: one algorithm, or a file in the contract's own JSON."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.files import read_text
from bearpit_admin.pairs import as_pairs, parse_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping


def plan_of(
    file: str, algorithm: str, settings: Sequence[str] | None
) -> "wire.windows.SettlementPlan | None":
    """The plan that was asked for; none if nothing was. Raises Failure USAGE."""
    if file and (algorithm or settings):
        raise Failure("Give either --plan, or --algorithm with --set.", Exit.USAGE)
    if settings and not algorithm:
        raise Failure("--set belongs to an algorithm.", Exit.USAGE, "name it with --algorithm")
    if file:
        return _from_json(read_text(file), file)
    if not algorithm:
        return None
    rule = wire.windows.Rule(algorithm=algorithm, parameters=parse_pairs(settings, "sensitivity_bps=800"))
    return wire.windows.SettlementPlan(rule=rule)


def describe(plan: "wire.windows.SettlementPlan") -> list[str]:
    """The plan as facts, the most particular last."""
    said = [_rule(plan.rule)] if plan.HasField("rule") else []
    said += [f"{symbol}: {_rule(rule)}" for symbol, rule in sorted(plan.by_symbol.items())]
    said += [
        f"{plan.experiment}/{arm.name} (weight {arm.weight}): {_rule(arm.rule)}" for arm in plan.variants
    ]
    return said


def _rule(rule: "wire.windows.Rule") -> str:
    return " ".join([rule.algorithm, *as_pairs(rule.parameters)])


def _from_json(text: str, file: str) -> "wire.windows.SettlementPlan":
    from google.protobuf.json_format import ParseDict, ParseError

    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ParseError("it is no object")
        return ParseDict(_texts(content), wire.windows.SettlementPlan())
    except (ParseError, ValueError, RecursionError) as error:
        raise Failure(
            f"{file} is no settlement plan: {error}.",
            Exit.USAGE,
            'write it like {"rule": {"algorithm": "linear"}}; see `bearpit-admin settle algorithms`',
        ) from None


def _texts(content: "Mapping[str, object]") -> dict[str, object]:
    """The same with all parameters as text: people write numbers as numbers."""
    return {
        key: _values(value) if key == "parameters" and isinstance(value, dict) else _within(value)
        for key, value in content.items()
    }


def _within(value: object) -> object:
    if isinstance(value, dict):
        return _texts(value)
    return [_within(each) for each in value] if isinstance(value, list) else value


def _values(parameters: "Mapping[str, object]") -> dict[str, object]:
    return {
        key: json.dumps(value) if isinstance(value, bool | int) else value
        for key, value in parameters.items()
    }
