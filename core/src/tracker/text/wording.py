"""What to try instead of a name that was mistyped."""

from __future__ import annotations

from collections.abc import Iterable


def near(wrong: str, known: Iterable[str]) -> str:
    """A sentence that says what to try instead: a close name, else all of them."""
    # imported here, because only mistakes need it
    from difflib import get_close_matches

    names = list(known)
    asked, alike = wrong.lower(), [name for name in names if len(name) == len(wrong)]
    likely = [name for name in names if name.lower().startswith(asked) or asked in name.lower().split("-")]
    close = sorted(likely, key=len) or get_close_matches(wrong, names, 1, 0.7) or get_close_matches(wrong, alike, 1)
    if close:
        return f"Did you mean {close[0]}?"
    shown = names if len(names) <= 12 else [*names[:11], "..."]
    return f"Expected {'one of ' if len(names) > 1 else ''}{', '.join(shown)}." if names else "There is none."


def folded(text: str) -> str:
    """Lines that are too long for the terminal, broken between words; what follows is indented."""
    from shutil import get_terminal_size
    from unicodedata import east_asian_width

    room, found = get_terminal_size((80, 24)).columns, list[str]()
    for one in text.split("\n"):
        indent = len(one) - len(one.lstrip())
        first, *words = one[indent:].split(" ")
        found.append(" " * indent + first)
        for word in words:
            longer = f"{found[-1]} {word}"
            cells = sum(1 + (east_asian_width(each) in "WF") for each in longer)
            found[-1:] = [longer] if cells <= room else [found[-1].rstrip(), " " * (indent + 2) + word]
    return "\n".join(found)
