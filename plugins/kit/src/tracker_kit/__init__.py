"""The conformance kit for plugin authors: subclass the conformance class of the source's kind.

    class TestToy(StatusConformance):
        source = "toy"
        screens = Path(__file__).parent / "screens"

`docs/reference/plugins.md` explains every rule that it checks. The classes need pytest and hypothesis, which the
extra `testing` brings; they are imported when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker.api import Block, Reading
    from tracker_kit.conformance import SourceConformance as SourceConformance
    from tracker_kit.features import FeatureConformance as FeatureConformance
    from tracker_kit.screen import Screen as Screen
    from tracker_kit.screen import screens as screens
    from tracker_kit.streams import TelemetryConformance as TelemetryConformance
    from tracker_kit.texts import ReportConformance as ReportConformance
    from tracker_kit.texts import StatusConformance as StatusConformance

PLACES = {
    "FeatureConformance": "features",
    "ReportConformance": "texts",
    "Screen": "screen",
    "SourceConformance": "conformance",
    "StatusConformance": "texts",
    "TelemetryConformance": "streams",
    "screens": "screen",
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)


def call(source: str, hook: str, **arguments: Any) -> Any:
    """An installed source's answer, with the core's own behind it and its checks, as the commands get it."""
    from tracker_kit.rules import installed

    return installed().call(source, hook, **arguments)


def stored(source: str, reading: Reading) -> dict[str, Any]:
    """What the record of an installed source's reading holds in its field `parsed`."""
    from tracker_kit.rules import installed

    found: dict[str, Any] = installed().parsed(reading, installed().sources[source])
    return found


def played(text: str) -> str | None:
    """What a terminal shows of a recording with cursor movements; None if no installed feature plays them."""
    from tracker_kit.rules import installed

    found = installed().first("screen_text", text=text)
    return None if found is None else str(found)


def shown(block: Block | None) -> list[str]:
    """The lines of a preview block as people read them, without the title; none of no block."""
    return [str(one) for one in block.rows] if block else []
