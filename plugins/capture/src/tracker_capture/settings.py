"""What captures let you set."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from tracker.kernel import setting


@frozen(kw_only=True)
class CaptureSettings:
    """At the top level."""

    TABLE: ClassVar[str] = ""

    stale_minutes: float = setting(
        15.0, "minutes after which an automatic reading is too old for an AFTER", kind="number", most=10080
    )
    key_variables: tuple[str, ...] = setting(
        (),
        "the environment variable that holds a provider's key for captures, as PROVIDER=VARIABLE",
        kind="texts",
        consent="sends variables of yours as keys",
    )
    run_commands: tuple[str, ...] = setting(
        (),
        "commands for `tracker ingest SOURCE --run` instead of the declared ones, as SOURCE=COMMAND",
        kind="texts",
        consent="runs commands",
    )


@frozen(kw_only=True)
class Propose:
    """`[propose]`"""

    TABLE: ClassVar[str] = "propose"

    features: str = setting(
        "commits",
        "what `tracker windows propose` counts as a feature: commits (`feat:`), merges (merged branches),"
        " trailer:NAME, or log (ids in the feature log that commits name)",
        kind="text",
    )
    feature_log: str = setting(
        "docs/Ledgers/Feature_Log.csv", "the feature log, relative to this file", kind="text", is_path=True
    )
    gap_minutes: float = setting(
        60.0, "minutes without a request or commit that end a proposed window", kind="number", least=1, most=10080
    )
