"""What the ledgers let you set."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from tracker.kernel import setting


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class CommandLog:
    """At the top level."""

    TABLE: ClassVar[str] = ""

    command_log: bool = setting(True, "log commands that write, for the handoff")


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Ledgers:
    """`[ledgers]`"""

    TABLE: ClassVar[str] = "ledgers"

    dir: str = setting("docs/Ledgers", "the folder of the CSV ledgers, relative to this file", is_path=True)


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Churn:
    """`[churn]`"""

    TABLE: ClassVar[str] = "churn"

    exclude: tuple[str, ...] = setting((), "paths that do not count as work, as git pathspec patterns")


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Uat:
    """`[uat]`"""

    TABLE: ClassVar[str] = "uat"

    commands: tuple[str, ...] = setting(
        (),
        "commands of the acceptance run; exit status 0 is a pass [default: pytest and behave from the PATH]",
        consent="runs commands",
    )


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Handoff:
    """`[handoff]`"""

    TABLE: ClassVar[str] = "handoff"

    file: str = setting("docs/SESSION_HANDOFF.md", "the brief for the next person, relative to this file", is_path=True)
    read_first: tuple[str, ...] = setting(("docs/SOP/uat_opener.md",), "files that the next person reads first")
