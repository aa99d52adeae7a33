"""Codes as QR pictures: on the terminal, as PNG, and as printable sheets in SVG and PDF.

A QR code holds the link in capitals, which every code and link may be written in: so it is a quarter
smaller. A sheet is A4 with 3 by 7 labels of 63.5 by 38.1 mm, the size of common sticky labels (L7160).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from bearpit_admin.exits import Exit, Failure

if TYPE_CHECKING:
    from segno import QRCode

COLUMNS, ROWS = 3, 7
PER_PAGE = COLUMNS * ROWS
# All in millimetres.
PAGE = (210.0, 297.0)
LABEL = (63.5, 38.1)
FIRST = (7.25, 15.15)
PITCH = (66.0, 38.1)
QR = 29.7
"""A side of the QR code with its margin."""
TEXT_LEFT = 31.0
MARGIN = 4
"""Modules of white around a QR code, as its standard wants."""
MM_PER_POINT = 25.4 / 72
WRAP, WRAP_BOLD = 25, 16
"""Characters in a line of a label's text."""
REASON_LINES = 4


@dataclass(frozen=True, slots=True)
class Label:
    """What is printed of one code."""

    link: str
    code: str
    worth: str
    reason: str
    until: str
    """Empty: it does not expire."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text on a label: its baseline in mm from the top of the label, its size in points."""

    text: str
    down: float
    size: float
    style: str = ""
    """ "bold" or "mono"."""


def qr_of(link: str) -> "QRCode":
    """The QR code of a link, which can lose a quarter of its modules and still be read."""
    import segno

    return segno.make(link.upper(), error="q", micro=False)


def blocks(link: str) -> Iterator[str]:
    """The QR code in half blocks, a line of text for two rows: dark is a space, light is drawn."""
    rows = [[bool(module) for module in row] for row in qr_of(link).matrix_iter(border=MARGIN)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    drawn = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(drawn[pair] for pair in zip(upper, lower, strict=True))


def png(link: str, path: str, scale: int) -> None:
    """Write the QR code as a PNG, `scale` pixels a module. Raises OSError."""
    qr_of(link).save(path, kind="png", scale=scale, border=MARGIN)


def pages_of(labels: Sequence[Label]) -> list[Sequence[Label]]:
    """The labels, page by page."""
    return [labels[start : start + PER_PAGE] for start in range(0, len(labels), PER_PAGE)]


def svg(page: Sequence[Label]) -> str:
    """A page as SVG."""
    width, height = PAGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}"><rect width="{width:g}" height="{height:g}" fill="#fff"/>'
    ]
    for (left, top), label in zip(_places(), page, strict=False):
        # A picture of its own, so that no text runs over into the next label.
        parts.append(
            f'<svg x="{left:g}" y="{top:g}" width="{LABEL[0]:g}" height="{LABEL[1]:g}" overflow="hidden">'
        )
        path = "".join(
            f"M{x:.3f} {y:.3f}h{wide:.3f}v{tall:.3f}h-{wide:.3f}z" for x, y, wide, tall in _bars(label.link)
        )
        parts.append(f'<path d="{path}" shape-rendering="crispEdges"/>')
        for line in _lines(label):
            weight = ' font-weight="bold"' if line.style == "bold" else ""
            family = "monospace" if line.style == "mono" else "Helvetica, Arial, sans-serif"
            parts.append(
                f'<text x="{TEXT_LEFT:g}" y="{line.down:.2f}" font-family="{family}"{weight} '
                f'font-size="{line.size * MM_PER_POINT:.3f}">{escape(line.text)}</text>'
            )
        parts.append("</svg>")
    return "".join([*parts, "</svg>\n"])


def pdf(labels: Sequence[Label]) -> bytes:
    """All pages as PDF. Raises Failure for a text that its fonts have no letters for."""
    from fpdf import FPDF

    made = FPDF(unit="mm", format="A4")
    made.set_auto_page_break(False)
    for page in pages_of(labels):
        made.add_page()
        for (left, top), label in zip(_places(), page, strict=False):
            with made.rect_clip(left, top, *LABEL):
                for x, y, wide, tall in _bars(label.link):
                    made.rect(left + x, top + y, wide, tall, style="F")
                for line in _lines(label):
                    made.set_font(
                        "Courier" if line.style == "mono" else "Helvetica",
                        "B" if line.style == "bold" else "",
                        line.size,
                    )
                    made.text(left + TEXT_LEFT, top + line.down, _in_latin(line.text))
    return bytes(made.output())


def _in_latin(text: str) -> str:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise Failure(
            f"A PDF of ours has no letter {text[error.start]!r}.", Exit.USAGE, "make it with --svg instead"
        ) from None
    return text


def _places() -> Iterator[tuple[float, float]]:
    """Where the labels of a page begin, row by row."""
    for number in range(PER_PAGE):
        row, column = divmod(number, COLUMNS)
        yield FIRST[0] + column * PITCH[0], FIRST[1] + row * PITCH[1]


def _bars(link: str) -> Iterator[tuple[float, float, float, float]]:
    """The dark runs of a QR code on its label: left, top, width and height."""
    rows = [[bool(module) for module in row] for row in qr_of(link).matrix_iter(border=MARGIN)]
    side = QR / len(rows)
    above = (LABEL[1] - QR) / 2
    for down, row in enumerate(rows):
        start = 0
        while start < len(row):
            end = start
            while end < len(row) and row[end]:
                end += 1
            if end > start:
                yield start * side, above + down * side, (end - start) * side, side
            start = end + 1


def _lines(label: Label) -> Iterator[_Line]:
    down = 8.5
    for text in wrap(label.worth, WRAP_BOLD, max_lines=2, placeholder="..."):
        yield _Line(text, down, 10, "bold")
        down += 4
    yield _Line(label.code, down + 1, 9, "mono")
    down += 5.5
    for text in wrap(label.reason, WRAP, max_lines=REASON_LINES, placeholder="..."):
        yield _Line(text, down, 7)
        down += 3
    if label.until:
        yield _Line(f"until {label.until}", 35, 6)
