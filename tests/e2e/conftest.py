"""What the end-to-end tests take from the command line."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/e2e/test_crashes.py --crash-rounds 500` for a long night."""
    parser.addoption("--crash-rounds", type=int, default=6, help="how often the server is killed")
    parser.addoption("--crash-seed", type=int, default=1, help="what the clients do, and when it is killed")
    parser.addoption(
        "--load-seconds", type=int, default=12, help="how long every mechanism is traded at once"
    )
