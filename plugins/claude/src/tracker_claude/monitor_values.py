"""The figures of claude-monitor's output, checked: a value of another type is not converted."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from tracker.api import JSON, amount, count, instant, percent

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def word(value: object) -> str | None:
    """A name such as `max20` or `local_estimate`."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def instant_text(value: object) -> str | None:
    """The text of an instant, as given."""
    return value if isinstance(value, str) and instant(value) else None


@frozen(eq=False, repr=False, slots=False)
class Figure:
    """How an honest value is told, and where the one-shot output has it."""

    honest: Callable[[object], JSON]
    paths: tuple[str, ...]


FIGURES = {
    "token_usage_pct": Figure(percent, ("limits.five_hour.used_percentage",)),
    "tokens_used": Figure(count, ("limits.five_hour.tokens_used",)),
    "token_limit": Figure(count, ("limits.five_hour.token_limit",)),
    "local_tokens": Figure(count, ("local.tokens.total_tokens", "local.tokens")),
    "burn_rate_per_min": Figure(amount, ("local.burn_rate_tokens_per_minute",)),
    "cost_rate_per_min": Figure(amount, ("local.burn_rate_cost_per_hour",)),
    "message_count": Figure(count, ("local.sent_messages",)),
    "cost_usd": Figure(amount, ("local.cost_usd",)),
    "confidence": Figure(word, ("confidence",)),
    "plan": Figure(word, ("plan",)),
    "resets_at": Figure(instant_text, ("limits.five_hour.resets_at",)),
}
