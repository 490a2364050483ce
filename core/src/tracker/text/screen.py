"""Plain text from what a terminal showed: colours stripped, cursor movements played out."""

from __future__ import annotations

import re

# Patterns are compiled at their first use: a start does not need them.
# Sequences of ECMA-48: CSI; strings (OSC, DCS, SOS, PM, APC; a line end stops one whose terminator was lost);
# escapes of two and more bytes; and what a cut left of any of them.
ESCAPE = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[]PX^_][^\x07\x1b\r\n]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-Z\\-~]"
    r"|\x1b(?:\[[0-?]*[ -/]*)?"
)
# What moves the cursor or erases, other than a line end: only then is a terminal played (pyte costs 40 ms to import).
MOVEMENT = r"\x1b\[[0-9;]*[@A-HJ-MPSTX`adefrsu]|\x1b[78DEMc]|\x1b\[\?(?:1049|1047|47)[hl]|\x08"
# C0 and C1 without tab and line feed
CONTROLS = r"[\x00-\x08\x0e-\x1f\x7f-\x9f]+"
LINE_END = r"\r\n|[\r\x0b\x0c]"


def plain_text(text: str) -> str:
    """The text as a reader of the terminal saw it, with ``\\n`` line ends; lines that scrolled off come first.

    Text without cursor movements keeps its lines as they are, and a carriage return that stands alone ends a line: to
    let it overwrite, as a terminal would, could join the label of one row with the number of another.
    """
    text = re.sub(ESCAPE, "", text.replace("\r\r\n", "\n")) if "\x1b" in text else text.replace("\r\r\n", "\n")
    return re.sub(CONTROLS, "", re.sub(LINE_END, "\n", text))
