"""Every setting: its default, its kind and what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

DEFAULT_DATA_DIR = Path("data/week0/live")
PRICES = "prices"


def _setting(default: Any, kind: str, about: str, **limits: float) -> Any:
    return field(default=default, metadata={"about": about, "kind": kind, **limits})


@frozen(kw_only=True)
class Ledgers:
    """`[ledgers]`"""

    dir: str = _setting("docs/Ledgers", "text", "where the CSV ledgers live, relative to this file")


@frozen(kw_only=True)
class Churn:
    """`[churn]`"""

    exclude: tuple[str, ...] = _setting((), "texts", "paths that are no work, as git pathspec patterns")


@frozen(kw_only=True)
class Handoff:
    """`[handoff]`"""

    file: str = _setting("docs/SESSION_HANDOFF.md", "text", "the brief for the next person, relative to this file")
    read_first: tuple[str, ...] = _setting(
        ("docs/SOP/uat_opener.md",), "texts", "files that the next person reads first"
    )


@frozen(kw_only=True)
class Config:
    """Every setting with its default; `tracker.settings.table` lists them."""

    data_dir: str | None = _setting(
        None, "text", "where the records live, relative to this file; else data/week0/live in the working directory"
    )
    timezone: str | None = _setting(
        None, "zone", "the zone of times that name none, and of those that are shown; else this machine's"
    )
    buffer_minutes: float = _setting(
        5.0, "number", "minutes after a reset in which no AFTER is taken, since the vendors' panes lag", most=10080
    )
    stale_minutes: float = _setting(
        15.0, "number", "minutes after which a meter's automatic reading is too old for an AFTER", most=10080
    )
    key_variables: tuple[str, ...] = _setting(
        (), "texts", "which environment variable holds a provider's key for captures, as PROVIDER=VARIABLE"
    )
    run_commands: tuple[str, ...] = _setting(
        (), "texts", "commands for `tracker ingest SOURCE --run` instead of the declared, as SOURCE=COMMAND"
    )
    keep_account: bool = _setting(False, "switch", "keep the account's e-mail address in what is stored")
    fsync: bool = _setting(True, "switch", "flush every record to disk before saying that it is stored")
    command_log: bool = _setting(True, "switch", "log the commands that were run, for the handoff")
    divergence_pp: float = _setting(
        10.0, "number", "percentage points by which a report and a meter may differ", most=100
    )
    reserve_pp: float = _setting(
        10.0, "number", "percentage points of a bar that the plan keeps: it says STOP before that", most=100
    )
    effect: float = _setting(
        0.10, "number", "the effect, in features per unit, that power is computed for", least=1e-9, most=1e6
    )
    ledgers: Ledgers = field(factory=Ledgers)
    churn: Churn = field(factory=Churn)
    handoff: Handoff = field(factory=Handoff)
    prices: Mapping[str, Any] = field(
        factory=dict,
        metadata={"about": "what each provider costs a month and the full bars it gives", "kind": "prices"},
    )

    path: Path | None = None  # the file, None where there is none; no setting

    @property
    def base(self) -> Path:
        """What relative settings are relative to: the file's folder, else the working directory."""
        return self.path.parent if self.path else Path.cwd()
