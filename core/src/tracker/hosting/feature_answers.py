"""Answers of features' hooks: what each hook must give, so that a slip of one feature costs its part alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

from tracker.hosting.guard import Timer, guarded

# these speak to the user themselves, and one of them may follow a stream for days
SPEAKING = {"ingest_stream", "command_finished", "show_table"}
# a long history may take minutes of CPU time; more is a loop
SECONDS = 600.0
# the class of a list's items, and of other answers, by module: a hook that is not asked costs no import
ITEMS = {
    "window_checks": "features:Check",
    "data_findings": "features:Finding",
    "panels": "panels:Panel",
    "meter_readings": "features:MeterReading",
    "meter_outlooks": "features:MeterOutlook",
    "usage_events": "features:UsageEvent",
}
WHOLE = {"handoff_section": "blocks:Block", "stream_facts": "features:StreamFacts"}
MAPPINGS = {"window_facts", "window_accounts", "export_formats"}


def guard(feature: str, hook: str) -> AbstractContextManager[Timer | None]:
    """What a hook runs in: its prints go to stderr, and whatever it raises becomes a `PluginError`."""
    return nullcontext() if hook in SPEAKING else guarded(feature, hook, SECONDS)


def checked(hook: str, answer: Any) -> Any:
    """The answer, built in full; a `TypeError` says what was expected."""
    if answer is None:
        return None
    if hook in ITEMS:
        found = list(answer) if isinstance(answer, Iterator | list | tuple) else answer
        wanted = _class(ITEMS[hook])
        if not isinstance(found, list) or not all(isinstance(one, wanted) for one in found):
            raise TypeError(f"expected a list of {wanted.__name__}, got {_brief(answer)}")
        return found
    wanted = Mapping if hook in MAPPINGS else _class(WHOLE[hook]) if hook in WHOLE else object
    if not isinstance(answer, wanted):
        raise TypeError(f"expected {wanted.__name__}, got {_brief(answer)}")
    if hook == "window_facts" and not all(isinstance(one, Mapping) for one in answer.values()):  # type: ignore[attr-defined]
        raise TypeError("expected columns by (window, provider), each a mapping")
    return answer


def _class(place: str) -> type:
    module, _, name = place.partition(":")
    found: type = getattr(import_module(f"tracker.contract.{module}"), name)
    return found


def _brief(answer: object) -> str:
    return f"{type(answer).__name__} {answer!r:.60}"
