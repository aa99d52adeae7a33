"""What an event says to whom it concerns: one table, from its type to the function that finds the words.

The functions are plain: an event, and the names of players, to notices. A type that is not here tells nobody
anything; a new one is a function and a line.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from bearpit_server.events.log import Logged
from bearpit_server.rules.badges import BADGES
from bearpit_server.rules.notices import Kind, Notice, Priority
from bearpit_server.rules.units import points

Names = Mapping[int, str]
"""Players by id; every player whom an event names is there."""

Words = Callable[[Logged, Names], Iterable[Notice]]


def number(event: Logged, key: str) -> int:
    """A number of an event's payload; 0: there is none."""
    return cast("int", event.payload.get(key) or 0)


def text(event: Logged, key: str) -> str:
    """A text of an event's payload."""
    return str(event.payload.get(key) or "")


def players_of(event: Logged) -> set[int]:
    """All players whom an event names."""
    named = {number(event, key) for key in _PLAYERS} | {event.actor_id}
    named |= set(cast("list[int]", event.payload.get("player_ids") or []))
    return (named | {_subject_id(event)}) - {0}


_PLAYERS = (
    "player_id", "from_id", "to_id", "newcomer_id", "referrer_id", "challenger_id", "opponent_id",
)  # fmt: skip


def _subject_id(event: Logged) -> int:
    kind, _, id_ = event.subject.partition(":")
    return int(id_) if kind == "player" and id_.isdigit() else 0


def _to_player(event: Logged) -> int:
    """The one player whom an event is about."""
    return number(event, "player_id") or _subject_id(event)


def _quoted(note: str) -> str:
    return f"“{note}”" if note else ""


def _transfer(event: Logged, names: Names) -> Iterable[Notice]:
    sender, taker, cents = number(event, "from_id"), number(event, "to_id"), number(event, "amount_cents")
    note, data = _quoted(text(event, "note")), {"amount_cents": cents}
    reference = event.subject
    yield Notice(
        taker, Kind.TRANSFER, f"{names[sender]} sent you {points(cents)}", note, reference,
        data=data | {"player": names[sender]},
    )  # fmt: skip
    yield Notice(
        sender, Kind.TRANSFER, f"You sent {names[taker]} {points(cents)}", note, reference, Priority.LOW,
        data | {"player": names[taker]},
    )  # fmt: skip


def _adjusted(event: Logged, names: Names) -> Iterable[Notice]:
    amount, symbol = number(event, "amount"), text(event, "symbol")
    what = f"{abs(amount):,} {symbol}" if symbol else points(abs(amount))
    title = f"An operator gave you {what}" if amount > 0 else f"An operator took {what} from you"
    data = {"amount": amount, "symbol": symbol}
    yield Notice(_to_player(event), Kind.TRANSFER, title, text(event, "reason"), event.subject, data=data)


# --- duels ---------------------------------------------------------------------------------------


def _sides(event: Logged) -> tuple[int, int, str, str, str]:
    """Challenger, opponent, their names, and the stake."""
    return (
        number(event, "challenger_id"), number(event, "opponent_id"), text(event, "challenger"),
        text(event, "opponent"), points(number(event, "stake_cents")),
    )  # fmt: skip


def _duel(event: Logged, player_id: int, title: str, body: str = "", **data: object) -> Notice:
    known = {"duel_id": number(event, "duel_id"), "stake_cents": number(event, "stake_cents")}
    return Notice(player_id, Kind.DUEL, title, body, event.subject, data=known | data)


def _challenged(event: Logged, names: Names) -> Iterable[Notice]:
    _, opponent_id, challenger, _, stake = _sides(event)
    if opponent_id:
        yield _duel(event, opponent_id, f"{challenger} challenges you to a duel for {stake}")


def _accepted(event: Logged, names: Names) -> Iterable[Notice]:
    challenger_id, _, _, opponent, stake = _sides(event)
    yield _duel(event, challenger_id, f"{opponent} takes your duel for {stake}: reveal your move")


def _revealed(event: Logged, names: Names) -> Iterable[Notice]:
    challenger_id, opponent_id, challenger, opponent, _ = _sides(event)
    by_id = number(event, "by_id")
    other, name = (opponent_id, challenger) if by_id == challenger_id else (challenger_id, opponent)
    yield _duel(event, other, f"{name} has revealed; reveal your move, or you lose")


def _drawn(event: Logged, names: Names) -> Iterable[Notice]:
    challenger_id, opponent_id, challenger, opponent, _ = _sides(event)
    for player_id, other in ((challenger_id, opponent), (opponent_id, challenger)):
        if player_id:
            move = text(event, "move")
            yield _duel(event, player_id, f"Both played {move} against {other}: one more round")


_BACK = {
    "DRAWN": "Your duel with {other} is a draw",
    "NOT_ACCEPTED": "Nobody took your duel in time",
    "ABANDONED": "Neither side of your duel with {other} played on in time",
    "CANCELLED": "You have taken back your duel",
    "DECLINED": "{other} declines your duel",
    "CALLED_OFF": "An operator has called off your duel",
}
"""How a duel ends that nobody has won."""


def _settled(event: Logged, names: Names) -> Iterable[Notice]:
    challenger_id, opponent_id, challenger, opponent, _ = _sides(event)
    yield from _ended(event, challenger_id, opponent or "somebody")
    if opponent_id and text(event, "ending") not in ("CANCELLED", "DECLINED", "NOT_ACCEPTED"):
        yield from _ended(event, opponent_id, challenger)


def _ended(event: Logged, player_id: int, other: str) -> Iterable[Notice]:
    """What one side is told of the end."""
    ending, stake = text(event, "ending"), number(event, "stake_cents")
    winner_id, forfeited = event.payload.get("winner_id"), ending == "FORFEITED"
    if winner_id is None:
        yield _duel(event, player_id, _BACK[ending].format(other=other), "Stakes are back.", ending=ending)
    elif winner_id == player_id:
        gain = number(event, "paid_cents") - stake
        why = ", who did not move in time" if forfeited else ""
        title = f"You won {points(gain)} in a duel with {other}{why}"
        yield _duel(event, player_id, title, ending=ending, gain_cents=gain)
    else:
        why = ": you did not move in time" if forfeited else ""
        title = f"You lost {points(stake)} in a duel with {other}{why}"
        yield _duel(event, player_id, title, ending=ending, gain_cents=-stake)


# --- codes, booths, referrals, machines ----------------------------------------------------------


def _redeemed(event: Logged, names: Names) -> Iterable[Notice]:
    cents, off, quantity = number(event, "value_cents"), number(event, "off_bps"), number(event, "quantity")
    if quantity:
        what = f"{quantity:,} {text(event, 'symbol')}"
    elif off:
        what = f"{off / 100:g} % off your fees"
    else:
        what = points(cents)
    data = {"value_cents": cents, "off_bps": off, "symbol": text(event, "symbol"), "quantity": quantity}
    reason = text(event, "reason")
    yield Notice(_to_player(event), Kind.CODE, f"Code redeemed: {what}", reason, event.subject, data=data)


def _visited(event: Logged, names: Names) -> Iterable[Notice]:
    cents, booth = number(event, "reward_cents"), text(event, "booth")
    title = f"{booth}: {points(cents)} for your visit"
    yield Notice(_to_player(event), Kind.CODE, title, "", event.subject, data={"value_cents": cents})


def _referred(event: Logged, names: Names) -> Iterable[Notice]:
    newcomer, referrer = number(event, "newcomer_id"), number(event, "referrer_id")
    for player_id, cents, title in (
        (referrer, number(event, "referrer_cents"), f"{names[newcomer]}, whom you brought, has traded"),
        (newcomer, number(event, "newcomer_cents"), f"{names[referrer]} brought you, and you have traded"),
    ):
        if cents:
            title = f"{title}: {points(cents)} for you"
            yield Notice(player_id, Kind.CODE, title, "", event.subject, data={"value_cents": cents})


# --- debts ---------------------------------------------------------------------------------------


def _debt(event: Logged, title: str, body: str, priority: Priority = Priority.NORMAL) -> Notice:
    data = {key: value for key, value in event.payload.items() if key.endswith("_cents")}
    return Notice(_to_player(event), Kind.DEBT, title, body, event.subject, priority, data)


def _debt_set(event: Logged, names: Names) -> Iterable[Notice]:
    before, debt = number(event, "before_cents"), number(event, "debt_cents")
    if debt != before:
        yield _debt(event, f"An operator set your debt to {points(debt)}", text(event, "reason"))


def _credit_set(event: Logged, names: Names) -> Iterable[Notice]:
    before, credit = number(event, "before_cents"), number(event, "credit_cents")
    if credit != before:
        yield _debt(event, f"Your credit line is now {points(credit)}", text(event, "reason"))


def _comeback(event: Logged, names: Names) -> Iterable[Notice]:
    yield _debt(event, f"A comeback loan of {points(number(event, 'amount_cents'))} is yours", "Good luck.")


def _interest(event: Logged, names: Names) -> Iterable[Notice]:
    interest, debt = number(event, "interest_cents"), number(event, "debt_cents")
    yield _debt(
        event, f"Interest of {points(interest)} on your debt", f"You owe {points(debt)}.", Priority.LOW
    )


# --- ranks, badges, the account ------------------------------------------------------------------


_BOARDS = {
    "NET_WORTH": "net worth",
    "RETURN": "return",
    "REALISED": "realised gain",
    "DRAWDOWN": "drawdown",
    "DAY": "the day's gain",
    "WINDOW": "the window's gain",
}
"""Boards by their names, as people call them."""


def _rank(event: Logged, names: Names) -> Iterable[Notice]:
    """Of the first by net worth every change is told, of the other boards only who leads now."""
    board = text(event, "board")
    by, all_told = _BOARDS.get(board, board.lower()), board == "NET_WORTH"
    for place in cast("list[dict[str, int]]", event.payload.get("players") or []):
        rank, before = place["rank"], place["previous_rank"]
        if rank != before and (all_told or rank == 1):
            was = f", after {before}" if before else ""
            yield _ranked(event, place["player_id"], f"You are number {rank} by {by} now{was}", rank, before)
    for place in cast("list[dict[str, int]]", event.payload.get("left") or []):
        if all_told:
            title = f"You are not among the first by {by} any more"
            yield _ranked(event, place["player_id"], title, 0, place["previous_rank"])


def _ranked(event: Logged, player_id: int, title: str, rank: int, before: int) -> Notice:
    data = {"board": text(event, "board"), "rank": rank, "previous_rank": before}
    return Notice(player_id, Kind.RANK, title, "", event.subject, Priority.LOW, data)


def _badge(event: Logged, names: Names) -> Iterable[Notice]:
    key = text(event, "badge")
    badge = BADGES.get(key)
    title, body = (badge.name, f"You {badge.description}.") if badge else (key, "")
    yield Notice(
        _to_player(event), Kind.BADGE, f"Badge: {title}", body, event.subject, data={"badge": key}
    )  # fmt: skip


def _system(title: str) -> Words:
    def words(event: Logged, names: Names) -> Iterable[Notice]:
        yield Notice(_to_player(event), Kind.SYSTEM, title, text(event, "reason"), event.subject)

    return words


def _channel_broken(event: Logged, names: Names) -> Iterable[Notice]:
    channel = text(event, "channel").lower()
    title = f"Your {channel} takes no messages any more; confirm it anew when it does"
    yield Notice(_to_player(event), Kind.SYSTEM, title, text(event, "error"), event.subject)


def _joined(event: Logged, names: Names) -> Iterable[Notice]:
    if text(event, "by") != "code":
        title = f"You are in the team {text(event, 'team')} now"
        yield Notice(_to_player(event), Kind.SYSTEM, title, "", event.subject)


def _left(event: Logged, names: Names) -> Iterable[Notice]:
    if event.actor_id != _to_player(event):
        title = f"You are not in the team {text(event, 'team')} any more"
        yield Notice(_to_player(event), Kind.SYSTEM, title, "", event.subject)


WORDS: dict[str, Words] = {
    "transfer.made": _transfer,
    "player.adjusted": _adjusted,
    "duel.challenged": _challenged,
    "duel.accepted": _accepted,
    "duel.revealed": _revealed,
    "duel.drawn": _drawn,
    "duel.settled": _settled,
    "code.redeemed": _redeemed,
    "booth.visited": _visited,
    "referral.rewarded": _referred,
    "debt.set": _debt_set,
    "debt.credit_set": _credit_set,
    "debt.comeback": _comeback,
    "debt.interest": _interest,
    "rank.changed": _rank,
    "badge.awarded": _badge,
    "player.frozen": _system("You are frozen: you can look, and do nothing else"),
    "player.unfrozen": _system("You are not frozen any more"),
    "channel.broken": _channel_broken,
    "team.joined": _joined,
    "team.left": _left,
}
"""By the event's type."""
