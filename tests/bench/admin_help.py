"""How long `bearpit-admin --help` takes, against a Python that does nothing.

`python -m tests.bench.admin_help` prints what `run` returns.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

ROUNDS = 9
TARGET_SECONDS = 0.4
HELP = [str(Path(sys.executable).parent / "bearpit-admin"), "--help"]
NOTHING = [sys.executable, "-c", "pass"]


def run() -> list[dict[str, object]]:
    """Both in turn, several times; medians."""
    took: dict[str, list[float]] = {"help": [], "nothing": []}
    for _ in range(ROUNDS):
        took["help"].append(_seconds(HELP))
        took["nothing"].append(_seconds(NOTHING))
    value, yardstick = median(took["help"]), median(took["nothing"])
    return [
        {
            "name": "admin_help",
            "value": round(value, 3),
            "unit": "s",
            "yardstick": round(yardstick, 3),
            "ratio": round(value / yardstick, 2),
            "target": TARGET_SECONDS,
            "met": value <= TARGET_SECONDS,
            "detail": f"median of {ROUNDS}, slowest {max(took['help']):.3f} s; "
            "the yardstick is `python -c pass`",
        }
    ]


def _seconds(command: list[str]) -> float:
    began = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    took = perf_counter() - began
    assert command is NOTHING or "Usage" in done.stdout, done
    return took


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
