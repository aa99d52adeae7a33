"""What a game can be furnished with beside its stocks: feeds, the biomes, a story with its chapters.

Furnishing again is safe: what is there already stays as it is, an operator's changes too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bearpit.client import Client
from bearpit.v1 import admin_pb2, market_pb2, pricing_pb2, windows_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from bearpit_admin.bots import history

Parameters = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument, and what is set of its mechanism."""

    symbol: str
    name: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Instruments whose prices form together."""

    name: str
    """The group's, where the mechanism has groups."""
    title: str
    mechanism: str
    parameters: Parameters
    instruments: tuple[Instrument, ...]
    fee_bps: int = 10


@dataclass(frozen=True, slots=True)
class Chapters:
    """Trading windows that follow one another."""

    title: str
    minutes: int
    """From one chapter to the next."""
    opens: int = 10
    """Seconds from now until the first one opens; then until it trades, stops, settles, closes."""
    trades: int = 25
    ends: int = 145
    settles: int = 150
    closes: int = 200
    algorithm: str = "elastic"
    parameters: Parameters = field(default_factory=dict)


FUTURES = Scenario(
    "futures", "Futures: prices at random that share one wind", "feed",
    {"source": "simulated", "interval_ms": 1_000, "day_ms": 10_000, "common_volatility_bps": 120},
    (
        Instrument("GOLD", "Gold", {"price_cents": 18_000, "volatility_bps": 90, "common_bps": 3_000,
            "spread_bps": 10}),
        Instrument("OIL", "Crude Oil", {"price_cents": 7_500, "volatility_bps": 220, "common_bps": 12_000,
            "jumps_per_day_bps": 500, "jump_bps": 300, "spread_bps": 20}),
        Instrument("WHEAT", "Wheat", {"price_cents": 2_400, "volatility_bps": 160, "reversion_bps": 800,
            "level_cents": 2_400, "common_bps": 5_000, "spread_bps": 20}),
    ),
)  # fmt: skip


def _replay(name: str, title: str, suffix: str, starts_on: str, days: int, hours: float) -> Scenario:
    """The four histories from a day on, so many days in so many hours."""
    day_ms = round(hours * 3_600_000 / days)
    stocks = (("AAPL", "Apple"), ("GOOG", "Google"), ("IBM", "IBM"), ("MSFT", "Microsoft"))
    return Scenario(
        name, title, "feed",
        {"source": "recorded", "interval_ms": 1_000, "day_ms": day_ms, "starts_on": starts_on,
         "when_over": "repeat"},
        tuple(
            Instrument(f"{symbol}-{suffix}", f"{company}, {title}", {"recording": symbol, "spread_bps": 10})
            for symbol, company in stocks
        ),
    )  # fmt: skip


CRASH = _replay("crash-2008", "the crash of 2008", "08", "2008-08-25", 210, 1)
REPLAYS = (
    CRASH,
    _replay("dot-com", "the dot-com crash", "00", "2000-02-28", 780, 1),
    _replay("rise-2009", "the rise after 2009", "09", "2009-03-09", 1_000, 1),
    _replay("decade", "2000 to 2013 in a day", "DEC", "2000-02-28", 4_750, 24),
)
"""Every one plays the shipped histories; GOOG begins in August 2004 and waits until then."""

BIOMES = Scenario(
    "biomes", "The seven biomes: prices follow the players' eyes", "attention",
    {"interval_ms": 500, "share_bps": 100, "floor_cents": 5_000_000},
    tuple(
        Instrument(name.upper(), name, {"shares": 10_000, "cash_cents": 20_000_000})
        for name in ("Ocean", "Beach", "Plains", "Forest", "Desert", "Mountain", "Snow")
    ),
)  # fmt: skip

STORY = Scenario(
    "story", "A story whose chapters move its heroes", "window", {},
    (
        Instrument("RONIN", "Akira the Ronin", {"price_cents": 12_000}),
        Instrument("KITSUNE", "Yuki the Fox", {"price_cents": 8_000}),
        Instrument("TANUKI", "Ponpoko", {"price_cents": 3_500}),
        Instrument("ONI", "The Red Oni", {"price_cents": 20_000}),
        Instrument("KAPPA", "Kawataro", {"price_cents": 1_500}),
    ),
)  # fmt: skip
CHAPTERS = Chapters("The Bear and the Fox", 4, parameters={"depth_shares": 400})

SCENARIOS = {scenario.name: scenario for scenario in (FUTURES, *REPLAYS, BIOMES, STORY)}
DEMO = (FUTURES, CRASH, BIOMES, STORY)


async def furnish(client: Client, scenario: Scenario) -> list[str]:
    """List what is missing of a scenario; returns the symbols that are new. `client` is an operator's."""
    listed = await client.market.ListInstruments(market_pb2.ListInstrumentsRequest(page_size=1000))
    known = {instrument.symbol for instrument in listed.instruments}
    missing = [one for one in scenario.instruments if one.symbol not in known]
    if not missing:
        return []
    if any("recording" in one.parameters for one in missing):
        await _import_histories(client)
    if scenario.parameters:
        await _group(client, scenario)
    for one in missing:
        await client.admin.CreateInstrument(
            admin_pb2.CreateInstrumentRequest(
                symbol=one.symbol,
                name=one.name,
                fee_bps=scenario.fee_bps,
                mechanism=scenario.mechanism,
                group=scenario.name if scenario.parameters else "",
                parameters=_texts(one.parameters),
            )
        )
    return [one.symbol for one in missing]


async def begin_story(client: Client, chapters: Chapters, now: datetime | None = None) -> bool:
    """Let chapters follow one another, unless some do already; says whether they began."""
    current = await client.windows.ListWindows(windows_pb2.ListWindowsRequest(current_only=True))
    if current.windows:
        return False
    now = now or datetime.now(UTC)

    def after(seconds: int) -> Timestamp:
        made = Timestamp()
        made.FromDatetime(now + timedelta(seconds=seconds))
        return made

    await client.windows.CreateWindow(
        windows_pb2.CreateWindowRequest(
            title=chapters.title,
            kind=windows_pb2.WINDOW_KIND_CHAPTER,
            times=windows_pb2.WindowTimes(
                opens_at=after(chapters.opens),
                trades_at=after(chapters.trades),
                trading_ends_at=after(chapters.ends),
                settles_at=after(chapters.settles),
                closes_at=after(chapters.closes),
            ),
            recurrence=f"FREQ=MINUTELY;INTERVAL={chapters.minutes}",
            plan=windows_pb2.SettlementPlan(
                rule=windows_pb2.Rule(algorithm=chapters.algorithm, parameters=_texts(chapters.parameters))
            ),
            scheduled=True,
        )
    )
    return True


async def _import_histories(client: Client) -> None:
    known = await client.pricing.ListRecordings(pricing_pb2.ListRecordingsRequest())
    if not {"AAPL", "GOOG", "IBM", "MSFT"} <= {recording.name for recording in known.recordings}:
        await client.pricing.ImportRecording(
            pricing_pb2.ImportRecordingRequest(csv=history.text(), replace=True)
        )


async def _group(client: Client, scenario: Scenario) -> None:
    known = await client.pricing.ListGroups(pricing_pb2.ListGroupsRequest())
    if scenario.name not in {group.name for group in known.groups}:
        await client.pricing.CreateGroup(
            pricing_pb2.CreateGroupRequest(
                name=scenario.name, mechanism=scenario.mechanism, parameters=_texts(scenario.parameters)
            )
        )


def _texts(parameters: Parameters) -> dict[str, str]:
    return {key: str(value) for key, value in parameters.items()}
