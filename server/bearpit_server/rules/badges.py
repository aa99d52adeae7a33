"""Badges for firsts and feats: one table of what there is. What each is earned by is in `game.badges`."""

from enum import Enum

from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import not_found


class Kind(Enum):
    """Where it is seen that a badge is earned."""

    HEARD = "heard"
    """In the event log, soon after."""
    RANKED = "ranked"
    """When ranks are counted."""
    GIVEN = "given"
    """By an operator, and by nothing else."""


@record
class Badge:
    """Something to be proud of."""

    key: str
    name: str
    description: str
    kind: Kind
    first: bool = False
    """Whether only one player in the whole game can have it: the first."""


_ALL = (
    Badge("first-trade", "In the pit", "traded for the first time", Kind.HEARD),
    Badge("opening-bell", "Opening bell", "made the first trade of the whole game", Kind.HEARD, first=True),
    Badge("first-profit", "In the black", "sold for more than it had cost", Kind.HEARD),
    Badge("ten-in-a-row", "Ten in a row", "made a profit with ten sales in a row", Kind.HEARD),
    Badge("founder", "Founder", "bought a share from an IPO", Kind.HEARD),
    Badge("first-blood", "First blood", "won the first duel of the whole game", Kind.HEARD, first=True),
    Badge("duellist", "Duellist", "won a duel against a player", Kind.HEARD),
    Badge("all-booths", "Round the camp", "visited every booth", Kind.HEARD),
    Badge("code-breaker", "Code breaker", "redeemed a code", Kind.HEARD),
    Badge("recruiter", "Recruiter", "brought somebody along who traded", Kind.HEARD),
    Badge("generous", "Generous", "gave points to another player", Kind.HEARD),
    Badge("comeback", "Comeback", "took a loan to begin again", Kind.HEARD),
    Badge("debt-free", "Debt free", "paid back a debt to the last cent", Kind.RANKED),
    Badge("top-ten", "Top ten", "was among the ten richest", Kind.RANKED),
    Badge("on-top", "On top", "was the richest of all", Kind.RANKED),
    Badge("day-winner", "Day's winner", "gained more in a day than anybody else", Kind.RANKED),
    Badge("window-winner", "Chapter's winner", "gained more in a window than anybody else", Kind.RANKED),
    Badge("doubled", "Doubled", "doubled what there was to begin with", Kind.RANKED),
    Badge("first-to-double", "First to double", "doubled it before anybody else", Kind.RANKED, first=True),
    Badge("tenfold", "Tenfold", "made ten out of one", Kind.RANKED),
    Badge("first-tenfold", "First tenfold", "made ten out of one before the rest", Kind.RANKED, first=True),
    Badge("diamond-hands", "Diamond hands", "fell by a third, and rose to a new peak", Kind.RANKED),
    Badge("survivor", "Survivor", "fell by a half, and rose to a new peak", Kind.RANKED),
    Badge("fair-play", "Fair play", "did what others should do, too", Kind.GIVEN),
    Badge("helping-hand", "Helping hand", "helped others on", Kind.GIVEN),
    Badge("bug-hunter", "Bug hunter", "found a mistake in the game, and told", Kind.GIVEN),
)  # fmt: skip
BADGES: dict[str, Badge] = {badge.key: badge for badge in _ALL}
"""Every badge by its key, in the order in which they are shown."""


def find(key: str) -> Badge:
    """The badge of that key. Raises Refused NOT_FOUND."""
    if key not in BADGES:
        raise not_found("badge", key[:40])
    return BADGES[key]
