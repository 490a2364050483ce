"""What to try instead of a name that was mistyped."""

from __future__ import annotations

from collections.abc import Iterable


def near(wrong: str, known: Iterable[str]) -> str:
    """What to try instead: a close name, else all of them."""
    # imported here, because only mistakes need it
    from difflib import get_close_matches

    names = list(known)
    if not names:
        return "there are none"
    close = get_close_matches(wrong, names, n=1) or [name for name in names if name.lower() == wrong.lower()]
    if close:
        return f"did you mean {close[0]}?"
    shown = names if len(names) <= 12 else [*names[:11], "..."]
    return f"there are {', '.join(shown)}" if len(names) > 1 else f"there is only {names[0]}"
