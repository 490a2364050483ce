"""The methods of docs/explanation/statistics.md as pure functions of plain lists, so that Python checks any figure.

Each name is imported when it is first asked for: scipy costs 200 ms, which only a printed interval may cost.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker_verdict.stats.calibration import calibrate as calibrate
    from tracker_verdict.stats.calibration import scan_p as scan_p
    from tracker_verdict.stats.calibration import ticks as ticks
    from tracker_verdict.stats.efficiency import interval as interval
    from tracker_verdict.stats.efficiency import measure as measure
    from tracker_verdict.stats.evidence import signflip as signflip
    from tracker_verdict.stats.forecast import runout as runout
    from tracker_verdict.stats.ratio import Comparison as Comparison
    from tracker_verdict.stats.ratio import anytime as anytime
    from tracker_verdict.stats.ratio import ratio_assumed as ratio_assumed
    from tracker_verdict.stats.room import fits as fits

_MODULES = {
    **dict.fromkeys(("calibrate", "scan_p", "ticks"), "calibration"),
    **dict.fromkeys(("interval", "measure"), "efficiency"),
    **dict.fromkeys(("Comparison", "anytime", "ratio_assumed"), "ratio"),
    "fits": "room",
    "runout": "forecast",
    "signflip": "evidence",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found
