"""The operators' RPCs on the game's settings."""
# ruff: noqa: N802 - the methods are named by the contract

from bearpit.v1 import admin_pb2 as pb

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.rules.refusals import invalid
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context
from bearpit_server.services.idempotency import Done
from bearpit_server.storage import settings as stored
from bearpit_server.storage.settings import Settings


class GameSettings(AtDesk):
    """Reading and changing settings."""

    async def GetSettings(self, request: pb.GetSettingsRequest, context: Context) -> pb.GetSettingsResponse:
        """All settings."""
        held = await self._desk.database.run(_read)
        return pb.GetSettingsResponse(settings=translate.settings(held))

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: Context
    ) -> pb.UpdateSettingsResponse:
        """Change some."""
        values = dict(request.values)
        if not values:
            raise invalid("values", "give one or more settings")

        def work(by: Origin) -> Done[pb.UpdateSettingsResponse]:
            before = _read()
            stored.store(values)
            after = _read()
            changed = {key: after.text(key) for key in values if after.text(key) != before.text(key)}
            if changed:
                log.append([Event("settings.changed", "settings", by, changed)])
            return Done(pb.UpdateSettingsResponse(settings=translate.settings(after)))

        response = await self._desk.once(request, pb.UpdateSettingsResponse, work)
        await self._desk.refresh(request)
        return response


def _read() -> Settings:
    """The settings as the transaction has them."""
    held = Settings()
    held.load()
    return held
