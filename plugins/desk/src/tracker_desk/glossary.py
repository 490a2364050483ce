"""What words mean: the twelve of the README's table, which holds the same text, and others that screens show."""

GLOSSARY = {
    "provider": "a subscription with a quota: `codex`, `claude`, `glm`, or one that a plugin adds",
    "meter": "one gauge of a provider, in used percent, or a count",
    "window": "a measured stretch of work with an id such as `W0-20`",
    "capture": "reading a provider's meters: BEFORE opens a window, AFTER closes it",
    "lane": "an agent that works in parallel, named by `AGENT_ID`",
    "capacity": "what a window cost: how far the provider's main meter moved, in percentage points (pp) or a count",
    "efficiency": "finished features per unit of capacity",
    "interval": "the range in which the efficiency lies, with 95 % confidence",
    "power": "the chance that so many windows show a difference, if there is one",
    "evidence": 'how strongly the windows speak against "both are equal", such as 12 to 1',
    "churn": "lines that changed in a window",
    "ledger": "an append-only CSV file that people and spreadsheets read",
}

MORE = {
    "before": "the capture that opens a window",
    "after": "the capture that closes a window",
    "pane": "the text of a provider's status screen, as you paste it",
    "reading": "what a provider's meters showed at one instant",
    "snapshot": "a stored capture: its pane, and the reading in it",
    "sample": "a reading that is stored for the meters' history, and belongs to no window",
    "origin": "where readings come from: a program, a file, a vendor's server, or a pane that you paste",
    "account": "whose subscription a pane shows: a name that you gave it, or the first digits of a hash of its address",
    "finalize": "to credit features to a window with `tracker complete`, so that it counts in the results",
    "outcome": "how a window ended: `pass`, `partial` or `fail`",
    "quality": "how good the work of a window is, from 0 to 1, which is as planned",
    "anomaly": "captures that contradict each other, such as a meter that fell; `tracker window-audit` shows the cure",
    "certainty": "how sure a sceptic is that one of two delivers more: 50 % is a coin, 95 % is strong",
}
WORDS = {**GLOSSARY, **MORE}

SHORT = {"pp": "capacity", "ci": "interval", "n": "window"}


def entry(word: str) -> str | None:
    """The word's meaning, also by its plural or the letters that tables have; None if it is not in the glossary."""
    name = word.lower()
    name = SHORT.get(name, name)
    return WORDS.get(name) or WORDS.get(name.removesuffix("s"))
