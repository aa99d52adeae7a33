"""The doctor's rules of what is around the market; those of each part stand together."""

from bearpit_server.game.proofs import doctor_codes, doctor_duels, doctor_notices
from bearpit_server.game.proofs.doctor_rule import Rule

# Debts

LOANS = Rule(
    "loans and repayments are between a player's cash and debt, and interest goes to the fees",
    """
SELECT CASE p.reason
        WHEN 'loan' THEN (d.kind, c.kind, d.owner_id) <> ('debt', 'player', c.owner_id)
        WHEN 'repayment' THEN (d.kind, c.kind, d.owner_id) <> ('player', 'debt', c.owner_id)
        WHEN 'interest' THEN (d.kind, c.kind) <> ('debt', 'fees')
        WHEN 'debt' THEN (d.kind, c.kind) <> ('debt', 'issuer')
        ELSE (d.kind, c.kind) <> ('issuer', 'debt') END OR d.asset <> 0,
    format('posting %s, %s, goes from a %s to a %s', p.id, p.reason, d.kind, c.kind)
FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
WHERE p.reason IN ('loan', 'repayment', 'interest', 'debt', 'debt_waived')
""",
)

DEBTS = Rule(
    "the cash of everybody who may owe knows the account of the debt",
    """
SELECT c.debt_id IS DISTINCT FROM d.id,
    format('the debt of player %s is account %s, not %s', d.owner_id, d.id, c.debt_id)
FROM accounts d LEFT JOIN accounts c ON c.owner_id = d.owner_id AND c.kind = 'player' AND c.asset = 0
WHERE d.kind = 'debt'
""",
)

# Teams, booths, arcade machines

TEAMS = Rule(
    "no team has more players than it takes",
    """
SELECT count(p.id) > t.max_players, format('team %s takes %s and has %s', t.name, t.max_players, count(p.id))
FROM teams t LEFT JOIN players p ON p.team_id = t.id WHERE t.max_players IS NOT NULL GROUP BY t.id
""",
)

VISITS = Rule(
    "each visit to a booth has its one posting",
    """
WITH moved AS (
    SELECT p.reference, p.amount, d.kind AS giver, c.owner_id AS taker
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason = 'booth'
)
SELECT v.id IS NULL OR count(m.reference) <> 1 OR sum(m.amount) <> v.reward_cents
    OR bool_or(m.giver <> 'issuer'),
    format('player %s at %s was to get %s and has %s postings, of %s', coalesce(v.player_id, m.taker),
        coalesce('booth:' || v.booth_id, m.reference), v.reward_cents, count(m.reference), sum(m.amount))
FROM booth_visits v FULL JOIN moved m ON m.reference = 'booth:' || v.booth_id AND m.taker = v.player_id
GROUP BY v.id, v.booth_id, v.player_id, v.reward_cents, m.reference, m.taker
""",
)

# Kinds: 1 takes from the player, 2 gives. What was taken may be given back from the fees or by the issuer.
ARCADE = Rule(
    "each arcade transaction has its posting, and if it was undone one the other way",
    """
WITH moved AS (
    SELECT p.reference, p.reason, p.amount, d.owner_id AS giver, d.kind AS from_kind, c.owner_id AS taker,
        c.kind AS to_kind
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason IN ('arcade_play', 'arcade_prize', 'arcade_void')
)
SELECT t.id IS NULL OR count(m.reference) <> 1 + (t.voided_at IS NOT NULL)::int
    OR t.amount_cents <> coalesce(sum(m.amount) FILTER (WHERE CASE t.kind
        WHEN 1 THEN m.reason = 'arcade_play' AND m.giver = t.player_id AND m.to_kind = 'fees'
        ELSE m.reason = 'arcade_prize' AND m.taker = t.player_id AND m.from_kind = 'issuer' END), 0)
    OR (t.voided_at IS NOT NULL)::int * t.amount_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'arcade_void'
            AND t.player_id = CASE t.kind WHEN 1 THEN m.taker ELSE m.giver END), 0),
    format('%s of %s has %s postings that do not come to it', coalesce('arcade:' || t.id, m.reference),
        t.amount_cents, count(m.reference))
FROM arcade_transactions t FULL JOIN moved m ON m.reference = 'arcade:' || t.id
GROUP BY t.id, t.kind, t.player_id, t.amount_cents, t.voided_at, m.reference
""",
)

RULES: list[Rule] = [
    LOANS,
    DEBTS,
    TEAMS,
    VISITS,
    ARCADE,
    *doctor_duels.RULES,
    *doctor_codes.RULES,
    *doctor_notices.RULES,
]
