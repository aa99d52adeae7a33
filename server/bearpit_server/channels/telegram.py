"""Telegram: messages of the game's bot, by the Bot API's sendMessage (core.telegram.org/bots/api)."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from bearpit_server.channels.base import Failure, Letter, Target, dump
from bearpit_server.channels.posting import Post
from bearpit_server.rules.channels import check_chat
from bearpit_server.rules.refusals import Refused

URL, TOKEN = "BEARPIT_TELEGRAM_URL", "BEARPIT_TELEGRAM_TOKEN"
DEFAULT_URL = "https://api.telegram.org"
MAX_TEXT = 4_096
"""UTF-16 code units of a message, by the Bot API."""
_FORBIDDEN, _BAD_REQUEST, _TOO_MANY = 403, 400, 429
_BOTS_FAULT = (401, 404)
"""What the Bot API answers to a token that is none."""


@dataclass(frozen=True, slots=True)
class Bot:
    """Where the Bot API is, and the bot's token: a secret, neither kept nor logged."""

    token: str = field(default="", repr=False)
    url: str = DEFAULT_URL


def bot_of(environment: Mapping[str, str] = os.environ) -> Bot:
    """The bot that the environment names; one without a token: there is none."""
    return Bot(environment.get(TOKEN, ""), environment.get(URL) or DEFAULT_URL)


class Telegram:
    """Sends letters as plain text, which Telegram does not take for markup."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._post = Post()

    def check(self, address: str) -> str:
        """A user's id. Raises Refused INVALID_FIELD, or CHANNEL_NOT_OFFERED when there is no bot."""
        if not self._bot.token:
            raise Refused(
                "CHANNEL_NOT_OFFERED",
                f"kind: this game has no Telegram bot; operators give the server {TOKEN}",
                "kind",
            )
        return check_chat(address)

    async def deliver(self, letter: Letter, target: Target) -> None:
        """Send it. Raises Failure."""
        if not self._bot.token:
            raise Failure("this game has no Telegram bot now")
        content = dump(
            {
                "chat_id": int(target.address),
                "text": text_of(letter),
                "link_preview_options": {"is_disabled": True},
            }
        )
        url = f"{self._bot.url.rstrip('/')}/bot{self._bot.token}/sendMessage"
        response = await self._post.post(url, content, {})
        try:
            answer = json.loads(response.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            raise Failure(f"Telegram answered {response.status}")
        if not answer["ok"]:
            raise _failure(answer)

    async def close(self) -> None:
        """End all connections."""
        await self._post.close()


def text_of(letter: Letter) -> str:
    """The message: title and body, cut to what Telegram takes."""
    text = f"{letter.title}\n\n{letter.body}" if letter.body else letter.title
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MAX_TEXT:
        return text
    return units[: 2 * (MAX_TEXT - 1)].decode("utf-16-le", errors="ignore") + "…"


def _failure(answer: dict[str, object]) -> Failure:
    """What a refusal of the Bot API means. Its words are not passed on, but for what the owner can mend."""
    code, words = answer.get("error_code"), str(answer.get("description", "")).lower()
    parameters = answer.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if code == _TOO_MANY:
        return Failure("Telegram wants fewer messages", after_seconds=wait if isinstance(wait, int) else 1)
    if code == _FORBIDDEN:
        return Failure("the chat has blocked the game's bot, or has not started it", gone=True)
    if code == _BAD_REQUEST and "chat not found" in words:
        return Failure(
            "Telegram does not know this chat: open the game's bot in Telegram, press Start, try again",
            gone=True,
        )
    if code in _BOTS_FAULT:
        return Failure("the game's Telegram bot does not work now; tell the operators")
    return Failure(f"Telegram answered {code}", retry=code != _BAD_REQUEST)
