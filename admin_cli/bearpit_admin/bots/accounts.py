"""Who the house bots are on the server, and how far the game's history has come: what outlives a restart."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """A player of the house."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """All of them, by what they do."""

    makers: tuple[Account, ...]
    traders: tuple[Account, ...]
    visitors: tuple[Account, ...] = ()
    """They only look around."""

    def password_of(self, name: str) -> str:
        """Empty when it is not known."""
        everybody = (*self.makers, *self.traders, *self.visitors)
        return next((one.password for one in everybody if one.name == name), "")


def read_accounts(path: Path) -> Accounts | None:
    """The accounts in a file of ours; None when it is missing or broken, for passwords can be set anew."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kinds = (content["makers"], content["traders"], content.get("visitors", ()))
        return Accounts(*(tuple(Account(**entry) for entry in kind) for kind in kinds))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_accounts(path: Path, accounts: Accounts) -> None:
    """Keep them, readable by their owner only."""
    write_private(path, asdict(accounts))


def read_weeks(path: Path, beginning: float = 0.0) -> float:
    """How many weeks of history have gone by; `beginning` when nobody has kept it."""
    try:
        return max(0.0, float(json.loads(path.read_text(encoding="utf-8"))["weeks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return beginning


def write_weeks(path: Path, weeks: float) -> None:
    """Keep how far the history has come."""
    write_private(path, {"weeks": weeks})


def write_private(path: Path, content: dict[str, object]) -> None:
    """Write JSON that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    fresh.replace(path)
