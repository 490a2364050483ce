"""The fields of a pane other than its limits: version, model, plan, account, context."""

from __future__ import annotations

import re

from tracker.api import JSON, redact
from tracker_codex.panes import Sheet

VERSION = re.compile(
    r"(?:>_OpenAICodex\(v|CLIVersion:)(?P<major>[0-9]{1,4})\.(?P<minor>[0-9]{1,4})\.(?P<rest>[\w.+-]*)"
)
LABELS = {
    "Model:": "model",
    "Name:": "model",  # up to 0.40
    "Account:": "account",
    "Login:": "account",
    "Plan:": "plan",
    "Contextwindow:": "context",
}
LABEL = re.compile("|".join(LABELS))
NEXT = re.compile(r"[A-Z0-9][\w ./'-]{0,30}:|[^\w(<~/.…]")  # another label, or a section's emoji up to 0.40
LINES, LONGEST = 4, 300  # lines and characters of one value
ADDRESS = re.compile(r"[\w.+%-]{1,80}@[\w-]{1,80}(?:\.[\w-]{1,80})+")
PLAN = re.compile(r"[^()]*@[^()]*\(([^()]+)\)")


def version(sheet: Sheet) -> tuple[int, int] | None:
    """Major and minor number of the version in the card's first line."""
    found = VERSION.search(sheet.compact)
    return (int(found["major"]), int(found["minor"])) if found else None


def fields(sheet: Sheet) -> dict[str, JSON]:
    """The fields of a reading; an address is shortened to `d***@example.com`."""
    found: dict[str, JSON] = {}
    known = VERSION.search(sheet.compact)
    if known and known["rest"]:
        found["version"] = f"{known['major']}.{known['minor']}.{known['rest']}"
    for number, place in enumerate(sheet.starts):
        if label := LABEL.match(sheet.compact, place):
            end = min(_end(sheet, number), label.end() + LONGEST)
            _keep(found, LABELS[label[0]], sheet.words(label.end(), end), sheet.compact[label.end() : end])
    return found


def _end(sheet: Sheet, number: int) -> int:
    """Where the value of the label on that line ends: at the next label."""
    for following in range(number + 1, min(number + LINES, len(sheet.starts))):
        if NEXT.match(sheet.lines[following]):
            return sheet.starts[following]
    return sheet.starts[number + LINES] if number + LINES < len(sheet.starts) else len(sheet.compact)


def _keep(found: dict[str, JSON], name: str, value: str, compact: str) -> None:
    if name == "account":
        if address := ADDRESS.match(compact):
            found.setdefault("account", redact(address[0]))
        plan = PLAN.match(value)
        if plan or not ("@" in value or value.startswith("API key")):
            name, value = "plan", plan[1] if plan else value
    elif name == "model":
        value = value.partition("(")[0].strip()
    elif name == "context" and not value.endswith(")"):  # cut off
        return
    if value and name != "account":
        found.setdefault(name, redact(value))
