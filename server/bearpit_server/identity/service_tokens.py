"""Tokens for other services, in the database. Every function runs inside the caller's transaction."""

from collections.abc import Iterable

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.identity import tokens
from bearpit_server.identity.names import check_name
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import ServiceToken

MARKET_READ = "market.read"
ADMIN_READ = "admin.read"
PRICES_PUSH = "prices.push"
ARCADE_PLAY = "arcade.play"
SCOPES = (MARKET_READ, ADMIN_READ, PRICES_PUSH, ARCADE_PLAY)
"""What a service may be allowed: to see what everybody sees, to see what operators see, to push prices, to
take points for plays and give them for scores as the arcade machine of its name."""


def create(name: str, scopes: Iterable[str], origin: Origin) -> tuple[ServiceToken, str]:
    """A new token and its secret, which is kept nowhere.

    Raises Refused INVALID_FIELD or ALREADY_EXISTS; a revoked token's name stays taken.
    """
    check_name(name)
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise invalid("scopes", f"give some of {', '.join(SCOPES)}")
    secret = tokens.SERVICE_PREFIX + tokens.new_secret()
    row = {"name": name, "scopes": wanted, "token_hash": tokens.digest(secret), "created_at": now()}
    made = ServiceToken.insert(row).on_conflict_ignore().returning(ServiceToken).execute()
    token: ServiceToken | None = next(iter(made), None)
    if token is None:
        raise Refused("ALREADY_EXISTS", f"the name {name} is taken; choose another", "name", name=name)
    log.append(
        [
            Event(
                "service_token.created", f"service_token:{token.id}", origin, {"name": name, "scopes": wanted}
            )
        ]
    )
    return token, secret


def list_all() -> list[ServiceToken]:
    """All tokens, revoked ones too, by id."""
    return list(ServiceToken.select().order_by(ServiceToken.id))


def revoke(name: str, origin: Origin) -> ServiceToken:
    """End a token; one that has ended stays as it is. Raises Refused NOT_FOUND."""
    token: ServiceToken | None = ServiceToken.get_or_none(pw.fn.lower(ServiceToken.name) == name.lower())
    if token is None:
        raise not_found("service token", name)
    if token.revoked_at is None:
        token.revoked_at = now()
        token.save(only=[ServiceToken.revoked_at])
        log.append(
            [Event("service_token.revoked", f"service_token:{token.id}", origin, {"name": token.name})]
        )
    return token


def find(token_hash: bytes) -> ServiceToken | None:
    """The token of that hash, unless it has been revoked."""
    row: ServiceToken | None = ServiceToken.get_or_none(
        (ServiceToken.token_hash == token_hash) & ServiceToken.revoked_at.is_null()
    )
    return row
