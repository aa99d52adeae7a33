"""How numbers are written: cents, quantities and basis points, in whole-number arithmetic throughout."""

MINUS = "−"
# Thousands, millions, billions, trillions, then the SI letters, for int64 goes up to 9.2 E.
SUFFIXES = ("", "k", "M", "B", "T", "P", "E")


def money(cents: int) -> str:
    """Cents as `1,234.56`."""
    units, rest = divmod(abs(cents), 100)
    return f"{MINUS if cents < 0 else ''}{units:,}.{rest:02}"


def signed_money(cents: int) -> str:
    """Cents as `+1,234.56` or `−1,234.56`; nothing gained is `0.00`."""
    return f"+{money(cents)}" if cents > 0 else money(cents)


def compact(number: int) -> str:
    """A count in at most six characters: `999`, `2.4k`, `22k`, `613k`, `1.2M`.

    Cut, not rounded: it never says more than there is.
    """
    size, power = abs(number), 0
    while size >= 1000 ** (power + 1) and power < len(SUFFIXES) - 1:
        power += 1
    tenths = size * 10 // 1000**power
    digits = f"{tenths // 10}" if tenths >= 1000 or tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"
    return f"{MINUS if number < 0 else ''}{digits}{SUFFIXES[power]}"


def compact_money(cents: int) -> str:
    """Cents as `61.2k`; below a thousand points in full."""
    units = abs(cents) // 100
    return money(cents) if units < 1000 else compact(-units if cents < 0 else units)


def fit_money(cents: int, width: int) -> str:
    """Cents in at most `width` cells: in full, else without the cents, else compact.

    As in a spreadsheet, `##` says that there is a number and no room for it; half a number would mislead.
    """
    full = money(cents)
    units = abs(cents) // 100
    forms = (full, full[:-3], compact(-units if cents < 0 else units))
    return next((form for form in forms if len(form) <= width), "#" * width)


def fit_count(number: int, width: int) -> str:
    """A count, compact, in at most `width` cells, likewise."""
    text = compact(number)
    return text if len(text) <= width else "#" * width


def fit_signed_money(cents: int, width: int) -> str:
    """The same with the sign of a gain."""
    return "+" + fit_money(cents, width - 1) if cents > 0 else fit_money(cents, width)


def percent(bps: int) -> str:
    """Basis points as `1.92%`, without a sign: for use beside an arrow."""
    units, rest = divmod(abs(bps), 100)
    return f"{units}.{rest:02}%" if units < 1000 else f"{compact(units)}%"


def signed_percent(bps: int) -> str:
    """Basis points as `+1.92%` or `−1.92%`."""
    sign = "+" if bps > 0 else MINUS if bps < 0 else ""
    return sign + percent(bps)


def arrow(change: int) -> str:
    """The way something went, for those who do not see its colour."""
    return "▲" if change > 0 else "▼" if change < 0 else " "
