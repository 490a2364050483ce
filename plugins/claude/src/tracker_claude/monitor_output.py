"""Read claude-monitor's live screen, its `key=value` lines and its JSON into flat figures.

The figures, None if the output lacks them:

    token_usage_pct           used percent of the 5-hour limit
    tokens_used, token_limit  tokens of the 5-hour window (input and output), and what the tool takes for its limit
    local_tokens              tokens of the window with those of the cache
    burn_rate_per_min         tokens a minute
    cost_rate_per_min         dollars a minute; the one-shot output has it by the hour
    message_count             messages sent in the window
    cost_usd                  dollars of the window
    confidence                what the tool says that its numbers are, such as `local_estimate`
    plan                      the plan whose limit it takes
    resets_at                 the end of the window, ISO 8601 text as given
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import orjson

from tracker.api import JSON, Reading, amount, count, instant, percent, plain_text

Raw: TypeAlias = "dict[str, Any]"  # a value per figure as the output has it, nothing known of it
LINE_LIMIT = 500  # longer lines are not a screen's; it bounds the work of the patterns
WHOLE = re.compile(r"[0-9]{1,15}|[1-9][0-9]{0,2}(,[0-9]{3}){1,4}")  # 0,123 is a fraction of another language
DECIMAL = re.compile(rf"(?:{WHOLE.pattern})(\.[0-9]{{1,20}})?([eE][+-]?[0-9]{{1,2}})?")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def word(value: object) -> str | None:
    """A name such as `max20` or `local_estimate`."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def instant_text(value: object) -> str | None:
    """The text of an instant, as given."""
    return value if isinstance(value, str) and instant(value) else None


class Figure(NamedTuple):
    """How an honest value is recognized, and where the one-shot output has it."""

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
NUMBERS = [name for name, figure in FIGURES.items() if figure.honest in (amount, count, percent)]
WORDS = {"null": None, "None": None, "": None, "True": True, "true": True}  # how lines print what is no text
PATHS = {path: name for name, figure in FIGURES.items() for path in figure.paths}
PAIR = re.compile(r"([a-z_][a-z0-9_.]*)\s*=\s*(.*)")

# The live screen: emoji and box characters may stand around, but no words, so that "64% left" is not taken for used.
LABEL = re.compile(r"\W*(Token Usage|Tokens|Burn Rate|Cost Rate|Sent Messages)\s*:\s*(.*)")
VALUES = {
    "Token Usage": re.compile(r"[^\w\[]*(?:\[[^\]]*\])?\s*(?P<token_usage_pct>[^\s%]+)\s*%[\W\d_]*"),
    "Tokens": re.compile(
        # a limit that ends the line may have been cut
        r"(?P<tokens_used>[^\s/]+)\s*/\s*~?\s*(?:(?P<token_limit>[^\s(]+)\s*\([^\s)]+ left\)[\W\d_]*|\S+\W*)"
    ),
    "Burn Rate": re.compile(r"(?P<burn_rate_per_min>[^\s]+)\s*tokens/min[\W\d_]*"),
    "Cost Rate": re.compile(r"\$\s*(?P<cost_rate_per_min>[^\s$/]+)\s*\$?/min[\W\d_]*"),
    "Sent Messages": re.compile(r"(?P<message_count>[^\s]+)\s*messages?[\W\d_]*"),
}


def read_output(text: str) -> Reading:
    """The figures of one output; of several in one text, of the last."""
    text = text.lstrip("\ufeff \t\r\n")
    if text.startswith("{"):
        return _read_json(text)
    lines = [line.strip() for line in plain_text(text).split("\n") if len(line) <= LINE_LIMIT]
    pairs, trimmed = _last_output(_pairs(lines))
    if pairs:
        return _reading(_one_shot(pairs), pairs, trimmed)
    raw, trimmed = _last_output(_labels(lines))
    return _reading(raw, {}, trimmed)


def _read_json(text: str) -> Reading:
    try:
        payload = orjson.loads(text)
    except ValueError:
        return Reading(errors=("invalid-json",))
    if not any(isinstance(payload.get(key), dict) for key in ("limits", "local")):
        return Reading(errors=("invalid-report",))
    found = {path: _at(payload, path) for path in (*PATHS, "generated_at", "stale")}
    return _reading(_one_shot(found), found)


def _at(payload: Any, path: str) -> Any:
    """The value at a dotted path; if something on the way is not an object, that thing itself."""
    for key in path.split("."):
        if payload is None:
            return None
        if not isinstance(payload, dict):
            return [payload]
        payload = payload.get(key)
    return payload


def _one_shot(found: Mapping[str, Any]) -> Raw:
    """The figures' raw values by their paths, the cost rate by the minute."""
    raw = {
        name: next((found[path] for path in figure.paths if found.get(path) is not None), None)
        for name, figure in FIGURES.items()
    }
    hourly = amount(raw["cost_rate_per_min"])
    if hourly is not None:
        raw["cost_rate_per_min"] = hourly / 60
    return raw


def _last_output(found: Iterable[tuple[str, Raw]]) -> tuple[Raw, bool]:
    """The values of the last output, which begins where a label is repeated, and whether there were others."""
    seen: set[str] = set()
    raw: Raw = {}
    trimmed = False
    for label, values in found:
        if label in seen:
            seen, raw, trimmed = set(), {}, True
        seen.add(label)
        raw |= values
    return raw, trimmed


def _pairs(lines: Iterable[str]) -> Iterable[tuple[str, Raw]]:
    for line in lines:
        match = PAIR.fullmatch(line)
        if match and (match[1] in PATHS or match[1] in ("generated_at", "stale")):
            yield match[1], {match[1]: _typed(PATHS.get(match[1], ""), match[2])}


def _labels(lines: Iterable[str]) -> Iterable[tuple[str, Raw]]:
    for line in lines:
        if label := LABEL.fullmatch(line):
            pattern = VALUES[label[1]]
            match = pattern.fullmatch(label[2])
            values = match.groupdict() if match else dict.fromkeys(pattern.groupindex, label[2])
            yield (
                label[1],
                {name: _typed(name, one) if match and one is not None else [one] for name, one in values.items()},
            )


def _typed(name: str, text: str) -> Any:
    """What a printed value would be in JSON."""
    if text in WORDS:
        return WORDS[text]
    return number(text, whole=FIGURES[name].honest is count) if name in NUMBERS else text


def _reading(raw: Raw, about: Mapping[str, Any], trimmed: bool = False) -> Reading:
    fields = {name: figure.honest(raw.get(name)) for name, figure in FIGURES.items()}
    errors = [f"section-missing:{name}" for name in FIGURES if raw.get(name) is not None and fields[name] is None]
    if about.get("stale") is True:
        errors.append("stale-data")
    if trimmed:
        errors.append("multi-pane-trimmed")
    if all(fields[name] is None for name in NUMBERS):
        return Reading(errors=("insufficient-data", *errors))
    return Reading(fields=fields, errors=tuple(errors), as_of=instant(about.get("generated_at")))


def number(text: str, whole: bool) -> float | str:
    """The number that a text prints the English way; the text itself if it prints none.

    `1.234` is not a whole number, since a tool in another language may mean a thousand.
    """
    if not (WHOLE if whole else DECIMAL).fullmatch(text):
        return text
    digits = text.replace(",", "")
    return int(digits) if whole else float(digits)
