"""Deliveries: over real connections, to other sides that answer, refuse, hang, and go away."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bearpit_server.channels import deliveries, targets
from bearpit_server.channels.addresses import Addresses, LookUp, system_look_up
from bearpit_server.channels.base import Channel
from bearpit_server.channels.outbox import Outbox
from bearpit_server.channels.targets import Limits
from bearpit_server.channels.telegram import DEFAULT_URL, MAX_TEXT, Bot, Telegram, bot_of, text_of
from bearpit_server.channels.webhook import Webhook, sign
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.game.notices import notifications
from bearpit_server.identity.players import create_player
from bearpit_server.rules.channels import DeliveryState, Kind, State
from bearpit_server.rules.notices import Kind as NoticeKind
from bearpit_server.rules.notices import Notice
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.settings import find
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Event
from bearpit_server.storage.models.channels import ChannelTarget, Delivery
from bearpit_server.storage.settings import Settings, store

from tests.receivers import BotApi, Posted, Receiver, listening, verified
from tests.unit.test_client_tls import KEY, OF_ANOTHER

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOKEN = "12345:very-secret-token"


class Post:
    """An outbox on an empty database, a player, and the time, which stands still."""

    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self.database = database
        self.now = START
        self.private_allowed = True
        self.settings = Settings()
        self.stack = stack
        self.token, self.telegram_url = TOKEN, DEFAULT_URL
        self.look_up: LookUp = system_look_up
        self.trust: ssl.SSLContext | None = None
        self.outbox: Outbox
        self._numbers = 0
        with database.transaction():
            self.player_id = int(create_player("ada", "x", ["player"], 0, HOUSE_ORIGIN).id)

    async def open(self) -> None:
        """A new outbox, as after a restart."""
        channels: dict[Kind, Channel] = {
            Kind.WEBHOOK: Webhook(Addresses(self.look_up), lambda: self.private_allowed, self.trust),
            Kind.TELEGRAM: Telegram(Bot(self.token, self.telegram_url)),
        }
        self.outbox = Outbox(self.database, self.settings, channels)
        self.stack.push_async_callback(self.outbox.close)

    async def receiver(self) -> Receiver:
        return await self.stack.enter_async_context(listening(Receiver()))

    async def bot_api(self) -> BotApi:
        made = BotApi(TOKEN)
        await self.stack.enter_async_context(listening(made))
        self.telegram_url = made.base
        await self.open()
        return made

    def set(self, **values: object) -> None:
        with self.database.transaction():
            store({key: str(value) for key, value in values.items()})
            self.settings.load()
        assert all(find(key) for key in values)

    def add(self, address: str, kind: Kind = Kind.WEBHOOK, kinds: tuple[int, ...] = ()) -> ChannelTarget:
        """A confirmed channel of the player's."""
        with self.database.transaction():
            row = targets.add(self.player_id, kind, address, kinds, Limits(1_000, 1_000), HOUSE_ORIGIN).row
            return targets.confirm(row, HOUSE_ORIGIN)

    def tell(self, *titles: str, kind: NoticeKind = NoticeKind.TRANSFER, **more: Any) -> None:
        """Notify the player."""
        with self.database.transaction():
            for title in titles:
                self._numbers += 1
                notice = Notice(self.player_id, kind, title, **more)
                notifications.tell([notice], f"test:{self._numbers}", self.now, ())

    def deliveries(self, target: ChannelTarget | None = None) -> list[Delivery]:
        with self.database.transaction():
            rows = Delivery.select().order_by(Delivery.id)
            return list(rows if target is None else rows.where(Delivery.target_id == target.id))

    def states(self) -> list[DeliveryState]:
        return [DeliveryState(row.state) for row in self.deliveries()]

    def row(self, target: ChannelTarget) -> ChannelTarget:
        with self.database.transaction():
            row: ChannelTarget = ChannelTarget.get_by_id(target.id)
        return row

    def events(self, prefix: str) -> list[str]:
        with self.database.transaction():
            rows = Event.select().where(Event.type.startswith(prefix)).order_by(Event.id)
            return [row.type for row in rows]

    async def through(self, seconds: int) -> None:
        """Let time pass, and look once a minute and whenever something may be due."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now = min(self.now + timedelta(seconds=60), end)
            await self.outbox.look()


@pytest.fixture(name="post")
async def make_post(database: Database) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        made = Post(database, stack)
        clock.use(lambda: made.now)
        stack.callback(clock.use, None)
        await made.open()
        yield made


@pytest.fixture(autouse=True)
def silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever happens, no token, secret or path is logged."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="peewee")
    yield
    said = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    assert TOKEN not in said and "whsec_" not in said and "/hook" not in said  # noqa: PT018


def titles(posted: list[Posted]) -> list[str]:
    return [one.json["data"]["title"] for one in posted]


# --- webhooks ---------------------------------------------------------------------------------------------


async def test_a_webhook_is_signed_by_the_standard_and_carries_the_notification(post: Post) -> None:
    receiver = await post.receiver()
    target = post.add(receiver.url("/hook?key=mine"))
    post.tell(
        "You got 5.00 from Bob — grüße 🐻", body="for lunch", reference="transfer:3", data={"cents": 500}
    )
    assert await post.outbox.look() == 1
    [posted] = receiver.posted
    assert (posted.path, posted.headers["content-type"]) == ("/hook?key=mine", "application/json")
    assert posted.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert verified(posted, target.secret)
    assert not verified(Posted(posted.path, posted.headers, posted.body + b" "), target.secret)
    assert posted.json == {
        "type": "notification.transfer",
        "timestamp": "2026-11-21T12:00:00.000Z",
        "data": {
            "sequence": 1, "title": "You got 5.00 from Bob — grüße 🐻", "body": "for lunch",
            "reference": "transfer:3", "priority": "NORMAL", "data": {"cents": 500},
        },
    }  # fmt: skip
    row = post.row(target)
    assert (row.delivered, row.delivered_at, row.last_error) == (1, START, "")
    assert post.states() == [DeliveryState.DELIVERED]
    assert await post.outbox.look() == 0


def test_the_signature_is_that_of_the_specifications_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_one_that_fails_is_tried_after_growing_pauses_with_the_same_id_and_bytes(post: Post) -> None:
    receiver = await post.receiver()
    receiver.statuses = [500, 0, 302, 429]
    target = post.add(receiver.url())
    post.tell("again and again")
    waits, due = [], []
    while post.states() != [DeliveryState.DELIVERED]:
        await post.outbox.look()
        [row] = post.deliveries()
        if row.state == int(DeliveryState.WAITING):
            assert await post.outbox.look() == 0, "not before its time"
            due.append(row.next_at - post.now)
            post.now = row.next_at
        waits.append(row.last_error)
    cut = "the answer was not HTTP, or was cut off"
    assert waits == ["it answered 500", cut, "it answered 302", "it answered 429", ""]
    seconds = [int(wait.total_seconds()) for wait in due]
    assert 7 <= seconds[0] <= 13
    assert all(later >= 2 * earlier for earlier, later in pairwise(seconds)), seconds
    assert len({one.headers["webhook-id"] for one in receiver.posted}) == 1
    assert len({one.body for one in receiver.posted}) == 1
    assert len({one.headers["webhook-timestamp"] for one in receiver.posted}) == 5, (
        "each attempt has its time"
    )
    assert all(verified(one, target.secret) for one in receiver.posted[-1:])
    assert (post.row(target).failures, post.row(target).delivered) == (0, 1)


async def test_one_that_never_arrives_is_kept_as_a_dead_letter_and_can_be_tried_again(post: Post) -> None:
    receiver = await post.receiver()
    receiver.statuses = [503] * 3
    post.set(channel_attempts=3)
    target = post.add(receiver.url())
    post.tell("lost")
    await post.through(3_600)
    [row] = post.deliveries()
    assert (row.state, row.attempts, row.last_error) == (int(DeliveryState.DEAD), 3, "it answered 503")
    assert len(receiver.posted) == 3
    with post.database.transaction():
        [letter] = deliveries.dead(post.player_id, 10, None)
        assert (letter.title, letter.player_name, letter.target.id) == ("lost", "ada", target.id)
        deliveries.retry(letter.row.id, post.player_id, HOUSE_ORIGIN)
        with pytest.raises(Refused):
            deliveries.retry(letter.row.id, post.player_id, HOUSE_ORIGIN)
    await post.outbox.look()
    assert post.states() == [DeliveryState.DELIVERED]
    assert post.events("channel.") == [
        "channel.added", "channel.confirmed", "channel.dead_letter", "channel.retried"
    ]  # fmt: skip
    assert len({one.headers["webhook-id"] for one in receiver.posted}) == 1


async def test_who_answers_gone_is_sent_nothing_until_confirmed_again(post: Post) -> None:
    receiver = await post.receiver()
    receiver.statuses = [410]
    target = post.add(receiver.url())
    post.tell("one", "two")
    await post.through(3_600)
    assert titles(receiver.posted) == ["one"]
    assert post.row(target).state == int(State.BROKEN)
    post.tell("three")
    await post.through(60)
    with post.database.transaction():
        targets.confirm(post.row(target), HOUSE_ORIGIN)
    post.tell("four")
    await post.through(240)
    assert sorted(titles(receiver.posted)[1:]) == ["four", "one", "two"], (
        "what came while it was broken is not sent"
    )


async def test_a_channel_that_only_ever_fails_is_broken_in_the_end(post: Post) -> None:
    receiver = await post.receiver()
    receiver.statuses = [500] * 100
    post.set(channel_attempts=1, channel_give_ups=3)
    target = post.add(receiver.url())
    post.tell(*(f"number {n}" for n in range(5)))
    await post.through(600)
    assert len(receiver.posted) == 3
    assert (post.row(target).state, post.row(target).given_up) == (int(State.BROKEN), 3)
    assert post.events("channel.broken") == ["channel.broken"]


async def test_who_takes_too_long_is_left_and_holds_nobody_up(post: Post) -> None:
    assert find("channel_timeout_ms").default == 5_000
    slow, quick = await post.receiver(), await post.receiver()
    slow.hangs = True
    post.set(channel_timeout_ms=400, channel_concurrency=8)
    hanging = [post.add(slow.url(f"/hook{n}")) for n in range(20)]
    good = post.add(quick.url())
    post.tell("hello")
    # First nobody knows who hangs: it takes some looks until all of them have had their turn.
    for _ in range(6):
        await post.outbox.look()
    assert titles(quick.posted) == ["hello"]
    [failed] = post.deliveries(hanging[0])
    assert failed.last_error == "no answer within 0.4 seconds"
    # From then on half of the places are not for those that hang.
    post.set(channel_timeout_ms=30_000)
    post.tell(*(f"number {n}" for n in range(4)))
    post.now += timedelta(hours=1)
    begun = asyncio.ensure_future(post.outbox.look())
    await slow.until(20 + 4)
    while post.row(good).delivered < 5:
        assert await post.outbox.look() <= 1
    assert not begun.done(), "those that hang still hang"
    assert len(slow.posted) == 20 + 4
    assert titles(quick.posted) == ["hello", *(f"number {n}" for n in range(4))]
    slow.let_go()
    await begun


async def test_a_delivery_whose_sender_dies_is_made_again_with_the_same_id(post: Post) -> None:
    receiver = await post.receiver()
    receiver.hangs = True
    target = post.add(receiver.url())
    post.tell("one", "two")
    died = asyncio.ensure_future(post.outbox.look())
    await receiver.until(1)
    died.cancel()
    await asyncio.gather(died, return_exceptions=True)
    receiver.let_go()
    receiver.hangs = False
    await post.open()
    assert await post.outbox.look() == 0, "it may still be under way"
    post.now += timedelta(seconds=31)
    for _ in range(3):
        await post.outbox.look()
    assert titles(receiver.posted) == ["one", "one", "two"]
    first, second, _ = receiver.posted
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert post.row(target).delivered == 2


async def test_many_outboxes_on_one_database_deliver_each_once_and_one_at_a_time(post: Post) -> None:
    receivers = [await post.receiver() for _ in range(4)]
    for receiver in receivers:
        post.add(receiver.url())
    outboxes = [post.outbox]
    for _ in range(4):
        await post.open()
        outboxes.append(post.outbox)
    expected = [f"number {n}" for n in range(5)]
    post.tell(*expected)
    while any(state is DeliveryState.WAITING for state in post.states()) or not post.states():
        await asyncio.gather(*(outbox.look() for outbox in outboxes * 4))
    for receiver in receivers:
        assert titles(receiver.posted) == expected


async def test_the_server_being_killed_and_started_again_loses_nothing(post: Post) -> None:
    """The receiver goes away as well, in the middle of it."""
    receiver = Receiver()
    async with listening(receiver):
        target = post.add(receiver.url())
        post.tell("one")
        await post.outbox.look()
    post.tell("two")
    await post.outbox.look()
    assert post.row(target).last_error == "no connection could be made"
    await post.open()
    async with listening(receiver):
        await post.through(600)
    assert titles(receiver.posted) == ["one", "two"]


async def test_what_a_player_does_not_want_there_is_not_sent(post: Post) -> None:
    receiver, picky = await post.receiver(), await post.receiver()
    post.tell("before there was a channel")
    post.add(receiver.url())
    post.add(picky.url(), kinds=(int(NoticeKind.DUEL),))
    post.tell("a fill", kind=NoticeKind.FILL)
    post.tell("a duel", kind=NoticeKind.DUEL)
    post.tell("a code", kind=NoticeKind.CODE)
    await post.through(240)
    assert titles(receiver.posted) == ["a duel", "a code"], "fills only if asked for"
    assert titles(picky.posted) == ["a duel"]
    with post.database.transaction():
        wanted = {"1": {"screen": True, "channel": True}, "5": {"screen": True, "channel": False}}
        post.database.execute(
            "UPDATE inboxes SET preferences = %s::jsonb WHERE player_id = %s",
            json.dumps(wanted),
            post.player_id,
        )
    post.tell("a fill", kind=NoticeKind.FILL)
    post.tell("a window", kind=NoticeKind.WINDOW)
    await post.through(240)
    assert titles(receiver.posted)[2:] == ["a fill"]


# --- where webhooks do not go ------------------------------------------------------------------------


async def test_a_name_that_leads_into_the_servers_network_is_not_followed(post: Post) -> None:
    receiver = await post.receiver()
    post.private_allowed = False
    answers = {
        "loop.example": ["127.0.0.1"],
        "mixed.example": ["93.184.216.34", "10.0.0.1"],
        "mapped.example": ["::ffff:127.0.0.1"],
        "nowhere.example": ["0.0.0.0"],
    }
    post.look_up = lambda host, port: answers[host]
    await post.open()
    for host in answers:
        post.add(f"https://{host}:{receiver.port}/hook")
    post.tell("secret")
    await post.outbox.look()
    found = {(row.state, row.last_error) for row in post.deliveries()}
    assert found == {(int(DeliveryState.DEAD), "the host is not on the open internet")}
    assert (len(post.deliveries()), receiver.posted) == (4, [])


async def test_http_to_the_own_network_ends_when_it_is_not_allowed_any_more(post: Post) -> None:
    receiver = await post.receiver()
    target = post.add(receiver.url())
    post.private_allowed = False
    post.tell("too late")
    await post.outbox.look()
    assert (post.row(target).last_error, receiver.posted) == ("only https is allowed", [])


async def test_redirects_are_not_followed_and_answers_read_only_so_far(post: Post) -> None:
    receiver, other = await post.receiver(), await post.receiver()
    receiver.statuses, receiver.headers = [307], {"location": other.url()}
    target = post.add(receiver.url())
    post.tell("stay here")
    await post.outbox.look()
    assert (post.row(target).last_error, other.posted) == ("it answered 307", [])


async def test_nothing_is_remembered_of_who_answers(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, proxy = await post.receiver(), await post.receiver()
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy.url(""))
    await post.open()
    receiver.headers = {"set-cookie": "seen=yes; path=/"}
    post.add(receiver.url())
    post.tell("one", "two")
    await post.through(120)
    assert titles(receiver.posted) == ["one", "two"]
    assert all("cookie" not in posted.headers for posted in receiver.posted)
    assert proxy.posted == []


async def test_what_is_connected_to_is_what_was_looked_up_and_its_certificate_that_of_the_name(
    post: Post, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(OF_ANOTHER)
    key.write_bytes(KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver = Receiver()
    await post.stack.enter_async_context(listening(receiver, context))
    post.trust = ssl.create_default_context(cafile=str(certificate))
    post.look_up = lambda host, port: ["127.0.0.1"]
    await post.open()
    right = post.add(receiver.url("/hook", "https", "camp.example"))
    wrong = post.add(receiver.url("/hook", "https", "other.example"))
    post.tell("hello")
    await post.outbox.look()
    [posted] = receiver.posted
    assert posted.headers["host"] == f"camp.example:{receiver.port}"
    assert (post.row(right).delivered, post.row(wrong).delivered) == (1, 0)
    assert post.row(wrong).last_error == "no connection could be made"


async def test_a_name_that_is_not_known_is_tried_again(post: Post) -> None:
    def look_up(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    post.look_up = look_up
    await post.open()
    target = post.add("https://gone.example/hook")
    post.tell("hello")
    await post.outbox.look()
    assert (post.row(target).last_error, post.states()) == (
        "the host's name is not known",
        [DeliveryState.WAITING],
    )


# --- Telegram -----------------------------------------------------------------------------------------------


async def test_telegram_gets_title_and_body_as_plain_text(post: Post) -> None:
    api = await post.bot_api()
    api.chats = {42}
    target = post.add("42", Kind.TELEGRAM)
    post.tell("Rank 3 <b>now</b> _really_", body="Up from 5.")
    await post.outbox.look()
    assert api.texts(42) == ["Rank 3 <b>now</b> _really_\n\nUp from 5."]
    assert set(api.posted[0].json) == {"chat_id", "text", "link_preview_options"}
    assert post.row(target).delivered == 1


async def test_a_flood_is_waited_out_for_as_long_as_telegram_says(post: Post) -> None:
    api = await post.bot_api()
    api.chats = {42}
    api.flood_seconds = 200
    target = post.add("42", Kind.TELEGRAM)
    post.tell("one", "two")
    await post.outbox.look()
    assert post.row(target).last_error == "Telegram wants fewer messages"
    await post.through(199)
    assert api.texts(42) == [], "nothing else goes there meanwhile"
    await post.through(120)
    assert api.texts(42) == ["one", "two"]


async def test_a_chat_that_has_blocked_the_bot_breaks_the_channel(post: Post) -> None:
    api = await post.bot_api()
    api.chats, api.blocked = {42}, {42}
    target = post.add("42", Kind.TELEGRAM)
    post.tell("one")
    await post.through(3_600)
    assert len(api.posted) == 1
    row = post.row(target)
    assert (row.state, "blocked" in row.last_error) == (int(State.BROKEN), True)


async def test_a_token_that_is_none_is_said_to_the_operators_and_never_shown(post: Post) -> None:
    await post.bot_api()
    post.token = TOKEN + "-wrong"
    await post.open()
    target = post.add("42", Kind.TELEGRAM)
    post.tell("one")
    await post.outbox.look()
    assert post.row(target).last_error == "the game's Telegram bot does not work now; tell the operators"
    assert TOKEN not in repr(Bot(TOKEN))
    post.telegram_url = "http://127.0.0.1:1"
    await post.open()
    post.now += timedelta(hours=1)
    await post.outbox.look()
    assert post.row(target).last_error == "no connection could be made"


async def test_an_answer_that_is_not_the_bot_apis_is_tried_again(post: Post) -> None:
    api = await post.bot_api()
    api.statuses = [502, 200]
    api.chats = {42}
    target = post.add("42", Kind.TELEGRAM)
    post.tell("one")
    await post.outbox.look()
    assert post.row(target).last_error == "Telegram answered 502"
    await post.through(600)
    assert api.texts(42) == ["one"]


def test_a_message_is_cut_to_what_telegram_takes() -> None:
    letter = targets.trial("🐻" * 3_000, "x")
    text = text_of(letter)
    assert len(text.encode("utf-16-le")) // 2 <= MAX_TEXT
    assert text.endswith("🐻…")


def test_the_bot_is_named_by_the_environment() -> None:
    assert bot_of({}) == Bot("", DEFAULT_URL)
    found = bot_of({"BEARPIT_TELEGRAM_TOKEN": "t", "BEARPIT_TELEGRAM_URL": "http://localhost:1"})
    assert (found.token, found.url) == ("t", "http://localhost:1")
    with pytest.raises(Refused) as refused:
        Telegram(Bot()).check("42")
    assert refused.value.reason == "CHANNEL_NOT_OFFERED"
