"""A schedule's jobs as a crontab, as systemd units, or as a launchd property list."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence

from tracker.kernel import TrackerError
from tracker_capture.scheduling import Moment, Plan

HOUR, DAY = 60, 24 * 60


def cron(plans: Sequence[Plan]) -> str:
    """Lines for a crontab, in the machine's zone: cron knows no other everywhere."""
    return "\n".join(line for plan in plans for line in _cron_lines(plan)) + "\n"


def _cron_lines(plan: Plan) -> Iterator[str]:
    yield from (f"# {comment}" for comment in plan.comments)
    assigned = [f"{name}={shlex.quote(value)}" for name, value in plan.environment.items()]
    words = f"cd {shlex.quote(plan.folder)} && {' '.join([*assigned, shlex.join(plan.argv)])}"
    command = words.replace("%", r"\%")  # an unescaped one ends a crontab's command
    for moment in plan.moments:
        local = moment.at.astimezone(plan.zone)
        day = f"* * {local.isoweekday() % 7}" if moment.is_weekly else f"{local.day} {local.month} *"
        yield f"{local.minute} {local.hour} {day} {command}"
    if plan.every:
        yield f"{_cron_interval(plan.every)} {command}"


def _cron_interval(minutes: int) -> str:
    if minutes < HOUR and HOUR % minutes == 0:
        return f"*/{minutes} * * * *"
    if minutes < DAY and minutes % HOUR == 0 and DAY % minutes == 0:
        return f"0 */{minutes // HOUR} * * *"
    if minutes == DAY:
        return "0 0 * * *"
    raise TrackerError(
        f"cron has no interval of {minutes} min; take one that divides an hour or a day, or --format systemd"
    )


def systemd(plans: Sequence[Plan]) -> str:
    """A service and a timer for each job, each behind the name of its file."""
    return "\n".join(unit for plan in plans for unit in (_service(plan), _timer(plan)))


def _service(plan: Plan) -> str:
    lines = [
        f"# ~/.config/systemd/user/{plan.name}.service",
        *(f"# {comment}" for comment in plan.comments),
        "[Unit]",
        f"Description={plan.comments[0].partition(';')[0]}",
        "",
        "[Service]",
        "Type=oneshot",
        f"WorkingDirectory={plan.folder.replace('%', '%%')}",
        *(f"Environment={_unit_word(f'{name}={value}')}" for name, value in plan.environment.items()),
        f"ExecStart={' '.join(_unit_word(word).replace('$', '$$') for word in plan.argv)}",
    ]
    return "\n".join(lines) + "\n"


def _timer(plan: Plan) -> str:
    when = [f"OnCalendar={_calendar(moment)}" for moment in plan.moments]
    if plan.every:
        when += ["OnActiveSec=1min", f"OnUnitActiveSec={plan.every}min"]
    lines = [
        f"# ~/.config/systemd/user/{plan.name}.timer; then: systemctl --user enable --now {plan.name}.timer",
        "[Unit]",
        f"Description=When to run {plan.name}",
        "",
        "[Timer]",
        *when,
        *(["Persistent=true"] if plan.moments else []),
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def _calendar(moment: Moment) -> str:
    """The names of days are systemd's own, whatever the locale."""
    if moment.is_weekly:
        day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.at.weekday()]
        return f"{day} *-*-* {moment.at:%H:%M}:00 UTC"
    return f"{moment.at:%Y-%m-%d %H:%M}:00 UTC"


def _unit_word(word: str) -> str:
    """A word in a unit file: quoted, with its specifiers escaped."""
    escaped = word.replace("\\", r"\\").replace('"', r"\"").replace("%", "%%")
    return f'"{escaped}"'


def launchd(plans: Sequence[Plan]) -> str:
    """A property list, which holds one job."""
    import plistlib

    if len(plans) != 1:
        raise TrackerError("a launchd property list holds one job; name one provider")
    [plan] = plans
    job = {
        "Label": plan.name.replace("-", ".", 1),
        "ProgramArguments": list(plan.argv),
        "WorkingDirectory": plan.folder,
        "EnvironmentVariables": plan.environment,
    }
    when = {"StartInterval": plan.every * 60} if plan.every else {"StartCalendarInterval": _intervals(plan)}
    return plistlib.dumps(job | when, sort_keys=False).decode()


def _intervals(plan: Plan) -> list[dict[str, int]]:
    found = []
    for moment in plan.moments:
        local = moment.at.astimezone(plan.zone)
        day = {"Weekday": local.isoweekday() % 7} if moment.is_weekly else {"Month": local.month, "Day": local.day}
        found.append({**day, "Hour": local.hour, "Minute": local.minute})
    return found


FORMATS: dict[str, Callable[[Sequence[Plan]], str]] = {"cron": cron, "systemd": systemd, "launchd": launchd}
