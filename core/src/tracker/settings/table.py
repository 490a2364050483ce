"""The settings one by one, by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from attrs import fields

from tracker.settings.kinds import Setting
from tracker.settings.schema import PRICES, Churn, Config, Handoff, Ledgers

TABLES: dict[str, type] = {"ledgers": Ledgers, "churn": Churn, "handoff": Handoff}


@cache
def settings() -> dict[str, Setting]:
    """All settings by key, in the order in which they are shown."""
    found: list[Setting] = []
    for one in fields(Config):
        if one.name in TABLES:
            table = fields(TABLES[one.name])
            found += [Setting(key=f"{one.name}.{own.name}", default=own.default, **own.metadata) for own in table]
        elif "kind" in one.metadata:
            default = {} if one.metadata["kind"] == PRICES else one.default
            found.append(Setting(key=one.name, default=default, **one.metadata))
    return {setting.key: setting for setting in found}


def leaves(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key: those of the tables that are known, everything else as it stands."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in TABLES and isinstance(value, dict):
            found |= {f"{name}.{key}": own for key, own in value.items()}
        else:
            found[f'"{name}"' if "." in name else name] = value  # a quoted key is no place in a table
    return found


def setting_of(key: str) -> Setting:
    """The setting of that key; a `ValueError` says what is there instead."""
    from tracker.text.wording import near

    known = settings()
    if key in known:
        return known[key]
    if key in TABLES:
        keys = ", ".join(f"{key}.{own.name}" for own in fields(TABLES[key]))
        raise ValueError(f"{key} is a table with {keys}, no value")
    elsewhere = [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
    hint = f"did you mean {elsewhere[0]}?" if elsewhere else near(key, [*known, *TABLES])
    raise ValueError(f"unknown setting {key!r}; {hint}")
