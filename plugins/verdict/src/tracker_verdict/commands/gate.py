"""`tracker gate`: for scripts, before they start an agent."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from tracker.kernel import Command, Number, session
from tracker_verdict.commands.age import Age

if TYPE_CHECKING:
    from tracker.api import Source
    from tracker.kernel import Session
    from tracker_verdict.gate import Answer, Question

PAUSE = 30.0


min_left_option = click.option(
    "--min-left",
    type=Number(float, max=100, full=100),
    help="How much of the meter must stay free, in percent [default: the setting reserve_pp, 10 unless you change it].",
)
max_risk_option = click.option(
    "--max-risk",
    type=Number(float, max=1, full=1),
    help="Stop above this chance, from 0 to 1, that the meter is full before its reset [default: 0.2]. With less than 3"
    ' weeks of history there is no number: it stops at "likely".',
)


@click.command("gate", cls=Command, epilog="tracker gate codex --min-left 20")
@click.argument("provider")
@min_left_option
@max_risk_option
@click.option(
    "--meter",
    metavar="M",
    help="Judge only this meter [default: the capacity meter, and any with too little left; never that of one model].",
)
@click.option("--account", metavar="NAME", help="The account, if there are several.")
@click.option("--max-age", type=Age(), default="15m", show_default=True, help="How old a reading may be.")
@click.option("--wait", is_flag=True, help="Ask again until the answer is go, or until the reset.")
@click.pass_context
def command(
    context: click.Context,
    provider: str,
    min_left: float | None,
    max_risk: float | None,
    meter: str | None,
    account: str | None,
    max_age: timedelta,
    wait: bool,
) -> None:
    """Say whether a script may start work: exit 0 is go, 3 stop, 4 unknown or too old."""
    from tracker_verdict.gate import STATUS, Question
    from tracker_verdict.settings import VerdictSettings

    here = session()
    source = here.source(provider, kinds=["status"])
    wanted = source.capacity if meter is None else meter
    if wanted is None:
        raise click.UsageError(f"{provider} has no capacity meter. Expected --meter M.")
    least = here.settings(VerdictSettings).reserve_pp if min_left is None else min_left
    question = Question(
        meter=wanted, min_left=least, max_risk=max_risk, max_age=max_age, account=account, is_alone=meter is not None
    )
    found = _answer(here, source, question, wait=wait)
    _show(here, provider, found)
    context.exit(STATUS[found.state])


def _show(here: Session, provider: str, found: Answer) -> None:
    if here.json:
        here.data(found.document())
    else:
        here.show(f"{found.state}: {provider} {found.meter}: {found.why}", has_cures=True)
    if found.cure:
        here.note(f"note: a new reading is needed: {found.cure}")


def _answer(here: Session, source: Source, question: Question, *, wait: bool) -> Answer:
    """The first one, or that of the last time that it was asked."""
    from tracker_verdict.gate import GO, answer

    found = answer(here, source, question, here.now)
    while wait and found.state != GO and not found.is_final and (found.reset_at is None or found.reset_at > here.now):
        here.note(f"waiting: {found.state}: {source.name} {found.meter}: {found.why}")
        time.sleep(PAUSE)
        here.index.close()
        del here.index
        found = answer(here, source, question, here.now)
    return found
