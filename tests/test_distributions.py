"""`distributions.json` says which distribution brings a command, a setting or a hook that is missing.

`python tests/test_distributions.py` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).parents[1] / "core" / "src" / "tracker" / "hosting" / "distributions.json"


def found() -> dict[str, dict[str, list[str]]]:
    from tracker.hosting.discovery import installed

    known = {}
    for one in installed():
        if not one.distribution.startswith("tracker-"):
            continue
        hooks = sorted(name for name, value in vars(one.module).items() if hasattr(value, "tracker_impl"))
        known[one.distribution] = {
            "commands": sorted(one.info.commands),
            "settings": settings(one.info.settings),
            "hooks": [name for name in hooks if name != "feature_info"],
        }
    return known


def settings(declared: object) -> list[str]:
    import attrs

    from tracker.hosting.discovery import attribute

    names = []
    for table, place in dict(declared).items():  # type: ignore[call-overload]
        kind = attribute(place)
        names += [table] if table else [field.name for field in attrs.fields(kind)]
    return sorted(names)


def test_it_is_what_the_features_declare() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == found()


if __name__ == "__main__":
    FILE.write_text(json.dumps(found(), indent=2) + "\n", encoding="utf-8")
