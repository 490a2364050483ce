"""Plain text from what a terminal showed: colours stripped, cursor movements played out."""

from __future__ import annotations

import re

# CSI, OSC (ended by BEL or ST), other two-byte escapes
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|\x1b[ -/]+[0-~]")


def plain_text(text: str) -> str:
    """The text as a reader of the terminal saw it, with ``\\n`` line ends."""
    return ESCAPES.sub("", text).replace("\r\n", "\n")
