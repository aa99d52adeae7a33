"""A server that is killed while it delivers: nothing is lost, and what comes twice has the same id."""

from pathlib import Path

from bearpit.client import connect
from bearpit.v1 import admin_pb2
from bearpit.v1 import channels_pb2 as pb
from bearpit.v1.announcements_pb2 import AnnounceRequest
from bearpit_server.storage.database import Database

from tests.postgres import Postgres
from tests.receivers import Receiver, listening, verified
from tests.venue import OPERATOR, PASSWORD, ServerProcess, prepare

LEASES_RUN_OUT = (
    "UPDATE channel_targets SET busy_until = now()",
    "UPDATE deliveries SET next_at = now() WHERE state = 1",
)
"""What half a minute does."""


async def test_a_server_killed_while_it_delivers_loses_nothing(
    postgres: Postgres, database: Database, tmp_path: Path
) -> None:
    prepare(database)
    server, receiver = ServerProcess(postgres.url_of(database), tmp_path), Receiver()
    try:
        async with listening(receiver):
            await server.start()
            async with connect(server.address) as boss:
                await boss.sign_in(OPERATOR, PASSWORD)
                settings = {"webhook_private_addresses": "true", "channel_timeout_ms": "30000"}
                await boss.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=settings))
                request = pb.AddChannelRequest(kind=pb.CHANNEL_KIND_WEBHOOK, address=receiver.url())
                added = await boss.channels.AddChannel(request)
                confirm = pb.ConfirmChannelRequest(channel_id=added.channel.channel_id)
                await boss.channels.ConfirmChannel(confirm)
                receiver.hangs = True
                for title in ("one", "two"):
                    await boss.announcements.Announce(AnnounceRequest(title=title, lifetime_seconds=600))
                await receiver.until(2)
                server.kill()
                receiver.hangs = False
                receiver.let_go()
                with database.transaction():
                    for statement in LEASES_RUN_OUT:
                        database.execute(statement)
                await server.start()
            posted = (await receiver.until(4))[1:]
    finally:
        server.kill()
    assert [one.json["data"]["title"] for one in posted] == ["one", "one", "two"]
    assert (
        posted[0].headers["webhook-id"] == posted[1].headers["webhook-id"] != posted[2].headers["webhook-id"]
    )
    assert all(verified(one, added.secret) for one in posted)
