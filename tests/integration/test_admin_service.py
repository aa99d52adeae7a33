"""AdminService through gRPC: who may, what happens once, what a rehearsal leaves, what is audited."""

import json
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2 as pb
from bearpit.v1.announcements_pb2 import AnnounceRequest
from bearpit_server.events import log
from bearpit_server.game.proofs import doctor
from bearpit_server.services.permissions import ACCESS
from bearpit_server.storage.models import (
    Event,
)
from google.protobuf.message import Message

from tests.integration.floor import SHARED
from tests.venue import PASSWORD, Venue, refused

INT64 = 2**63 - 1


@pytest_asyncio.fixture(loop_scope="module", name="operator")
async def make_operator(floor: Venue) -> Client:
    """The floor's operator."""
    return await floor.operator()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def somebody(shared_floor: Venue) -> Client:
    """A player."""
    return await shared_floor.trader()


@pytest_asyncio.fixture(loop_scope="module")
async def same_settings(floor: Venue, ordinary: None) -> AsyncIterator[None]:
    """All settings as they were, after a test."""
    before = await _settings(floor)
    yield
    changed = dict(before.items() - (await _settings(floor)).items())
    if changed:
        operator = await floor.operator()
        await operator.admin.UpdateSettings(pb.UpdateSettingsRequest(values=changed))


async def _settings(floor: Venue) -> dict[str, str]:
    operator = await floor.operator()
    held = (await operator.admin.GetSettings(pb.GetSettingsRequest())).settings
    return {setting.key: setting.value for setting in held}


# --- who may ---------------------------------------------------------------------------------------

ADMIN_METHODS = sorted(
    path.rpartition("/")[2] for path in ACCESS if path.startswith("/bearpit.v1.AdminService/")
)


@pytest.mark.parametrize("method", ADMIN_METHODS)
@SHARED
async def test_no_player_may_call_it(method: str, somebody: Client) -> None:
    error = await refused(getattr(somebody.admin, method)(getattr(pb, f"{method}Request")()))
    assert error.reason == "NOT_ALLOWED"


@pytest.mark.parametrize("method", ADMIN_METHODS)
@pytest.mark.usefixtures("ordinary")
@SHARED
async def test_an_empty_request_is_answered_or_refused_but_no_fault(method: str, operator: Client) -> None:
    reason = "INVALID_FIELD"
    try:
        await getattr(operator.admin, method)(getattr(pb, f"{method}Request")())
    except BearpitError as error:
        reason = error.reason
    assert reason in ("INVALID_FIELD", "NOT_FOUND")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kiosk(shared_floor: Venue) -> None:
    """A service token of that name."""
    operator = await shared_floor.operator()
    wanted = pb.CreateServiceTokenRequest(name="kiosk", scopes=["market.read"])
    await operator.admin.CreateServiceToken(wanted)


# --- rehearsals and repetitions, for every mutation ----------------------------------------------------

MUTATIONS: list[Callable[..., Message]] = [
    lambda player, symbol, **more: pb.CreatePlayerRequest(name="new", password=PASSWORD, **more),
    lambda player, symbol, **more: pb.SetPlayerDisabledRequest(name=player, disabled=True, **more),
    lambda player, symbol, **more: pb.ResetPasswordRequest(name=player, password="another one", **more),
    lambda player, symbol, **more: pb.AdjustBalanceRequest(name=player, amount=5, reason="x", **more),
    lambda player, symbol, **more: pb.CreateInstrumentRequest(symbol="NEW", name="New", **more),
    lambda player, symbol, **more: pb.UpdateInstrumentRequest(symbol=symbol, fee_bps=77, **more),
    lambda player, symbol, **more: pb.OpenIpoRequest(symbol=symbol, price_cents=10, quantity=100, **more),
    lambda player, symbol, **more: pb.SetMarketOverrideRequest(override=pb.MARKET_OVERRIDE_CLOSED, **more),
    lambda player, symbol, **more: pb.SetHaltRequest(symbol=symbol, halted=True, **more),
    lambda player, symbol, **more: pb.SetScheduleRequest(
        schedule=pb.Schedule(days=[1], opens="09:00", closes="17:00", time_zone="UTC"), **more
    ),
    lambda player, symbol, **more: pb.UpdateSettingsRequest(
        values={"fee_bps": "5", "max_open_orders": "3"}, **more
    ),
    lambda player, symbol, **more: pb.CreateServiceTokenRequest(name="board", scopes=["market.read"], **more),
    lambda player, symbol, **more: pb.RevokeServiceTokenRequest(name="kiosk", **more),
]


@pytest.mark.parametrize("make", MUTATIONS, ids=lambda make: type(make("", "")).__name__)
@pytest.mark.usefixtures("same_settings", "kiosk")
@SHARED
async def test_a_rehearsal_changes_nothing_and_the_same_id_works_once_after_it(
    make: Callable[..., Message], operator: Client, floor: Venue
) -> None:
    ada, symbol = await floor.trader(100_000), await floor.instrument()
    assert ada.player is not None
    method = type(make("", "")).__name__.removesuffix("Request")
    call = getattr(operator.admin, method)
    wanted = partial(make, ada.player.name, symbol, request_id=f"same {method}")
    before = await floor.database.run(count_events)
    await call(wanted(validate_only=True))
    assert await floor.database.run(count_events) == before
    first = await call(wanted())
    after = await floor.database.run(count_events)
    assert after > before
    again = await call(wanted())
    for secret in {"password", "secret"} & set(first.DESCRIPTOR.fields_by_name):
        first.ClearField(secret)
    assert again == first
    assert await floor.database.run(count_events) == after


def count_events() -> int:
    """All but what the game does by itself."""
    rows = Event.select()
    for kind in ("sign_in.", "rank.", "badge."):
        rows = rows.where(~Event.type.startswith(kind))
    return int(rows.count())


# --- settings, tokens, events, the server ------------------------------------------------------------


@pytest.mark.usefixtures("same_settings")
@SHARED
async def test_settings_are_changed_all_or_none(operator: Client, floor: Venue) -> None:
    async def value(key: str) -> str:
        return (await _settings(floor))[key]

    request = pb.UpdateSettingsRequest(values={"transfer_fee_bps": "25", "registration_open": "false"})
    answer = await operator.admin.UpdateSettings(request)
    assert [setting.key for setting in answer.settings] == sorted(setting.key for setting in answer.settings)
    assert (await value("transfer_fee_bps"), await value("registration_open")) == ("25", "false")
    [event] = await floor.database.run(log.newest, 1, "settings.")
    assert event.payload == {"transfer_fee_bps": "25", "registration_open": "false"}
    for values, reason in (
        ({"transfer_fee_bps": "30", "nonsense": "1"}, "NOT_FOUND"),
        ({"transfer_fee_bps": "30", "access_token_secret": "x"}, "NOT_FOUND"),
        ({"transfer_fee_bps": "10001"}, "INVALID_FIELD"),
        ({"transfer_fee_bps": "-1"}, "INVALID_FIELD"),
        ({"transfer_fee_bps": "1.5"}, "INVALID_FIELD"),
        ({"registration_open": "maybe"}, "INVALID_FIELD"),
        ({}, "INVALID_FIELD"),
    ):
        bad = pb.UpdateSettingsRequest(values=values)
        assert (await refused(operator.admin.UpdateSettings(bad))).reason == reason
    assert await value("transfer_fee_bps") == "25"


@SHARED
async def test_settings_never_tell_what_is_no_setting(operator: Client) -> None:
    held = (await operator.admin.GetSettings(pb.GetSettingsRequest())).settings
    assert "access_token_secret" not in {setting.key for setting in held}
    assert all(setting.description and setting.default_value for setting in held)


@SHARED
async def test_a_service_token_reads_what_its_scope_allows_until_it_is_revoked(
    operator: Client, floor: Venue
) -> None:
    wanted = pb.CreateServiceTokenRequest(name="reader", scopes=["admin.read"], request_id="t")
    made = await operator.admin.CreateServiceToken(wanted)
    assert (await operator.admin.CreateServiceToken(wanted)).secret == ""
    async with connect(floor.address) as board:
        board.use_service_token(f"{made.secret}\n")  # as it comes out of the file that it was written into
        await board.admin.ListPlayers(pb.ListPlayersRequest())
        error = await refused(board.announcements.Announce(AnnounceRequest(title="hello")))
        assert error.reason == "NOT_ALLOWED"
        await operator.admin.RevokeServiceToken(pb.RevokeServiceTokenRequest(name="READER"))
        error = await refused(board.admin.ListPlayers(pb.ListPlayersRequest()))
        assert error.reason == "NOT_SIGNED_IN"
    found = (await operator.admin.ListServiceTokens(pb.ListServiceTokensRequest())).service_tokens
    [listed] = [token for token in found if token.name.lower() == "reader"]
    assert (listed.name, list(listed.scopes), listed.revoked) == ("reader", ["admin.read"], True)


@pytest.mark.parametrize("secret", ["two\nlines", "bps_…"])
@SHARED
async def test_what_can_be_no_token_is_refused_in_words(floor: Venue, secret: str) -> None:
    async with connect(floor.address) as board:
        with pytest.raises(BearpitError, match="copy it once more") as raised:
            board.use_service_token(secret)
    assert raised.value.reason == "NOT_SIGNED_IN"


@SHARED
async def test_a_rehearsed_token_has_no_secret(operator: Client) -> None:
    wanted = pb.CreateServiceTokenRequest(name="rehearsed", scopes=["admin.read"], validate_only=True)
    assert (await operator.admin.CreateServiceToken(wanted)).secret == ""
    found = (await operator.admin.ListServiceTokens(pb.ListServiceTokensRequest())).service_tokens
    assert "rehearsed" not in {token.name for token in found}


@SHARED
async def test_every_change_is_audited_with_actor_address_and_request(operator: Client) -> None:
    me = operator.player
    assert me is not None
    await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="ada", request_id="make"))
    await operator.announcements.Announce(AnnounceRequest(title="hi", request_id="say"))
    answer = await operator.admin.ListEvents(pb.ListEventsRequest(type_prefix="player.", newest_first=True))
    created = answer.events[0]
    assert (created.type, created.actor_id) == ("player.created", me.player_id)
    assert (created.address, created.request_id) == ("127.0.0.1", "make")
    assert json.loads(created.payload_json)["name"] == "ada"


async def test_events_are_read_on_from_a_position_without_gaps(venue: Venue) -> None:
    operator = await venue.operator()
    for n in range(5):
        await operator.announcements.Announce(AnnounceRequest(title=f"number {n}"))
    await venue.logged()
    texts, after = [], ""
    while True:
        request = pb.ListEventsRequest(after=after, page_size=2, type_prefix="announcement.")
        page = await operator.admin.ListEvents(request)
        texts += [json.loads(event.payload_json)["title"] for event in page.events]
        after = page.position
        if not page.events:
            break
    assert texts == [f"number {n}" for n in range(5)]
    await operator.announcements.Announce(AnnounceRequest(title="later"))
    await venue.logged()
    page = await operator.admin.ListEvents(pb.ListEventsRequest(after=after))
    assert [event.type for event in page.events] == ["announcement.made"]


async def test_from_the_newest_one_goes_on_and_misses_none(venue: Venue) -> None:
    operator = await venue.operator()
    await operator.announcements.Announce(AnnounceRequest(title="before"))
    newest = await operator.admin.ListEvents(pb.ListEventsRequest(newest_first=True, page_size=1))
    await operator.announcements.Announce(AnnounceRequest(title="after"))
    await venue.logged()
    on = await operator.admin.ListEvents(pb.ListEventsRequest(after=newest.position))
    fresh = [event for event in on.events if event.position != newest.events[0].position]
    assert [json.loads(event.payload_json)["title"] for event in fresh] == ["after"]


@pytest.mark.parametrize(
    "request_",
    [
        pb.ListEventsRequest(after="nonsense"),
        pb.ListEventsRequest(after="9" * 30 + "-1"),
        pb.ListEventsRequest(after="1-1", newest_first=True),
        pb.ListEventsRequest(page_size=1_001),
        pb.ListEventsRequest(type_prefix="x" * 65),
    ],
)
@SHARED
async def test_event_queries_that_cannot_be(request_: pb.ListEventsRequest, operator: Client) -> None:
    assert (await refused(operator.admin.ListEvents(request_))).reason == "INVALID_FIELD"


async def test_the_server_tells_how_it_does(venue: Venue) -> None:
    operator = await venue.operator()
    await venue.player("ada", 100_000)
    status = await operator.admin.GetServerStatus(pb.GetServerStatusRequest())
    assert (status.players, status.open_orders, status.trades) == (2, 0, 0)
    assert status.version
    assert status.database_version
    assert status.ready_at.seconds > 0
    assert [shard.shard_id for shard in status.shards] == list(range(16))


@SHARED
async def test_the_ledger_is_proven_over_the_wire(operator: Client) -> None:
    proofs = (await operator.admin.CheckLedger(pb.CheckLedgerRequest())).proofs
    assert [proof.rule for proof in proofs] == [rule.sentence for rule in doctor.RULES]
    assert all(proof.holds for proof in proofs)
