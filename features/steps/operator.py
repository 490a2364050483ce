"""What an operator does and sees: the installed program, its files, a git repository."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
from typing import Any

from behave import given, step, then, when

DATA = "data/week0/live"
CODEX = ">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      {fiveh}% left{r5}\n  Weekly limit:  {weekly}% left{rw}\n"
CLAUDE = (
    "Settings  Status   Config   Usage   Stats\n\n  Current session\n  {session}% used\n  Resets 11pm (UTC)\n\n"
    "  Current week (all models)\n  {all}% used\n  Resets Dec 20, 5:43pm (UTC)\n"
)


def run(context: Any, words: str, stdin: str = "") -> None:
    """Run a command line; `tracker` is the installed program, in a process of its own where it loads other plugins."""
    arguments = shlex.split(words)
    if arguments[0] == "tracker":
        import inprocess
        import warm

        tracker = warm.tracker if "PYTHONPATH" in context.environment else inprocess.tracker
        if context.clock and any(word in arguments for word in ("start", "end", "cross", "before", "after")):
            arguments += ["--captured-at", context.clock]
        done = tracker(arguments[1:], stdin.encode(), context.folder, context.environment)
        context.done = subprocess.CompletedProcess(arguments, *done)
    else:
        context.done = subprocess.run(
            arguments,
            input=stdin.encode(),
            capture_output=True,
            cwd=context.folder,
            env=context.environment,
            timeout=120,
            check=False,
        )
    context.out, context.err = context.done.stdout.decode(), context.done.stderr.decode()
    assert "Traceback" not in context.err, context.err


def succeed(context: Any) -> None:
    assert context.done.returncode == 0, context.out + context.err


def records(context: Any, stream: str) -> list[dict[str, Any]]:
    path = context.folder / DATA / f"{stream}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def squeeze(text: str) -> str:
    return " ".join(text.split())


# --- the surroundings


@given('the lane "{lane}"')
def in_lane(context: Any, lane: str) -> None:
    context.environment["AGENT_ID"] = lane


@given("no lane")
def in_no_lane(context: Any) -> None:
    context.environment.pop("AGENT_ID", None)


@step('the time is "{time}"')
def at_time(context: Any, time: str) -> None:
    context.clock = time


@given('the variable {name} is "{value}"')
def with_variable(context: Any, name: str, value: str) -> None:
    context.environment[name] = value


@given('a file "{name}" with')
def with_file(context: Any, name: str) -> None:
    path = context.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(context.text + "\n")


@given('a plugin "{name}" whose module says')
def with_plugin(context: Any, name: str) -> None:
    module = f"behave_{name}".replace("-", "_")
    (context.folder / f"{module}.py").write_text(context.text + "\n")
    info = context.folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tracker]\n{name} = {module}\n")
    context.environment["PYTHONPATH"] = str(context.folder)


@given("a git repository with {count:d} commits")
def with_repository(context: Any, count: int) -> None:
    quiet = {"cwd": context.folder, "env": context.environment, "check": True, "capture_output": True}
    subprocess.run(["git", "init", "-q", "-b", "main"], **quiet)
    for key, value in (("user.email", "dev@example.com"), ("user.name", "dev")):
        subprocess.run(["git", "config", key, value], **quiet)
    context.commits = []
    for number in range(count):
        commit(
            context, f"file{number}.txt", "".join(f"line {at}\n" for at in range(10 * (number + 1))), f"step {number}"
        )


def commit(context: Any, name: str, text: str, subject: str) -> None:
    quiet = {"cwd": context.folder, "env": context.environment, "check": True, "capture_output": True}
    (context.folder / name).write_text(text)
    subprocess.run(["git", "add", "--", name], **quiet)
    subprocess.run(["git", "commit", "-q", "-m", subject], **quiet)
    found = subprocess.run(["git", "rev-parse", "HEAD"], text=True, **(quiet | {"capture_output": True}))
    context.commits.append(found.stdout.strip())


@when('a file of {count:d} lines is committed as "{subject}"')
def commits_lines(context: Any, count: int, subject: str) -> None:
    commit(context, f"file{len(context.commits)}.txt", "line\n" * count, subject)


# --- what the operator does


@step("the operator runs `{words}`")
def runs(context: Any, words: str) -> None:
    for at, commit_id in enumerate(getattr(context, "commits", [])):
        words = words.replace(f"<commit {at}>", commit_id)
    run(context, words)


@step("the operator runs `{words}` with")
def runs_with(context: Any, words: str) -> None:
    run(context, words, context.text + "\n")


@step("codex shows weekly {weekly:d}% left and the operator runs `{words}`")
def codex_pane(context: Any, weekly: int, words: str) -> None:
    run(context, words, CODEX.format(fiveh=90, weekly=weekly, r5="", rw=""))


@step("codex shows weekly {weekly:d}% left, reset at {reset}, and the operator runs `{words}`")
def codex_pane_reset(context: Any, weekly: int, reset: str, words: str) -> None:
    run(context, words, CODEX.format(fiveh=90, weekly=weekly, r5="", rw=f" (resets {reset})"))


@step("claude shows {percent:d}% of all models used and the operator runs `{words}`")
def claude_pane(context: Any, percent: int, words: str) -> None:
    run(context, words, CLAUDE.format(session=3, all=percent))


@step("glm counts {count:d} prompts and the operator runs `{words}`")
def glm_counts(context: Any, count: int, words: str) -> None:
    run(context, words, json.dumps({"blocks": [{"window_id": "w", "provider": "glm-4.6", "prompts_used": count}]}))


@given("a codex window {window} from weekly {before:d}% left to {after:d}% left")
def codex_window(context: Any, window: str, before: int, after: int) -> None:
    codex_pane(context, before, f"tracker alias start codex --stdin --window {window}")
    succeed(context)
    codex_pane(context, after, f"tracker alias end codex --stdin --window {window}")
    succeed(context)


@given("the finalized codex windows")
def finalized_windows(context: Any) -> None:
    left = 99
    for row in context.table:
        cost = int(row["capacity"])
        codex_window(context, row["window"], left, left - cost)
        left -= cost
        run(context, f"tracker complete --window {row['window']} --codex-features {row['features']} --outcome pass")
        succeed(context)


# --- what the operator sees


@then('it says "{text}"')
def says(context: Any, text: str) -> None:
    succeed(context)
    assert text in context.out, f"{text!r} is not in:\n{context.out}\n{context.err}"


@then('it does not say "{text}"')
def does_not_say(context: Any, text: str) -> None:
    assert text not in context.out, context.out


@then("it says")
def says_block(context: Any) -> None:
    succeed(context)
    shown = [line.rstrip() for line in context.out.splitlines()]
    for line in context.text.splitlines():
        assert line.rstrip() in shown, f"{line!r} is not a line of:\n{context.out}"


@then('it notes "{text}"')
def notes(context: Any, text: str) -> None:
    succeed(context)
    assert text in squeeze(context.err), f"{text!r} is not in:\n{context.err}"


@then('it is refused with "{text}"')
def refused(context: Any, text: str) -> None:
    assert context.done.returncode == 1, context.out + context.err
    [error] = [line for line in context.err.splitlines() if line.startswith("error: ")]
    assert text in error, error


@then('it is wrong usage: "{text}"')
def wrong_usage(context: Any, text: str) -> None:
    assert context.done.returncode == 2, context.out + context.err
    assert text in squeeze(context.err), context.err


@then("it ends with status {status:d}")
def ends(context: Any, status: int) -> None:
    assert context.done.returncode == status, context.out + context.err


@then("the journal {stream} holds {count:d} record")
@then("the journal {stream} holds {count:d} records")
def holds(context: Any, stream: str, count: int) -> None:
    found = records(context, stream)
    assert len(found) == count, found


@then("the last record of {stream} has {field} {value}")
def last_has(context: Any, stream: str, field: str, value: str) -> None:
    found: Any = records(context, stream)[-1]
    for name in field.split("."):
        found = found[name]
    assert found == json.loads(value), found


@then("nothing was stored")
def nothing_stored(context: Any) -> None:
    streams = list((context.folder / DATA).glob("*.jsonl"))
    assert not streams, streams


@then('the ledger "{name}" has {count:d} row')
@then('the ledger "{name}" has {count:d} rows')
def ledger_rows(context: Any, name: str, count: int) -> None:
    with (context.folder / "docs" / "Ledgers" / name).open(newline="") as file:
        context.rows = list(csv.DictReader(file))
    assert len(context.rows) == count, context.rows


@then('the last row says {column} "{value}"')
def row_says(context: Any, column: str, value: str) -> None:
    assert context.rows[-1][column] == value, context.rows[-1]


@then('the file "{name}" says "{text}"')
def file_says(context: Any, name: str, text: str) -> None:
    found = (context.folder / name).read_text()
    assert text in found, found


@then("the JSON has {path} {value}")
def json_has(context: Any, path: str, value: str) -> None:
    succeed(context)
    found: Any = json.loads(context.out)
    for part in re.split(r"\.", path):
        found = found[int(part)] if part.isdecimal() else found[part]
    assert found == json.loads(value), found
