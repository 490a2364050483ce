"""What a terminal takes as a command and not as text."""

from __future__ import annotations

import re

# Sequences of ECMA-48: CSI; strings (OSC, DCS, SOS, PM, APC; a line end stops one whose terminator was lost);
# escapes of two and more bytes; and what a cut left of any of them.
ESCAPE = re.compile(
    r"\x1b\[(?P<private>[<-?]?)(?P<numbers>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b[]PX^_][^\x07\x1b\r\n]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b(?P<escape>[0-Z\\-~])"
    r"|\x1b(?:\[[0-?]*[ -/]*)?"
)
