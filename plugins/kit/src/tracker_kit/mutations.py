"""What happens to a pane between a terminal and a pipe: cut, wrapped, coloured, repeated, surrounded."""

from __future__ import annotations

from collections.abc import Iterator

CUTS = 40
WIDTHS = (24, 40, 64, 100)
PROMPT = "dev@laptop:~/code$ ls\nREADME.md  src\ndev@laptop:~/code$ "


def cuts(text: str) -> Iterator[tuple[str, str]]:
    """The text cut off at its end, at places spread over all of it."""
    step = max(1, len(text) // CUTS)
    for end in range(0, len(text), step):
        yield f"cut after {end} characters", text[:end]


def wraps(text: str) -> Iterator[tuple[str, str]]:
    """Every line broken at a width, as a narrow terminal does."""
    for width in WIDTHS:
        lines = (line[at : at + width] for line in text.splitlines() for at in range(0, max(len(line), 1), width))
        yield f"wrapped at {width} columns", "\n".join(lines)


def dressings(text: str) -> Iterator[tuple[str, str]]:
    """The same content in another form: the values must be the same."""
    lines = text.splitlines()
    if not text.lstrip().startswith(("{", "[")):  # what a program answers is no screen
        yield "coloured", "\n".join(f"\x1b[38;5;{30 + at % 7}m{line}\x1b[0m" for at, line in enumerate(lines))
    yield "with CR LF", "\r\n".join(lines)
    yield "with trailing spaces", "\n".join(f"{line}   " for line in lines)


def surroundings(text: str) -> Iterator[tuple[str, str]]:
    """The text among others: it is found, or nothing is."""
    yield "after a prompt", PROMPT + "\n" + text
    yield "before other output", text + "\n" + PROMPT
    yield "doubled", f"{text}\n{text}"


FOREIGN = (
    "",
    "\n",
    "100%",
    "$ ls\nREADME.md\n",
    "\x1b[2J\x1b[H",
    "Context window: 100% left (1.27K used / 272K)",
    "progress: 55% used, resets soon\n",
    "{}",
    "[]",
    "null",
    '{"unrelated": true}',
    "\x00\x01\x02",
    "9" * 5000,
    "[" * 100_000,
)
JUNK_LINES = (
    b"",
    b"\n",
    b"{}",
    b"[]",
    b"null",
    b"[1",
    b"\xff\xfe\x00",
    b'{"unrelated": true}',
    b'{"ts": 1e400}',
    b'{"rid": {"a": []}}',
    b"x" * 100_000,
    b"[" * 50_000,
)
