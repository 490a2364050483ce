"""What words mean; the README's table holds the same text."""

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

SHORT = {"pp": "capacity", "ci": "interval", "n": "window"}


def entry(word: str) -> str | None:
    """The word's meaning, also by its plural or the letters that tables have; None if it is not in the glossary."""
    name = word.lower()
    name = SHORT.get(name, name)
    return GLOSSARY.get(name) or GLOSSARY.get(name.removesuffix("s"))
