"""The first operator, made beside the server: everybody else is made by an operator."""

from argon2 import PasswordHasher

from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.identity import players
from bearpit_server.identity.names import check_name, check_password
from bearpit_server.identity.passwords import STRONG
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import ADMIN
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import HOUSE, Player
from bearpit_server.storage.settings import Settings


def create_first_operator(
    database: Database, name: str, password: str, parameters: PasswordHasher = STRONG
) -> None:
    """Make the first operator in a migrated database, with the game's starting cash.

    `parameters` are injectable because tests make many.

    Raises Refused ALREADY_EXISTS when there is an operator, or when the name is taken; INVALID_FIELD
    for a name or a password that cannot be.
    """
    check_name(name)
    check_password(password)
    password_hash = parameters.hash(password)
    with database.transaction():
        # The house's row stands for the right to be first: of two at once the second waits, and sees.
        Player.select().where(Player.id == HOUSE).for_update().get()
        operator = Player.get_or_none(Player.roles.contains(ADMIN))
        if operator is not None:
            raise Refused(
                "ALREADY_EXISTS",
                f"there is an operator already, {operator.name}; sign in as such with `bearpit-admin login`, "
                "and make others with `bearpit-admin player create NAME --role admin`",
                name=operator.name,
            )
        settings = Settings()
        settings.load()
        cash = settings.number("starting_cash_cents")
        players.create_player(name, password_hash, [ADMIN], cash, HOUSE_ORIGIN)
