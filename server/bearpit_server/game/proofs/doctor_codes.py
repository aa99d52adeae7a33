"""The doctor's rules of codes and referrals."""

from bearpit_server.game.proofs.doctor_rule import Rule

USES = Rule(
    "each code has been redeemed as often as it says, and no more often than it may be",
    """
SELECT c.uses <> count(r.id) OR (c.max_uses > 0 AND c.uses > c.max_uses),
    format('code %s says %s of %s and was redeemed %s times', c.id, c.uses, c.max_uses, count(r.id))
FROM codes c LEFT JOIN redemptions r ON r.code_id = c.id GROUP BY c.id
""",
)

# Kinds: 1 points, 2 a fee coupon, 3 shares.
REDEMPTIONS = Rule(
    "each redemption has the one posting of what its code brings, and a coupon has none",
    """
WITH moved AS (
    SELECT p.reference, p.amount, d.kind AS giver, c.owner_id AS taker, c.asset
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason = 'code'
), due AS (
    SELECT r.id, r.player_id, b.kind, CASE b.kind WHEN 1 THEN b.value_cents ELSE b.quantity END AS amount,
        coalesce(b.instrument_id, 0) AS asset
    FROM redemptions r JOIN codes c ON c.id = r.code_id JOIN code_batches b ON b.id = c.batch_id
)
SELECT u.id IS NULL OR count(m.reference) <> (u.kind <> 2)::int
    OR bool_or(m.amount <> u.amount OR m.asset <> u.asset OR m.taker <> u.player_id OR m.giver <> 'issuer'),
    format('%s was to bring %s and has %s postings, of %s', coalesce('redemption:' || u.id, m.reference),
        u.amount, count(m.reference), sum(m.amount))
FROM due u FULL JOIN moved m ON m.reference = 'redemption:' || u.id
GROUP BY u.id, u.kind, u.player_id, u.amount, u.asset, m.reference
""",
)

REFERRALS = Rule(
    "each referral has the postings of what both sides got, once the newcomer had traded",
    """
WITH moved AS (
    SELECT p.reference, p.amount, d.kind AS giver, c.owner_id AS taker
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason = 'referral'
)
SELECT r.newcomer_id IS NULL OR bool_or(m.giver <> 'issuer')
    OR count(m.reference) <> (r.referrer_cents > 0)::int + (r.newcomer_cents > 0)::int
    OR r.referrer_cents <> coalesce(sum(m.amount) FILTER (WHERE m.taker = r.referrer_id), 0)
    OR r.newcomer_cents <> coalesce(sum(m.amount) FILTER (WHERE m.taker = r.newcomer_id), 0)
    OR (r.rewarded_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM trades t WHERE t.buyer_id = r.newcomer_id)
        AND NOT EXISTS (SELECT FROM trades t WHERE t.seller_id = r.newcomer_id)),
    format('%s was to bring %s and %s and has %s postings, of %s',
        coalesce('referral:' || r.newcomer_id, m.reference), r.referrer_cents, r.newcomer_cents,
        count(m.reference), sum(m.amount))
FROM referrals r FULL JOIN moved m ON m.reference = 'referral:' || r.newcomer_id
GROUP BY r.newcomer_id, r.referrer_id, r.referrer_cents, r.newcomer_cents, r.rewarded_at, m.reference
""",
)

RULES = (USES, REDEMPTIONS, REFERRALS)
