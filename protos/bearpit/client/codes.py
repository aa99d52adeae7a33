"""Codes as people paste them, as they are shown, and as links."""

import re

LINK = "bearpit://redeem/"
LENGTH = 13
"""Characters of a code, without hyphens; the last one checks the others, which the server sees to."""

_LINK = re.compile(re.escape(LINK) + r"([^\s<>\"'?#]*)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015\u2212_.]+")
_AROUND = "\"'`<>()[]«»“”„‘’.,;:!*"
_SHAPE = re.compile(rf"[0-9A-Za-z]{{{LENGTH}}}")


def code_in(pasted: str) -> str:
    """The code in what somebody typed or pasted, as it is printed: ABCD-EFGH-JKMNP.

    A link may have words around it, and quotes go. What does not look like a code is returned bare, for the
    server to say what is wrong with it.
    """
    link = _LINK.search(pasted)
    bare = (link[1] if link else pasted).strip().strip(_AROUND).strip("/").strip()
    symbols = _BETWEEN.sub("", bare)
    if not _SHAPE.fullmatch(symbols):
        return bare
    symbols = symbols.upper().replace("O", "0").replace("I", "1").replace("L", "1")
    return f"{symbols[:4]}-{symbols[4:8]}-{symbols[8:]}"


def link_to(code: str) -> str:
    """A link that brings a code along, and is taken wherever a code is."""
    return LINK + code
