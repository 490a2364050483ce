"""`tracker override PROVIDER`: meter values that a person read; its options are made from the provider's meters."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import click
from attrs import evolve

from tracker.api import Gauge, Meter, Reading, Source, instant
from tracker.kernel import (
    CaptureRequest,
    Group,
    Number,
    Session,
    Windows,
    WritingCommand,
    iso,
    moment,
    session,
    span,
    window_option,
)

# The tags of values typed by hand, and of resets too far ahead or already past, as for panes.
MANUAL, IMPLAUSIBLE, OVER = "manual-override", "reset-implausible", "reset-over"
# for a meter that does not say how often it is reset; how much clocks may differ
YEAR, SLACK = timedelta(days=365), timedelta(minutes=10)


class OverrideGroup(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        sources = ctx.ensure_object(Session).registry.sources
        return [name for name, source in sources.items() if source.kind == "status"]

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        return _command(ctx.ensure_object(Session).source(name, kinds=["status"]))


@click.group("override", cls=OverrideGroup, epilog="tracker override {provider} --help")
def command() -> None:
    """Store meter values that you read yourself."""


def _command(source: Source) -> click.Command:
    run = window_option(required=True)(partial(_override, source))
    params: list[click.Parameter] = [
        *run.__click_params__,
        click.Option(["--phase"], required=True, type=click.Choice(["before", "after"]), help="The phase."),
        click.Option(["--notes"], metavar="TEXT", help="Why you enter it by hand, or where you read it."),
        click.Option(
            ["--captured-at"],
            metavar="TIME",
            callback=moment,
            help="When you read it, such as `-2h` [default: now].",
        ),
        click.Option(["--force"], is_flag=True, help="Store it even if a rule forbids it; the record says so."),
    ]
    for meter in source.meters:
        unit = "used percent" if meter.unit == "pp" else f"count of {meter.unit}"
        number = Number(float, max=1e9, full=100 if meter.unit == "pp" else None)
        params.append(
            click.Option([_flag(meter), f"used_{meter.key}"], type=number, metavar="N", help=f"{meter.title}: {unit}.")
        )
        about = f"{meter.title}: reset time, ISO 8601."
        params.append(click.Option([_resets(meter), f"resets_{meter.key}"], metavar="TIME", help=about))
    meter = next((one for one in source.meters if one.key == source.capacity), source.meters[0])
    example = f"tracker override {source.name} --window W0-08 --phase before {_flag(meter)} 40"
    about = f"Store {source.title} meters by hand."
    return WritingCommand(source.name, callback=run, params=params, help=about, epilog=example)


def _flag(meter: Meter) -> str:
    return f"--{meter.field_name.replace('_', '-')}"


def _resets(meter: Meter) -> str:
    return f"--{meter.key.replace('_', '-')}-resets"


def _gauge(meter: Meter, used: float | None, resets: str | None) -> Gauge | None:
    if used is None and resets is None:
        return None
    if used is None:
        raise click.UsageError(f"{_resets(meter)} also needs the meter's value: {_flag(meter)} N.")
    reset_at = instant(resets)
    if resets is not None and reset_at is None:
        problem = f"Invalid time {resets!r}. Expected ISO 8601, such as 2026-11-22T06:30:00Z."
        raise click.BadParameter(problem, param_hint=_resets(meter))
    try:
        return Gauge(meter=meter.key, used=used, resets=resets, reset_at=reset_at)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=_flag(meter)) from error


def _doubt(meter: Meter, gauge: Gauge, at: datetime, buffer: timedelta) -> tuple[str, str] | None:
    """The tag for a reset that no pane would show, and what is wrong with it."""
    if gauge.reset_at is None:
        return None
    ahead, longest = gauge.reset_at - at, meter.longest or YEAR
    if ahead > longest + SLACK:
        last = iso((at + longest).replace(microsecond=0))
        problem = f"It is {span(ahead)} after the reading. Expected a time up to {last}, or --force to leave it out."
        return IMPLAUSIBLE, problem
    if ahead <= -buffer:
        expected = "a later time, no reset time, the time of the reading with --captured-at, or --force"
        return OVER, f"It had passed {span(-ahead)} before the reading. Expected {expected}."
    return None


def _reading(session: Session, source: Source, given: dict[str, Any], at: datetime, *, force: bool) -> Reading:
    """The typed values. Odd ones are refused; with force, a reset that a pane could not have is left out."""
    gauges, tags = [], [MANUAL]
    for meter in source.meters:
        gauge = _gauge(meter, given[f"used_{meter.key}"], given[f"resets_{meter.key}"])
        if gauge is None:
            continue
        if meter.unit == "pp" and (gauge.used or 0) > 100 and not force:
            problem = f"Invalid percentage {gauge.used:g}. Expected a number from 0 to 100, or --force."
            raise click.BadParameter(problem, param_hint=_flag(meter))
        if doubt := _doubt(meter, gauge, at, timedelta(minutes=session.config.buffer_minutes)):
            tag, problem = doubt
            if not force:
                raise click.BadParameter(f"Invalid time {gauge.resets!r}. {problem}", param_hint=_resets(meter))
            tags.append(f"{tag}:{meter.key}")
            # an idle meter shows its last reset
            gauge = evolve(gauge, reset_at=None) if tag == IMPLAUSIBLE or not gauge.used else gauge
        gauges.append(gauge)
    if not gauges:
        raise click.UsageError(f"Give at least one meter: {', '.join(map(_flag, source.meters))}.")
    return Reading(gauges=tuple(gauges), errors=tuple(tags))


def _override(
    source: Source, window: str, phase: str, notes: str | None, captured_at: datetime | None, force: bool, **given: Any
) -> None:
    here = session()
    at = captured_at or here.now
    reading = _reading(here, source, given, at, force=force)
    # features ask for the provider, which the command's options do not hold
    here.running = here.running and {**here.running, "provider": source.name}
    Windows.store(
        here,
        CaptureRequest(
            source=source,
            phases=(phase,),
            reading=reading,
            text=None,
            captured_at=at,
            origin="override",
            window=window,
            notes=notes,
            force=force,
        ),
    )
