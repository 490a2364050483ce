"""The unknown parts of a file: newer clients write what nobody has seen yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker_codex.session_rows import Row, Usage
from tracker_codex.session_threads import note_first

MOST_NAMES, LONGEST = 20, 40  # of what is unknown in a file
SHOWN = ("input_tokens", "output_tokens", "inputTokens", "outputTokens")  # what marks a usage, whatever its name is
RECORD = "token_usage_record"
NAMELESS = "rows of type {} without known tokens"


def note_usage(usage: object, kind: object, scratch: dict[str, Any]) -> None:
    """Note tokens of an unknown kind, which a `Usage` cannot have, also one object deeper."""
    if not isinstance(usage, dict):
        return
    odd = {name: usage[name] for name in usage.keys() - Usage.__struct_fields__}
    for value in [*odd.values()]:
        odd |= value if isinstance(value, dict) else {}
    kinds = [name for name in sorted(odd) if name.endswith(("_tokens", "Tokens")) and odd[name]]
    if kinds and usage.keys().isdisjoint(Usage.__struct_fields__):
        _count(NAMELESS.format(kind), scratch)
        return
    for name in kinds:
        if len(name) <= LONGEST and name.isidentifier():
            _count(f"rows with {name}", scratch)


def note_nameless(row: Mapping[str, Any], kind: object, scratch: dict[str, Any]) -> bool:
    """Note a row of a known type that shows tokens under other names than expected."""
    if is_noted := _has_tokens(row):
        _count(NAMELESS.format(kind), scratch)
    return is_noted


def note_counted(usage: object, row: Row, scratch: dict[str, Any]) -> None:
    """Note what a `token_count` shows that counts, and take back the note of the record whose response it is."""
    note_usage(usage, "token_count", scratch)
    note_first(row, scratch)
    if scratch.pop("is_noted", False):
        counts = scratch.get("unknown", {})
        if (count := counts.pop(name := NAMELESS.format(RECORD), 0)) > 1:
            counts[name] = count - 1


def note_row(row: Mapping[str, Any], kind: object, scratch: dict[str, Any]) -> None:
    """Note a row of an unknown type that shows tokens."""
    if _has_tokens(row):
        is_named = isinstance(kind, str) and len(kind) <= LONGEST and kind.replace("-", "_").isidentifier()
        _count(f"rows of type {kind if is_named else '(odd)'}", scratch)


def _has_tokens(value: object, depth: int = 5) -> bool:
    """Whether it is or holds a usage."""
    if not isinstance(value, dict) or depth == 0:
        return False
    if any(isinstance(value.get(name), int) and value[name] > 0 for name in SHOWN):
        return True
    return any(_has_tokens(one, depth - 1) for one in value.values())


def _count(name: str, scratch: dict[str, Any]) -> None:
    if scratch.get("is_fork"):  # a copy of its parent's
        return
    counts = scratch.setdefault("unknown", {})
    if name in counts or len(counts) < MOST_NAMES:
        counts[name] = counts.get(name, 0) + 1
