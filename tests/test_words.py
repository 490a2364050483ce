"""Sentences that made readers stumble are gone from documents, help and messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
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

# patterns that read like a translation, each with how it is said instead
TRANSLATED = {
    "is not a": r"(?<!here )\b(?:is|are|was|were) no\b(?! (?:more|longer|less|earlier|later|older|use)\b)",
    "a sentence of its own": r"[;,:] nothing (?:was|is)\b",
    "if": r"\bwhere (?:there (?:is|are)|none is|nothing is|no)\b",
    "is": r"\bstands? (?:below|above|there|beside|behind)\b",
    "invalid": r"\bthat is none\b|\bis none such\b",
    "tracker start, end, cross": r"tracker alias (?:start|end|cross)\b",
}


def strings(source: str) -> Iterator[str]:
    """Every text of a module, docstrings included; what an f-string fills in is `...`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "..." for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_text_reads_like_a_translation() -> None:
    modules = [*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    # the reference has every command by its name
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.name != "commands.md"]
    texts = [(path, text) for path in modules for text in strings(path.read_text(encoding="utf-8"))]
    texts += [(path, path.read_text(encoding="utf-8")) for path in (ROOT / "README.md", *pages)]
    assert len(texts) > 10_000
    found = set()
    for path, text in texts:
        plain = re.sub(r"\s+", " ", text)
        for better, pattern in TRANSLATED.items():
            found |= {
                f"{path.relative_to(ROOT)}: {plain[max(one.start() - 40, 0) : one.end() + 40]!r}: say {better}"
                for one in re.finditer(pattern, plain)
            }
    assert sorted(found) == []


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
