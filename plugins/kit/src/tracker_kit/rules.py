"""How a check says what is broken: the rule, and where the author's guide explains it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tracker.kernel import PluginError, Registry, Session

GUIDE = "docs/reference/plugins.md"
# where the guide explains what the core found at a step of loading
STEPS = {
    "be imported": "Import late",
    "claim its name": "Packaging",
    "declare its source": "The declaration",
    "match the hook specifications": "When something is wrong",
}
# what a hook that raises has broken
MUST = {
    "parse_status": "it must not raise, whatever the text",
    "compute_delta": "it must not raise, whatever a reading lacks",
    "ingest_line": "a line that cannot be read raises Rejected and nothing else",
    "render_preview_block": "records may lack any field",
}


@cache
def installed() -> Registry:
    """Everything that is installed, loaded once for all tests of a process."""
    return Session().registry


def rule(text: str, section: str) -> str:
    return f"{text} ({GUIDE}, section {section!r})"


def refused(failure: PluginError) -> str:
    """The message for a plugin that was left out."""
    return rule(f"{failure}{_where(failure)}", STEPS.get(failure.step, "When something is wrong"))


def ask(registry: Registry, source: str, hook: str, **arguments: Any) -> Any:
    """A hook's answer as the core gets it; an answer that the core refuses fails the check."""
    with blamed(hook):
        return registry.call(source, hook, **arguments)


@contextmanager
def blamed(section: str) -> Iterator[None]:
    """A plugin's fault meanwhile becomes the message of a failing check."""
    try:
        yield
    except PluginError as error:
        raise AssertionError(rule(f"{error}{_where(error)}", section)) from error


def _where(error: PluginError) -> str:
    """The line of the plugin that raised, and the rule against that; nothing if the core refused an answer."""
    plugins = (*installed().plugins, *installed().features)
    package = next((one.place.partition(":")[0].partition(".")[0] for one in plugins if one.name == error.plugin), "")
    if error.__cause__ is None or not package:
        return ""
    place = ""
    for frame, line in traceback.walk_tb(error.__cause__.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == package:
            place = f", at {module}, line {line}"
    return f"{place}; {MUST[error.step]}" if place and error.step in MUST else place
