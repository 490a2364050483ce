"""Run the conformance kit over a plugin, installed or as a project's folder, and say what it found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import Any

import orjson
from attrs import frozen

from tracker.kernel import Registry, Session, TrackerError, line, near, plural

GROUP = "tracker"
SECONDS, PATIENCE = 600, 30  # how long checks may take, and after how long that is said
INI = "[pytest]\naddopts = --import-mode=importlib\n"
CASE = "from pathlib import Path\n\nfrom tracker_kit.verdict import case\n\n"


@frozen(kw_only=True)
class Target:
    """Plugins, their tests, and the folders that come before the installed packages."""

    sources: tuple[str, ...]
    tests: Path | None = None
    path: tuple[Path, ...] = ()


def check(session: Session, target: str, inputs: Path | None) -> None:
    """Print the verdict on an installed source, or on those of a project's folder; fail if any breaks a rule."""
    if lacking := [name for name in ("hypothesis", "pytest") if find_spec(name) is None]:
        raise TrackerError(f"The checks need {' and '.join(lacking)}. Run {Registry.installation(*lacking)}.")
    with tempfile.TemporaryDirectory(prefix="tracker-check-") as name:
        folder = Path(name)
        found = list(_verdicts(session, folder, _target(session, target, folder), inputs))
    if session.json:
        session.data(found)
    else:
        for verdict in found:
            for text in _lines(verdict):
                session.say(text)
    broken = [verdict["source"] for verdict in found if not verdict["sound"]]
    if broken:
        raise TrackerError(f"{', '.join(broken)} broke a rule. Checked {plural(len(found), 'plugin')}.")


# --- what to check


def _target(session: Session, name: str, folder: Path) -> Target:
    registry = session.registry
    installed = sorted({one.name for one in (*registry.features, *registry.plugins)})
    if name in installed:
        return Target(sources=(name,))
    if Path(name).is_dir():
        return _project(Path(name).resolve(), folder)
    if any(one.name == name for one in registry.disabled):
        raise TrackerError(f"{name} is disabled. Unset TRACKER_DISABLE_PLUGINS.")
    hint = near(name, installed)
    raise TrackerError(f"There is no folder or installed plugin {name!r}. {hint}")


def _project(project: Path, folder: Path) -> Target:
    """A project's folder; its sources are found there, whatever is installed."""
    file = project / "pyproject.toml"
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise TrackerError(f"Cannot read {file}: {error}. Expected a plugin's folder.") from error
    points = about.get("entry-points", {}).get(GROUP, {})
    if not points:
        section = "docs/reference/plugins.md, section 'Packaging'"
        raise TrackerError(f"{file} has no entry point in group '{GROUP}' ({section})")
    name, version = str(about.get("name", "checked")), str(about.get("version", "0"))
    known_as = re.sub(r"[^a-z0-9]+", "_", name.lower())  # the installed distribution of that name is hidden by it
    info = folder / "site" / f"{known_as}-0.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(head, encoding="utf-8")
    lines = [f"[{GROUP}]", *(f"{name} = {module}" for name, module in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    code = project / "src" if (project / "src").is_dir() else project
    tests = project / "tests" if (project / "tests").is_dir() else None
    return Target(sources=tuple(points), tests=tests, path=(info.parent, code))


# --- running the checks


def _verdicts(session: Session, folder: Path, target: Target, inputs: Path | None) -> Iterator[dict[str, Any]]:
    """What the checks of each plugin found: their number, the messages with their counts, and what was not checked.

    The project's own conformance classes first; a source that has none gets one.
    """
    rows = _run(session, folder, target, target.tests) if target.tests and inputs is None else []
    errors = Counter(row["message"] for row in rows if row["source"] is None)
    for source in target.sources:
        own = [row for row in rows if row["source"] == source]
        note = None
        if not own and not errors:
            texts = inputs or folder / "inputs" / source
            texts.mkdir(parents=True, exist_ok=True)
            file = folder / f"test_{source.replace('-', '_')}.py"
            file.write_text(f"{CASE}TestSource = case({source!r}, Path({str(texts.resolve())!r}))\n", encoding="utf-8")
            own = _run(session, folder, target, file)
            if not inputs and any(row["reads"] for row in own):
                checked = "only the demo's texts were checked" if any(texts.iterdir()) else "no text was checked"
                note = f"{checked}; --inputs DIR takes a folder of screens, or of one file of lines"
        broken = errors + Counter(row["message"] for row in own if row["message"])
        yield {
            "source": source,
            "sound": bool(own) and not broken,
            "checks": len(own),
            "broken": [{"message": message, "times": count} for message, count in broken.items()],
            "note": note,
        }


def _run(session: Session, folder: Path, target: Target, tests: Path) -> list[dict[str, Any]]:
    """What the conformance checks below a path found; other tests are not run."""
    (folder / "pytest.ini").write_text(INI, encoding="utf-8")
    result = folder / "verdict.json"
    result.unlink(missing_ok=True)
    words = ["-q", "--tb=native", "-c", str(folder / "pytest.ini"), "--rootdir", str(folder), "-p", "no:cacheprovider"]
    # else pytest finds it by its entry point
    words += ["-p", "tracker_kit.pytest_plugin"] if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") else []
    words += ["-p", "tracker_kit.verdict", "--verdict", str(result), *(f"--of={name}" for name in target.sources)]
    path = os.pathsep.join([*map(str, target.path), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    names = ", ".join(target.sources)
    slow = f"note: {names}: still checking after {PATIENCE} s. Checks that do not end are stopped after {SECONDS} s"
    told = Timer(PATIENCE, session.note, [slow])
    told.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words, str(tests)],
            env=os.environ | {"PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TrackerError(f"{names}: the checks did not finish within {SECONDS} s.") from error
    finally:
        told.cancel()
    if not result.exists():
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        # pytest interrupted, broken or misused; it causes no other end without a result
        is_pytests = said and done.returncode in (2, 3, 4)
        why = said[-1] if is_pytests else "the plugin ended the process, as os._exit does"
        raise TrackerError(f"The checks did not finish (status {done.returncode}): {why}.")
    rows: list[dict[str, Any]] = orjson.loads(result.read_bytes())
    return rows


# --- saying what was found


def _lines(verdict: Mapping[str, Any]) -> Iterator[str]:
    source, broken, checks = verdict["source"], verdict["broken"], plural(verdict["checks"], "check")
    if verdict["sound"]:
        yield f"{source}: sound ({checks})"
    elif not verdict["checks"] and not broken:
        yield f"{source}: not checked"
    else:
        yield f"{source}: broken ({plural(len(broken), 'rule')}, {checks})"
    for one in broken:
        times = f" [{one['times']} times]" if one["times"] > 1 else ""
        yield f"  - {line(one['message'])}{times}"
    if verdict["note"]:
        yield f"  note: {verdict['note']}"
