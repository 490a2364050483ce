"""Sentences that made readers stumble are gone from documents, help and messages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GONE = (
    "Say where the records live",
    "it is no harm",
    "live with the anomaly",
    "Each that does not is one line",
    "is none later, either",
    "a prompt is everywhere",
    "carry the lane that",
    "an end that nobody knows",
    "named another one than was meant",
    "A name that is none",
    "for which the weekly bar is there",
    "What cannot be, said once",
    "behind a question to the platform",
    "Say it again every so often",
    "Again appends; the latest row counts",
    "and so will yours be",
    "is no time such as",
    "failed to be found once",
    "says again and again that",
    "which no quota does",
    "there are no more answers",
    "not every event is as it is to be",
    "Have it written again",
    "on ground that does not hold",
    "counts as what it is, a deletion",
    "does not, it does not become",
)


def test_no_sentence_that_made_readers_stumble_is_left() -> None:
    paths = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for folder in ("core/src", *(f"plugins/{path.name}/src" for path in (ROOT / "plugins").iterdir())):
        paths += [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".in")]
    assert len(paths) > 200
    found = []
    for path in paths:
        text = re.sub(r"\s+", " ", re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8")))
        found += [f"{path.relative_to(ROOT)}: {words}" for words in GONE if words in text]
    assert found == []
