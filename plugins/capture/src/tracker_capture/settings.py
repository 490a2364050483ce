"""What captures let you set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from tracker.kernel import setting


def are_accounts(value: Any) -> bool:
    """Whether a value is a table of texts."""
    return isinstance(value, dict) and all(isinstance(one, str) and one.strip() for one in value.values())


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class CaptureSettings:
    """At the top level."""

    TABLE: ClassVar[str] = ""

    stale_minutes: float = setting(15.0, "minutes after which an automatic reading is too old for an AFTER", most=10080)
    key_variables: tuple[str, ...] = setting(
        (),
        "the environment variable that holds a provider's key for captures, as PROVIDER=VARIABLE",
        consent="sends variables of yours as keys",
    )
    accounts: Mapping[str, Any] = setting(
        {},
        "names of accounts: the address that a pane shows, or the id that `tracker meters` shows",
        fits=are_accounts,
        expected='a table with an address or an id of each name, such as work = "dev@example.com"',
    )
    run_commands: tuple[str, ...] = setting(
        (),
        "commands for `tracker ingest SOURCE --run` instead of the declared ones, as SOURCE=COMMAND",
        consent="runs commands",
    )


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Propose:
    """`[propose]`"""

    TABLE: ClassVar[str] = "propose"

    features: str = setting(
        "commits",
        "what `tracker windows propose` counts as a feature: commits (`feat:`), merges (merged branches),"
        " trailer:NAME, or log (ids in the feature log that commits name)",
    )
    feature_log: str = setting("docs/Ledgers/Feature_Log.csv", "the feature log, relative to this file", is_path=True)
    gap_minutes: float = setting(
        60.0, "minutes without a request or commit that end a proposed window", least=1, most=10080
    )
