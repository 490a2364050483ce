"""The methods of docs/explanation/statistics.md as pure functions of plain lists, so that Python checks any figure.

Each name is imported when it is first asked for: scipy costs 200 ms, which only a printed interval may cost.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker_verdict.stats.calibration import calibrate, scan_p, ticks
    from tracker_verdict.stats.efficiency import interval, measure
    from tracker_verdict.stats.evidence import anytime, signflip
    from tracker_verdict.stats.forecast import runout
    from tracker_verdict.stats.ratio import compare, ratio_assumed
    from tracker_verdict.stats.room import fits

__all__ = [
    "anytime",
    "calibrate",
    "compare",
    "fits",
    "interval",
    "measure",
    "ratio_assumed",
    "runout",
    "scan_p",
    "signflip",
    "ticks",
]
_PLACES = {
    "calibration": "calibrate scan_p ticks",
    "efficiency": "interval measure",
    "evidence": "anytime signflip",
    "ratio": "compare ratio_assumed",
    "room": "fits",
    "forecast": "runout",
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found
