"""Headlines that were scheduled: told when their time has come, once, by whichever process is first."""

from datetime import datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event
from bearpit_server.storage.models import News

_TO_COME = ~News.told & News.withdrawn_at.is_null()


def next_at() -> datetime | None:
    """When the next headline comes out; None: there is none. Inside a transaction."""
    found: datetime | None = News.select(pw.fn.min(News.publish_at)).where(_TO_COME).scalar()
    return found


def tell(at: datetime) -> int:
    """Note that the headlines of up to a moment are out, and say how many those are; inside a transaction.

    Of two processes that come at once, the second waits for the first and then finds nothing left.
    """
    rows = list(
        News.update(told=True).where(_TO_COME, News.publish_at <= at).returning(News.id, News.text).execute()
    )
    log.append([Event("news.published", f"news:{row.id}", HOUSE_ORIGIN, {"text": row.text}) for row in rows])
    return len(rows)
