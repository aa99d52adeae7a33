"""The doctor's rules of notifications and of the event bus."""

from bearpit_server.game.proofs.doctor_rule import Rule

INBOXES = Rule(
    "an inbox has every notification that is kept, numbered without gaps",
    """
SELECT count(n.sequence) <> i.last_sequence - i.kept_from + 1
        OR min(n.sequence) <> i.kept_from OR max(n.sequence) <> i.last_sequence,
    format('player %s has %s notifications from %s to %s, where %s to %s are kept', i.player_id,
        count(n.sequence), min(n.sequence), max(n.sequence), i.kept_from, i.last_sequence)
FROM inboxes i LEFT JOIN notifications n ON n.player_id = i.player_id GROUP BY i.player_id
""",
)

HEARD = Rule(
    "what a listener was told it has taken in, or gone on without, or it is being told it again",
    """
SELECT l.published <> l.delivered + l.failed AND (l.xid, l.id) = (l.seen_xid, l.seen_id),
    format('listener %s was told of %s events, took in %s and went on without %s', l.name, l.published,
        l.delivered, l.failed)
FROM listeners l
""",
)

RULES = (INBOXES, HEARD)
