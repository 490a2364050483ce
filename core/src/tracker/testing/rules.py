"""How a check says what is broken: the rule, and where the author's guide explains it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from tracker.errors import PluginError

if TYPE_CHECKING:
    from tracker.registry import Registry

GUIDE = "docs/plugins.md"
# where the guide explains what the core found at a step of loading
STEPS = {
    "be imported": "Import late",
    "be found once": "Packaging",
    "declare its source": "The declaration",
    "match the hook specifications": "When something is wrong",
}


@cache
def installed() -> Registry:
    """Everything that is installed, loaded once for all tests of a process."""
    from tracker.registry import discover

    return discover()


def rule(text: str, section: str) -> str:
    """The message of a failing check."""
    return f"{text} ({GUIDE}, section {section!r})"


def refused(failure: PluginError) -> str:
    """The message for a plugin that was left out."""
    return rule(str(failure), STEPS.get(failure.step, "When something is wrong"))


def ask(registry: Registry, source: str, hook: str, **arguments: Any) -> Any:
    """A hook's answer as the core gets it; what the core would refuse fails the check."""
    return asked(hook, lambda: registry.call(source, hook, **arguments))


def asked(section: str, call: Callable[[], Any]) -> Any:
    """What a call gives; a plugin's fault in it becomes the message of a failing check."""
    try:
        return call()
    except PluginError as error:
        raise AssertionError(rule(str(error), section)) from error
