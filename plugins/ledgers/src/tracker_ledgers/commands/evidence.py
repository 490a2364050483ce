"""`tracker evidence`: what proves a capability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracker.kernel import Group, WritingCommand, session, window_option


class Capability(click.ParamType[str]):
    """The capability that is proved: a row without one proves nothing."""

    name = "capability"
    cure = "Name what the run proves, such as `--capability quota-meters`."

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self.cure

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from tracker_ledgers.evidence import PLACEHOLDER

        if value.strip() == PLACEHOLDER:
            self.fail(f"{PLACEHOLDER} is a placeholder. {self.cure}", param, ctx)
        return value.strip() or self.fail(f"it is empty. {self.cure}", param, ctx)


@click.group(
    "evidence", cls=Group, epilog="tracker evidence add --window W0-01 --capability quota-meters --result pass"
)
def command() -> None:
    """Record what proves a capability: a run, its result, its artifact."""


@command.command(
    "add",
    cls=WritingCommand,
    epilog="tracker evidence add --window W0-01 --capability quota-meters --result pass --artifact report.txt",
)
@window_option(names=("--window-id", "window_id"), required=True)
@click.option(
    "--capability",
    "--capability-id",
    "capability_id",
    required=True,
    type=Capability(),
    metavar="C",
    help="What it proves, such as quota-meters.",
)
@click.option("--test-run", "--test-run-id", "test_run_id", metavar="ID", help="The name of the run in its log.")
@click.option("--runner", metavar="R", help="What ran, such as pytest or a person.")
@click.option("--result", required=True, type=click.Choice(["pass", "fail", "skip"]), help="How it ended.")
@click.option(
    "--artifact",
    "--artifacts-path",
    "artifacts_path",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The file that the run left; it is hashed with SHA-256.",
)
@click.option("--artifact-hash", metavar="SHA256", help="The hash, if you know it. It is checked against the file.")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
def add(**given: Any) -> None:
    """Append a row to the evidence ledger."""
    from tracker_ledgers.evidence import add as add_evidence

    add_evidence(session(), given)
