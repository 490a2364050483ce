"""The acceptance run: the project's tests and scenarios, then the preview; and the evidence of it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from attrs import evolve, frozen

from tracker.api import HttpOrigin
from tracker.kernel import Session, TrackerError, Windows, plural
from tracker_ledgers import evidence, ledgers, reversal
from tracker_ledgers.command_log import note
from tracker_ledgers.documents import home
from tracker_ledgers.evidence import FAIL, PASS, SKIP
from tracker_ledgers.settings import Uat
from tracker_ledgers.window_state import unknown

NESTED = "TRACKER_NESTED"  # "1": tests that start pytest, behave or `tracker uat` leave themselves out
LIVE = ("TRACKER_DATA_DIR", "AGENT_ID")  # kept from the tests, which must not write into the session's data
NO_TESTS = 5  # pytest's exit status if it collected nothing
# How long a runner may take to end after Ctrl-C.
END_SECONDS = 5.0


@frozen(kw_only=True)
class RunnerResult:
    """What ran, how it ended, and the artifact it left."""

    runner: str
    result: str
    detail: str
    artifact: Path | None = None


def run(session: Session, window: str, *, record: bool, seconds: float) -> None:
    """Run every check, print what passed, and keep the evidence with `record`; status 1 if one failed."""
    run_id = f"uat-{window}-{session.now:%Y%m%dT%H%M%S.%fZ}"
    commands = session.settings(Uat).commands
    if session.dry_run:
        for runner in commands or ("pytest", "behave"):
            session.say(f"would run {runner} in {home(session)}")
        return
    if record:
        ledgers.check(session, ledgers.EVIDENCE)  # before an hour of tests, not after it
    with tempfile.TemporaryDirectory(prefix="tracker-uat-") as passing:
        folder = _folder(session, run_id) if record else Path(passing)
        if commands:
            checks = [_command(session, text, seconds) for text in commands]
        else:
            checks = [_pytest(session, folder, seconds), _behave(session, folder, seconds)]
        shown, last = _preview(session, window, folder)
        checks.append(last)
        is_checked = any(check.result != SKIP for check in checks)
        if record and is_checked:
            rows = [_row(session, window, run_id, check) for check in checks]
            reversal.record(session, ledgers.EVIDENCE, rows)
            note(session, [window])
    _report(session, window, run_id, checks, shown)
    if not is_checked:
        skipped = ", ".join(f"{check.runner} ({check.detail})" for check in checks)
        error = unknown(session, window) if session.index.newest_windows(1) else None
        raise TrackerError(f"Nothing was checked, and nothing was recorded: {skipped}.{f' {error}' if error else ''}")
    failed = [f"{check.runner} ({check.detail})" for check in checks if check.result == FAIL]
    if failed:
        raise TrackerError(f"The acceptance run of {window} failed: {', '.join(failed)}.")


def _folder(session: Session, run_id: str) -> Path:
    session.journal.prepare()
    folder = Path(os.path.abspath(session.root)) / "uat" / run_id
    if folder.parent.is_symlink():
        raise TrackerError(f"{folder.parent} is a symbolic link, which tracker does not follow. Remove the link.")
    # `parents=True` would give the outer one the mode of the umask
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700)
    return folder


def _create(path: Path) -> None:
    """Make an empty file that only the user can read; later writers keep the mode."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


# --- the checks


def _pytest(session: Session, folder: Path, seconds: float) -> RunnerResult:
    report = folder / "pytest.xml"
    return _run(session, "pytest", [f"--junitxml={report}"], report, _count_pytest, seconds)


def _behave(session: Session, folder: Path, seconds: float) -> RunnerResult:
    if not (home(session) / "features").is_dir():
        return RunnerResult(runner="behave", result=SKIP, detail="there is no folder features/")
    report = folder / "behave.json"
    words = ["--no-color", "--format=json", f"--outfile={report}", "--format=progress", "features"]
    return _run(session, "behave", words, report, _count_behave, seconds)


def _run(
    session: Session,
    runner: str,
    words: list[str],
    report: Path,
    count: Callable[[Path], Counter[str]],
    seconds: float,
) -> RunnerResult:
    """Run the project's own test program; its report is counted."""
    program = shutil.which(runner)
    if program is None:
        return RunnerResult(runner=runner, result=SKIP, detail=f"{runner} is not on the PATH")
    _create(report)
    status = _status(session, [program, *words], seconds)
    if status is None:
        return RunnerResult(runner=runner, result=FAIL, detail=f"stopped after {seconds:g} s")
    try:
        counts = count(report)
    except (OSError, ValueError, ElementTree.ParseError, AttributeError):
        return RunnerResult(runner=runner, result=FAIL, detail=f"no report, exit status {status}")
    detail = ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "nothing ran"
    is_empty = status in (0, NO_TESTS) and not counts["passed"]
    result = SKIP if is_empty else PASS if status == 0 else FAIL
    return RunnerResult(runner=runner, result=result, detail=detail, artifact=report)


def _command(session: Session, text: str, seconds: float) -> RunnerResult:
    """Run a command of the settings: status 0 is a pass."""
    words = shlex.split(text)
    program = shutil.which(words[0]) if words else None
    if program is None:
        return RunnerResult(runner=text, result=FAIL, detail="its program is not on the PATH")
    status = _status(session, [program, *words[1:]], seconds)
    detail = f"stopped after {seconds:g} s" if status is None else f"exit status {status}"
    return RunnerResult(runner=text, result=PASS if status == 0 else FAIL, detail=detail)


def _status(session: Session, words: list[str], seconds: float) -> int | None:
    """Run a program in the repository, its output on stderr. Returns its exit status, None if it took too long.

    The processes that it started end with it: they could write its report later and keep a pipe open.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _private(session)} | {NESTED: "1"}
    sys.stderr.flush()
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if session.quiet else sys.stderr.fileno(),
            stderr=subprocess.STDOUT,
            cwd=home(session),
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise TrackerError(f"cannot run {words[0]}: {error.strerror}") from error
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        return None
    except KeyboardInterrupt:
        # the terminal does not reach another session
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a runner and what it started, which may outlive it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _private(session: Session) -> set[str]:
    """Variables that a runner does not get: the place of the records, the lane, and every vendor's key."""
    named = session.settings_file.values.get("key_variables") or ()
    keys = {entry.partition("=")[2].strip() for entry in named}
    for source in session.registry.sources.values():
        keys |= {origin.key for origin in source.origins if isinstance(origin, HttpOrigin)}
    return {*keys, *LIVE}


def _count_pytest(report: Path) -> Counter[str]:
    suites = list(ElementTree.parse(report).iter("testsuite"))
    total, failed, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return Counter(passed=total - failed - errors - skipped, failed=failed, errors=errors, skipped=skipped)


def _count_behave(report: Path) -> Counter[str]:
    features = json.loads(report.read_text(encoding="utf-8"))
    elements = [element for feature in features for element in feature.get("elements", ())]
    found = [element.get("status") for element in elements if element["type"] == "scenario"]
    counts = Counter(passed=found.count("passed"), failed=0, skipped=found.count("skipped"))
    counts["failed"] = len(found) - counts.total()
    return counts


def _preview(session: Session, window: str, folder: Path) -> tuple[Any, RunnerResult]:
    """The window's preview, printed; it fails if a plugin could not show its block."""
    check = RunnerResult(runner="preview", result=SKIP, detail=f"there are no records of {window} yet")
    if unknown(session, window) is not None:
        return None, check
    found = Windows(session).preview([window])
    Windows(session).note_missing(found.absent)
    text = list(found.lines())
    if not session.json:
        session.say("\n".join(text))
    artifact = folder / "preview.txt"
    _create(artifact)
    artifact.write_text("\n".join(text) + "\n", encoding="utf-8")
    detail = f"{len(found.anomalies)} open anomal{'y' if len(found.anomalies) == 1 else 'ies'}"
    if found.not_shown:
        detail = f"{plural(len(found.not_shown), 'block')} not shown, {detail}"
    result = FAIL if found.not_shown else PASS
    return found.document(), evolve(check, result=result, detail=detail, artifact=artifact)


# --- reporting and recording


def _row(session: Session, window: str, run_id: str, check: RunnerResult) -> dict[str, Any]:
    path = check.artifact
    return {
        "window_id": window,
        "capability_id": f"uat-{check.runner}",
        "test_run_id": run_id,
        "runner": check.runner,
        "result": check.result,
        "artifacts_path": path and evidence.shown_path(session, path),
        "artifact_hash": path and evidence.sha256(path),
        "notes": check.detail,
    }


def _report(session: Session, window: str, run_id: str, checks: list[RunnerResult], shown: Any) -> None:
    if session.json:
        rows = [_row(session, window, run_id, evolve(check, artifact=None)) for check in checks]
        session.data({"window": window, "test_run_id": run_id, "checks": rows, "preview": shown})
        return
    session.say("Checks:")
    for check in checks:
        session.say(f"  - {check.runner}: {check.result} ({check.detail})")
