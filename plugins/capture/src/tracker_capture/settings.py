"""What captures let you set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from tracker.kernel import setting

HASH = re.compile(r"[0-9a-f]{12}")


def are_accounts(value: Any) -> bool:
    """Whether a value is a table of texts, by names: an id as a name is the wrong way round."""
    texts = value.values() if isinstance(value, dict) else [None]
    return all(isinstance(one, str) and one.strip() for one in texts) and not any(map(HASH.fullmatch, value))


def are_key_variables(entries: Sequence[str]) -> bool:
    """Whether each entry is PROVIDER=VARIABLE."""
    return all(re.fullmatch(r"[^=]+=\s*[A-Za-z][A-Za-z0-9_]*\s*", one) for one in entries)


def are_commands(entries: Sequence[str]) -> bool:
    """Whether each entry is SOURCE=COMMAND, as a shell would split the command."""
    import shlex

    try:
        return all(name.strip() and shlex.split(words) for name, _, words in (one.partition("=") for one in entries))
    except ValueError:
        return False


def is_rule(rule: str) -> bool:
    """Whether a text says what counts as a feature."""
    kind, _, name = rule.partition(":")
    return rule in {"commits", "merges", "log"} or (kind == "trailer" and bool(name.strip()))


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class CaptureSettings:
    """At the top level."""

    TABLE: ClassVar[str] = ""

    stale_minutes: float = setting(15.0, "minutes after which an automatic reading is too old for an AFTER", most=10080)
    key_variables: tuple[str, ...] = setting(
        (),
        "the environment variable that holds a provider's key for captures, as PROVIDER=VARIABLE",
        fits_new=are_key_variables,
        expected="PROVIDER=VARIABLE, such as glm=MY_GLM_KEY",
        consent="sends environment variables as keys",
    )
    accounts: Mapping[str, Any] = setting(
        {},
        "NAME = an account's address as its pane shows it, or its id from `tracker meters`",
        fits=are_accounts,
        expected='a table with an address or an id for each name, such as work = "dev@example.com"',
    )
    run_commands: tuple[str, ...] = setting(
        (),
        "commands for `tracker ingest SOURCE --run` instead of the plugins' own, as SOURCE=COMMAND",
        fits_new=are_commands,
        expected="SOURCE=COMMAND, such as 'codex-ccusage=npx ccusage codex daily --json'",
        consent="runs commands",
    )


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Propose:
    """`[propose]`"""

    TABLE: ClassVar[str] = "propose"

    features: str = setting(
        "commits",
        "what `tracker windows propose` counts as a feature: commits (`feat:`), merges (merged branches),"
        " trailer:NAME, or log (ids of the feature log that commits mention)",
        fits_new=is_rule,
        expected="commits, merges, log, or trailer:NAME, such as trailer:Feature",
    )
    feature_log: str = setting("docs/Ledgers/Feature_Log.csv", "the feature log, relative to this file", is_path=True)
    gap_minutes: float = setting(
        60.0, "minutes without a request or commit that end a proposed window", least=1, most=10080
    )
