"""ChannelService on the real server: adding, proving, testing, listing; and what trades notice of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bearpit.client import Client
from bearpit.v1 import channels_pb2 as pb
from bearpit.v1.admin_pb2 import UpdateSettingsRequest
from bearpit.v1.announcements_pb2 import AnnounceRequest
from bearpit.v1.notifications_pb2 import NOTIFICATION_KIND_ANNOUNCEMENT, NOTIFICATION_KIND_FILL
from bearpit_server.channels.telegram import TOKEN as TOKEN_VARIABLE
from bearpit_server.channels.telegram import URL as URL_VARIABLE
from bearpit_server.storage.models import Event
from bearpit_server.storage.models.channels import ChannelTarget, Delivery

from tests.orders import buy, sell
from tests.postgres import Postgres
from tests.receivers import BotApi, Receiver, listening, verified
from tests.venue import Venue, refused, venue

TOKEN = "777:token"
WEBHOOK, TELEGRAM = pb.CHANNEL_KIND_WEBHOOK, pb.CHANNEL_KIND_TELEGRAM
CONFIRMED = pb.CHANNEL_STATE_CONFIRMED


class Camp:
    """A server whose players have somewhere to be told."""

    def __init__(self, floor: Venue, receiver: Receiver, api: BotApi) -> None:
        self.floor = floor
        self.receiver = receiver
        self.api = api

    async def add(self, client: Client, address: str = "", **more: Any) -> pb.AddChannelResponse:
        kind = more.pop("kind", WEBHOOK)
        request = pb.AddChannelRequest(kind=kind, address=address or self.receiver.url(), **more)
        return await client.channels.AddChannel(request)

    async def confirm(self, client: Client, channel_id: int, code: str = "", **more: Any) -> pb.Channel:
        request = pb.ConfirmChannelRequest(channel_id=channel_id, code=code, **more)
        return (await client.channels.ConfirmChannel(request)).channel

    async def confirmed(self, client: Client, address: str = "", **more: Any) -> pb.AddChannelResponse:
        added = await self.add(client, address, **more)
        await self.confirm(client, added.channel.channel_id)
        return added

    async def test(self, client: Client, channel_id: int, **more: Any) -> pb.TestChannelResponse:
        return await client.channels.TestChannel(pb.TestChannelRequest(channel_id=channel_id, **more))

    async def listed(self, client: Client, player: str = "") -> list[pb.Channel]:
        return list((await client.channels.ListChannels(pb.ListChannelsRequest(player=player))).channels)

    def code(self, chat: int) -> str:
        """The last code that a chat was told."""
        return self.api.texts(chat)[-1].removeprefix("Your code is ").partition("\n")[0]


@pytest.fixture(name="camp")
async def make_camp(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Camp]:
    async with AsyncExitStack() as stack:
        api = BotApi(TOKEN)
        await stack.enter_async_context(listening(api))
        monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
        monkeypatch.setenv(URL_VARIABLE, api.base)
        receiver = Receiver()
        await stack.enter_async_context(listening(receiver))
        floor = await stack.enter_async_context(venue(postgres))
        operator = await floor.operator()
        await floor.settings(channel_test_seconds=0)
        allow = UpdateSettingsRequest(values={"webhook_private_addresses": "true"})
        await operator.admin.UpdateSettings(allow)
        yield Camp(floor, receiver, api)


async def test_a_webhook_is_confirmed_by_taking_a_signed_test_and_then_told_everything(camp: Camp) -> None:
    ada = await camp.floor.player("ada")
    added = await camp.add(ada)
    assert added.channel.state == pb.CHANNEL_STATE_PENDING
    assert added.secret.startswith("whsec_")
    camp.receiver.statuses = [500]
    error = await refused(camp.confirm(ada, added.channel.channel_id))
    assert (error.reason, "it answered 500" in error.message) == ("CHANNEL_UNREACHABLE", True)
    assert (await camp.confirm(ada, added.channel.channel_id)).state == CONFIRMED
    assert verified(camp.receiver.posted[-1], added.secret)
    assert camp.receiver.posted[-1].json["type"] == "notification.test"
    operator = await camp.floor.operator()
    await operator.announcements.Announce(AnnounceRequest(title="Lunch", body="soup", lifetime_seconds=60))
    posted = (await camp.receiver.until(3))[-1]
    assert verified(posted, added.secret)
    assert (posted.json["type"], posted.json["data"]["title"]) == ("notification.announcement", "Lunch")


async def test_a_chat_is_confirmed_by_the_code_that_it_was_told_and_by_few_tries(camp: Camp) -> None:
    ada = await camp.floor.player("ada")
    camp.api.chats = {42}
    added = await camp.add(ada, "42", kind=TELEGRAM)
    assert (added.secret, added.channel.last_error) == ("", "")
    channel_id = added.channel.channel_id
    wrong = await refused(camp.confirm(ada, channel_id, "AAAAAAAA"))
    assert (wrong.reason, wrong.metadata["tries_left"]) == ("CHANNEL_CODE_WRONG", "4")
    assert (await camp.confirm(ada, channel_id, camp.code(42).lower() + " ")).state == CONFIRMED
    assert (await camp.test(ada, channel_id)).delivered
    assert camp.api.texts(42)[-1].startswith("A test from Bearpit")


async def test_fifty_guesses_at_once_are_five_and_then_the_right_code_is_refused_too(camp: Camp) -> None:
    ada = await camp.floor.player("ada")
    camp.api.chats = {42}
    channel_id = (await camp.add(ada, "42", kind=TELEGRAM)).channel.channel_id
    guesses = (refused(camp.confirm(ada, channel_id, f"AAAAAA{n:02}")) for n in range(50))
    errors = await asyncio.gather(*guesses)
    assert {error.reason for error in errors} == {"CHANNEL_CODE_WRONG"}
    assert sum("too many tries" in error.message for error in errors) == 45
    assert "too many tries" in (await refused(camp.confirm(ada, channel_id, camp.code(42)))).message
    last = await refused(camp.test(ada, channel_id))
    assert "too many tries" in last.message, "a new code brings no new tries"


async def test_a_chat_that_may_be_anothers_is_sent_few_codes(camp: Camp) -> None:
    eve = await camp.floor.player("eve")
    camp.api.chats = {42}
    channel_id = (await camp.add(eve, "42", kind=TELEGRAM)).channel.channel_id
    for _ in range(5):
        assert (await camp.test(eve, channel_id)).delivered
    error = await refused(camp.test(eve, channel_id))
    assert (error.reason, error.metadata["tries_left"]) == ("CHANNEL_CODE_WRONG", "0")
    assert len(camp.api.texts(42)) == 6


async def test_a_chat_that_has_not_started_the_bot_is_told_how_and_then_gets_a_new_code(camp: Camp) -> None:
    ada = await camp.floor.player("ada")
    added = await camp.add(ada, "42", kind=TELEGRAM)
    assert "press Start" in added.channel.last_error
    camp.api.chats = {42}
    assert (await camp.test(ada, added.channel.channel_id)).delivered
    assert (await camp.confirm(ada, added.channel.channel_id, camp.code(42))).state == CONFIRMED


async def test_nobody_touches_or_sees_more_of_anothers_channel_than_he_may(camp: Camp) -> None:
    ada, bob = await camp.floor.player("ada"), await camp.floor.player("bob")
    operator = await camp.floor.operator()
    mine = await camp.confirmed(ada, camp.receiver.url("/hook?key=secret"), kinds=[NOTIFICATION_KIND_FILL])
    channel_id = mine.channel.channel_id
    for call in (
        camp.confirm(bob, channel_id),
        camp.test(bob, channel_id),
        bob.channels.RemoveChannel(pb.RemoveChannelRequest(channel_id=channel_id)),
    ):
        assert (await refused(call)).reason == "NOT_FOUND"
    for name in ("ada", "*"):
        assert (await refused(camp.listed(bob, name))).reason == "NOT_ALLOWED"
        letters = pb.ListDeadLettersRequest(player=name)
        assert (await refused(bob.channels.ListDeadLetters(letters))).reason == "NOT_ALLOWED"
    [own] = await camp.listed(ada)
    assert (own.address, list(own.kinds)) == (camp.receiver.url("/hook?key=secret"), [NOTIFICATION_KIND_FILL])
    [seen] = await camp.listed(operator, "*")
    assert (seen.player_name, seen.address) == ("ada", "http://127.0.0.1/…")
    with camp.floor.database.transaction():
        for row in Event.select().where(Event.type.startswith("channel.")):
            assert "key=secret" not in str(row.payload) and mine.secret not in str(row.payload)  # noqa: PT018


async def test_twice_sent_adds_once_and_tells_the_secret_once(camp: Camp) -> None:
    ada, again = await camp.floor.player("ada"), await camp.floor.sign_in("ada")
    answers = await asyncio.gather(*(camp.add((ada, again)[n % 2], request_id="same") for n in range(50)))
    assert len({answer.channel.channel_id for answer in answers}) == 1
    assert len([answer for answer in answers if answer.secret]) == 1
    assert (await refused(camp.add(ada))).reason == "ALREADY_EXISTS"
    rehearsed = await camp.add(ada, camp.receiver.url("/other"), validate_only=True)
    assert (rehearsed.channel.channel_id, rehearsed.secret) == (0, "")
    assert len(await camp.listed(ada)) == 1


async def test_fifty_at_once_come_to_no_more_channels_than_allowed(camp: Camp) -> None:
    ada = await camp.floor.player("ada")
    await camp.floor.settings(channels_most=3, channels_day_most=4)

    async def attempt(n: int) -> str:
        try:
            await camp.add(ada, camp.receiver.url(f"/hook{n}"))
        except Exception as error:
            return str(getattr(error, "reason", error))
        return "added"

    done = await asyncio.gather(*map(attempt, range(50)))
    assert sorted(set(done)) == ["LIMIT_EXCEEDED", "added"]
    assert done.count("added") == 3
    for channel in await camp.listed(ada):
        await ada.channels.RemoveChannel(pb.RemoveChannelRequest(channel_id=channel.channel_id))
    assert (await camp.add(ada)).channel.channel_id
    assert (await refused(camp.add(ada, camp.receiver.url("/one-more")))).metadata[
        "limit"
    ] == "channels_a_day"


async def test_tests_are_not_a_way_to_flood_others(camp: Camp) -> None:
    ada = await camp.floor.player("ada")
    await camp.floor.settings(channel_test_seconds=3_600)
    channel_id = (await camp.add(ada)).channel.channel_id
    assert (await camp.test(ada, channel_id, validate_only=True)).delivered is False
    first = await camp.test(ada, channel_id, request_id="first")
    assert first.delivered
    assert "sent before" in (await camp.test(ada, channel_id, request_id="first")).error
    for call in (camp.test(ada, channel_id), camp.confirm(ada, channel_id)):
        error = await refused(call)
        assert (error.reason, int(error.metadata["retry_after_ms"]) > 0) == ("RATE_LIMITED", True)
    assert len(camp.receiver.posted) == 1


async def test_what_cannot_be_a_channel_is_refused(camp: Camp) -> None:
    ada = await camp.floor.player("ada")
    for more, reason in (
        ({"kind": pb.CHANNEL_KIND_UNSPECIFIED}, "INVALID_FIELD"),
        ({"address": "ftp://example.org"}, "INVALID_FIELD"),
        ({"address": "-100200", "kind": TELEGRAM}, "INVALID_FIELD"),
        ({"kinds": [99]}, "INVALID_FIELD"),
        ({"kinds": [0]}, "INVALID_FIELD"),
    ):
        assert (await refused(camp.add(ada, **more))).reason == reason
    forbid = UpdateSettingsRequest(values={"webhook_private_addresses": "false"})
    await (await camp.floor.operator()).admin.UpdateSettings(forbid)
    assert (await refused(camp.add(ada, "https://127.0.0.1/hook"))).reason == "ADDRESS_NOT_ALLOWED"
    assert (await refused(camp.add(ada))).reason == "INVALID_FIELD", "http is not https"


async def test_dead_letters_are_listed_and_an_operator_may_have_them_tried_again(camp: Camp) -> None:
    ada, bob = await camp.floor.player("ada"), await camp.floor.player("bob")
    operator = await camp.floor.operator()
    await camp.floor.settings(channel_attempts=1)
    await camp.confirmed(ada, kinds=[NOTIFICATION_KIND_ANNOUNCEMENT])
    camp.receiver.statuses = [500]
    await operator.announcements.Announce(AnnounceRequest(title="Lunch", lifetime_seconds=60))
    await camp.receiver.until(2)
    letters: list[pb.DeadLetter] = []
    while not letters:
        answer = await operator.channels.ListDeadLetters(pb.ListDeadLettersRequest(player="*"))
        letters = list(answer.dead_letters)
    [letter] = letters
    assert (letter.player_name, letter.title, letter.last_error) == ("ada", "Lunch", "it answered 500")
    assert list((await ada.channels.ListDeadLetters(pb.ListDeadLettersRequest())).dead_letters) == [letter]
    request = pb.RetryDeadLetterRequest(delivery_id=letter.delivery_id, request_id="again")
    assert (await refused(bob.channels.RetryDeadLetter(request))).reason == "NOT_FOUND"
    await asyncio.gather(*(operator.channels.RetryDeadLetter(request) for _ in range(50)))
    posted = await camp.receiver.until(3)
    assert posted[1].headers["webhook-id"] == posted[2].headers["webhook-id"]
    with camp.floor.database.transaction():
        assert Event.select().where(Event.type == "channel.retried").count() == 1


async def test_an_order_waits_for_no_channel(camp: Camp) -> None:
    await camp.floor.list_instrument("ACME")
    await camp.floor.open_market()
    ada, bob = await camp.floor.player("ada"), await camp.floor.player("bob", ACME=100)
    for client in (ada, bob):
        await camp.confirmed(client)
    camp.receiver.hangs = True
    await camp.floor.settings(channel_timeout_ms=30_000)
    await camp.floor.place(bob, sell("ACME", 100, 1_000))
    operator = await camp.floor.operator()
    await operator.announcements.Announce(AnnounceRequest(title="Lunch", lifetime_seconds=60))
    # It is on its way to both, and hangs: nothing is answered until the test lets go.
    await camp.receiver.until(4)
    done = [await camp.floor.place(ada, buy("ACME", 1, 1_000)) for _ in range(20)]
    assert [one.order.filled_quantity for one in done] == [1] * 20
    assert len(camp.receiver.posted) == 4, "one at a time to each, and both hang"
    with camp.floor.database.transaction():
        assert ChannelTarget.select().where(ChannelTarget.delivered > 0).count() == 0
        assert Delivery.select().where(Delivery.state == 2).count() == 0
    camp.receiver.let_go()
