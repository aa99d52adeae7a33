"""State machines against the real server: people do anything, in any order, and what must hold holds."""

import os
from collections.abc import Collection
from typing import Any, ClassVar

from bearpit.client import BearpitError
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.integration.floor import Steps
from tests.venue import Venue


class Machine(RuleBasedStateMachine):
    """Drives a floor."""

    steps: Steps
    refusals: ClassVar[Collection[str]] = ()
    """For which reasons a call may be refused."""

    @property
    def floor(self) -> Venue:
        return self.steps.floor

    def run(self, work: Any) -> Any:
        return self.steps.run(work)

    def attempt(self, work: Any) -> Any:
        """What came of it; None if it was refused for a good reason."""
        try:
            return self.run(work)
        except BearpitError as refused:
            if refused.reason not in self.refusals:
                raise
            return None


def bounds(examples: int, **more: Any) -> settings:
    """The same examples each time; with `BEARPIT_FUZZ=500` so many, by chance."""
    return settings(
        max_examples=int(os.environ.get("BEARPIT_FUZZ", examples)),
        derandomize="BEARPIT_FUZZ" not in os.environ,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        **more,
    )


def play(machine: type[Machine], steps: Steps, examples: int, step_count: int = 40, **more: object) -> None:
    """Let a machine do so many different things, each of them from the beginning; `more` are attributes."""
    here = type("Here", (machine,), {"steps": steps, **more})
    run_state_machine_as_test(here, settings=bounds(examples, stateful_step_count=step_count))
