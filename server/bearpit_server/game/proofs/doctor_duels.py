"""The doctor's rules of duels: states 1 to 4 are not over, 5 is settled; endings 1 and 2 have a winner."""

from bearpit_server.game.proofs.doctor_rule import Rule, narrowed

ESCROW = Rule(
    "the escrow has the stakes of the duels that are not over",
    """
SELECT a.balance <> d.stakes, format('the escrow has %s, the stakes come to %s', a.balance, d.stakes)
FROM accounts a, (
    SELECT coalesce(sum(stake_cents * CASE WHEN accepted_at IS NULL THEN 1 ELSE 2 END), 0) AS stakes
    FROM duels WHERE state <> 5
) d WHERE a.kind = 'escrow' AND a.asset = 0
""",
)

DUEL_POSTINGS = Rule(
    "each duel has its postings: both stakes and, once settled, what was won and the share, or both back",
    """
WITH moved AS (
    SELECT p.reference, p.reason, p.amount, d.owner_id AS giver, c.owner_id AS taker,
        d.kind AS from_kind, c.kind AS to_kind
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason IN ('duel_stake', 'duel_won', 'duel_back', 'duel_fee')
)
SELECT d.id IS NULL
    OR d.stake_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'duel_stake' AND m.giver = d.challenger_id AND m.to_kind = 'escrow'), 0)
    OR CASE WHEN d.accepted_at IS NULL THEN 0 ELSE d.stake_cents END <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'duel_stake' AND m.giver = d.opponent_id AND m.to_kind = 'escrow'), 0)
    OR CASE WHEN d.winner_id IS NULL THEN 0 ELSE 2 * d.stake_cents - d.house_share_cents END
        <> coalesce(sum(m.amount) FILTER (
            WHERE m.reason = 'duel_won' AND m.taker = d.winner_id AND m.from_kind = 'escrow'), 0)
    OR d.house_share_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'duel_fee' AND m.from_kind = 'escrow' AND m.to_kind = 'fees'), 0)
    OR CASE WHEN d.state = 5 AND d.winner_id IS NULL THEN d.stake_cents ELSE 0 END
        <> coalesce(sum(m.amount) FILTER (
            WHERE m.reason = 'duel_back' AND m.taker = d.challenger_id AND m.from_kind = 'escrow'), 0)
    OR CASE WHEN d.state = 5 AND d.winner_id IS NULL AND d.accepted_at IS NOT NULL
            THEN d.stake_cents ELSE 0 END
        <> coalesce(sum(m.amount) FILTER (
            WHERE m.reason = 'duel_back' AND m.taker = d.opponent_id AND m.from_kind = 'escrow'), 0)
    OR count(m.reference) <> 1 + (d.accepted_at IS NOT NULL)::int + CASE WHEN d.state <> 5 THEN 0
        WHEN d.winner_id IS NULL THEN 1 + (d.accepted_at IS NOT NULL)::int
        ELSE 1 + (d.house_share_cents > 0)::int END,
    format('%s has %s postings that do not come to it',
        coalesce('duel:' || d.id, m.reference), count(m.reference))
FROM duels d FULL JOIN moved m ON m.reference = 'duel:' || d.id
GROUP BY m.reference, d.id, d.challenger_id, d.opponent_id, d.stake_cents, d.state, d.winner_id,
    d.house_share_cents, d.accepted_at
""",
)

# rules.duel.commitment, in SQL.
DUEL_COMMITMENTS = Rule(
    "each move of a duel is the one that was committed to",
    r"""
SELECT s.commitment IS NOT NULL AND s.commitment <> sha256(convert_to(concat_ws(E'\n', 'bearpit.duel.v1',
        p.name, (ARRAY['rock', 'paper', 'scissors'])[s.move], encode(s.nonce, 'hex')), 'UTF8')),
    format('duel %s, round %s: what %s played is not what was committed to', s.duel_id, s.round, p.name)
FROM duel_sides s JOIN players p ON p.id = s.player_id WHERE s.move IS NOT NULL
""",
)

# One more than the other's move, counted round, beats it.
DUEL_WINNERS = Rule(
    "who has won a duel had the better move, or the other side missed its limit",
    """
SELECT CASE d.ending
        WHEN 1 THEN d.winner_id IS DISTINCT FROM CASE mod(c.move - o.move + 3, 3)
            WHEN 1 THEN d.challenger_id WHEN 2 THEN d.opponent_id END
        WHEN 2 THEN (c.revealed_at IS NOT NULL AND o.revealed_at IS NOT NULL) OR w.player_id IS NULL
        WHEN 3 THEN c.move IS NULL OR c.move IS DISTINCT FROM o.move
            OR (d.draws = 2 AND d.round < d.max_rounds)
        ELSE c.revealed_at IS NOT NULL AND o.revealed_at IS NOT NULL END,
    format('duel %s ended as %s, won by %s, with moves %s and %s', d.id, d.ending, d.winner_id, c.move,
        o.move)
FROM duels d
LEFT JOIN duel_sides c ON c.duel_id = d.id AND c.round = d.round AND c.player_id = d.challenger_id
LEFT JOIN duel_sides o ON o.duel_id = d.id AND o.round = d.round AND o.player_id = d.opponent_id
LEFT JOIN duel_sides w ON w.duel_id = d.id AND w.round = d.round AND w.player_id = d.winner_id
WHERE d.state = 5
""",
)

RULES = (ESCROW, DUEL_POSTINGS, DUEL_COMMITMENTS, DUEL_WINNERS)


def recent(moment: str) -> tuple[Rule, ...]:
    """The rules of what is new since a moment, as SQL has it, and of what is not over."""
    duels = f"duels AS (SELECT * FROM duels WHERE state <> 5 OR settled_at >= {moment})"
    sides = "duel_sides AS (SELECT s.* FROM duels d JOIN duel_sides s ON s.duel_id = d.id)"
    # The reasons as they stand in the index that serves the look-up.
    postings = """postings AS (SELECT p.* FROM duels d JOIN postings p ON p.reference = 'duel:' || d.id
        AND p.reason IN ('duel_stake', 'duel_back', 'duel_won', 'duel_fee'))"""
    return (
        ESCROW,
        narrowed(DUEL_POSTINGS, duels, postings),
        narrowed(DUEL_COMMITMENTS, duels, sides),
        narrowed(DUEL_WINNERS, duels, sides),
    )
