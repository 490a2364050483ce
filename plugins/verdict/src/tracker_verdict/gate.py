"""Whether a script may start work now: what a meter has left, and how likely it is full before its reset."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

from attrs import evolve, frozen

from tracker.api import Source
from tracker.kernel import Session, iso, near, number
from tracker_verdict import forecasts
from tracker_verdict.accounts import NO_ACCOUNT
from tracker_verdict.current_meters import (
    PERCENT,
    CurrentMeter,
    MeterRows,
    chosen,
    current_meters,
    holds,
    is_of_all,
    others,
    read,
    too_old,
    unread,
)
from tracker_verdict.new_reading import new_reading
from tracker_verdict.prospect import LIKELY, RISK, Prospect, over, prospect, summary
from tracker_verdict.regimes import Regime, regime
from tracker_verdict.weeks import FULL

GO, STOP, UNKNOWN = "go", "stop", "unknown"
STATUS = {GO: 0, STOP: 3, UNKNOWN: 4}


@frozen(kw_only=True)
class Answer:
    """go, stop or unknown, and why. risk: the probability that the meter is full before its reset, if known.

    is_final: whether only another question has another answer, so that no wait helps. may_stop: whether another meter
    may stop all the same. cure: what to type for a reading that is missing. change: that of what a point buys, if the
    risk rests on it.
    """

    state: str
    why: str
    meter: str
    current: CurrentMeter | None = None
    risk: float | None = None
    is_final: bool = False
    may_stop: bool = True
    cure: str | None = None
    change: Regime | None = None

    @property
    def reset_at(self) -> datetime | None:
        return self.current.reset_at if self.current else None

    def document(self) -> dict[str, Any]:
        found = self.current
        return {
            "state": self.state,
            "why": self.why,
            "meter": self.meter,
            "account": found and found.account,
            "used_pct": found and found.percent,
            "taken_at": found and iso(found.at),
            "reset_at": self.reset_at and iso(self.reset_at),
            "risk": self.risk,
            **({"change": self.change.document()} if self.change else {}),
        }


@frozen(kw_only=True)
class Question:
    """What is asked for; `max_age` is how old a reading may be. is_alone: whether no other meter may stop.

    max_risk: None if no limit was named; then a word does for a history that is too short for a probability.
    """

    meter: str
    min_left: float
    max_risk: float | None
    max_age: timedelta
    account: str | None = None
    is_alone: bool = False


def answer(session: Session, source: Source, question: Question, now: datetime) -> Answer:
    """By the newest reading; never go without one that is young enough. Another meter that is as good as full stops."""
    known = read(session, source, now)
    found = _of_meter(session, source, question, now, known)
    if found.state != STOP and found.may_stop and not question.is_alone:
        account = question.account if found.current is None else found.current.account or NO_ACCOUNT
        return next(_stops(source, question, now, known, account), found)
    return found


def _stops(
    source: Source, question: Question, now: datetime, known: MeterRows, account: str | None
) -> Iterator[Answer]:
    """A stop for each other meter that has too little left. account: its name; None if readings name one at most."""
    for meter in source.meters:
        if meter.key == question.meter or not is_of_all(source, meter):
            continue
        own = current_meters(*known, meter, now)
        for one in own if account is not None or len(own) == 1 else ():
            if (
                account in (None, one.account or NO_ACCOUNT)
                and holds(one, now, question.max_age)
                and (why := _low(one, question.min_left))
            ):
                yield Answer(state=STOP, why=why, meter=meter.key, current=one)


def _low(found: CurrentMeter, min_left: float) -> str | None:
    """Why what is left may not be used: at the limit, too, since work takes more."""
    if found.percent is None or (left := _left(found.percent)) > min_left:
        return None
    rule = f", less than {number(min_left)} %" if left < min_left else ", which must stay free" if left else ""
    return f"{number(left)} % left{rule}"


def _left(percent: float) -> float:
    """In the digits that are shown: what is shown as the limit is at the limit."""
    return round(max(FULL - percent, 0.0), 2)


def _of_meter(session: Session, source: Source, question: Question, now: datetime, known: MeterRows) -> Answer:
    # a provider may show meters that it did not declare, so a typo looks like a meter without a reading
    declared = [one.key for one in source.meters]
    hint = "" if question.meter in declared else f". {near(question.meter, declared)}"
    unknown = Answer(state=UNKNOWN, why=f"no reading{hint}", meter=question.meter)
    meter = source.meter(question.meter)
    if meter is None:
        return evolve(unknown, why=f"{source.name} has no meter {question.meter}{hint}", is_final=True)
    history, own = known
    shown_now = current_meters(history, own, meter, now)
    if question.account is None and len(shown_now) > 1:
        names = " or ".join(f"--account {shlex.quote(one.account or NO_ACCOUNT)}" for one in shown_now)
        return evolve(unknown, why=f"there are {len(shown_now)} accounts; add {names}", is_final=True, may_stop=False)
    found = chosen(shown_now, question.account)
    there = " or ".join(f"--meter {one}" for one in others(source, known, meter))
    if found is None and not hint and there:
        return evolve(unknown, why=f"this plan's readings have no such meter; add {there}", is_final=True)
    if found is None:
        cure = None if hint else new_reading(session, source, question.account, several=bool(question.account))
        if cure and meter.unit != PERCENT:  # a count has no end of its own
            cure += f", if it shows the limit of {meter.unit}"
        return evolve(unknown, why=unread(own, meter) or unknown.why, cure=cure, is_final=bool(hint))
    if found.percent is None:
        why = f"the vendor shows no limit for {meter.unit}"
        return evolve(unknown, why=f"{why}; add {there}" if there else why, is_final=True)
    local, several, told = session.zone, len(shown_now) > 1, evolve(unknown, current=found)
    if refusal := _refusal(question, source.title, found, now, local):
        state, why = refusal
        cure = new_reading(session, source, found.account, several=several) if state == UNKNOWN else None
        return evolve(told, state=state, why=why, cure=cure)
    change = regime(session, source, meter.key, found.account, several=several)
    ahead = prospect(history, found, meter, now, local, change) if meter.unit == PERCENT else None
    forecasts.store(session, source, [(meter.key, ahead)], "gate")
    why = f"{number(_left(found.percent))} % left" + (f", {found.doubt}" if found.doubt else "")
    return _until_reset(evolve(told, state=GO, why=why), ahead, question.max_risk)


def _refusal(
    question: Question, title: str, found: CurrentMeter, now: datetime, local: tzinfo
) -> tuple[str, str] | None:
    """The state and the reason, if the reading alone says that it is not go."""
    if why := over(found, title, now, local):
        return UNKNOWN, why
    if (why := _low(found, question.min_left)) and holds(found, now, question.max_age):
        return STOP, why
    if now - found.at > question.max_age:
        return UNKNOWN, f"the newest reading is {too_old(now - found.at, question.max_age)}"
    return None


def _until_reset(go: Answer, ahead: Prospect | None, max_risk: float | None) -> Answer:
    """Stop if what is left probably does not last until the reset. If a risk was asked for, unknown is not go."""
    is_any = max_risk is None or max_risk >= 1
    if ahead is None or ahead.probability is None:
        reason = "only weekly meters are forecast" if ahead is None else ahead.why
        why = f"{go.why}, and the risk is not known: {reason}; leave out --max-risk to go by what is left"
        return go if is_any else evolve(go, state=UNKNOWN, why=why, is_final=ahead is None)
    rests = f"; {ahead.change.rule}" if ahead.change else ""
    found = evolve(go, why=f"{go.why}, {summary(ahead)}{rests}", change=ahead.change)
    if ahead.is_probable:
        limit = RISK if max_risk is None else max_risk
        if ahead.probability <= limit:
            return evolve(found, risk=ahead.probability)
        why = f"{go.why}, {summary(ahead)}, more than {number(100 * limit)} %{rests}"
        return evolve(found, state=STOP, why=why, risk=ahead.probability)
    # a word: only "likely" stops, as `tracker plan` says it
    limit, is_likely = LIKELY if max_risk is None else max_risk, ahead.probability > LIKELY
    if is_likely and limit <= LIKELY:
        return evolve(found, state=STOP)
    if not is_likely and limit >= LIKELY:
        return evolve(found, state=GO)
    why = f"{found.why}: not known whether that is at most {number(limit)}; leave out --max-risk to go by the word"
    return found if is_any else evolve(found, state=UNKNOWN, why=why, is_final=True)
