"""Bare environments: wheels built in-process, third-party requirements linked from the running environment.

Offline on purpose: no index and no network is needed, and nothing of ours is there but what a test puts there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECTS = [str(path.parent.relative_to(ROOT)) for path in sorted(ROOT.glob("[!.]*/**/pyproject.toml"))]
BUILD = """
import os, sys, hatchling.build
out, *projects = sys.argv[1:]
for project in projects:
    os.chdir(project)
    print(hatchling.build.build_wheel(out))
"""


def build_wheels(sources: Iterable[Path], out: Path) -> list[Path]:
    """The wheels of project folders, built by one process."""
    out.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-c", BUILD, *map(str, (out.resolve(), *(source.resolve() for source in sources)))]
    return [out / name for name in subprocess.check_output(words, text=True).split()]


def third_party(names: Iterable[str], extras: Iterable[str] = ()) -> set[str]:
    """Every distribution that these need, ours left out; `extras` of ours are honoured."""
    found: set[str] = set()
    queue = [(name, tuple(extras)) for name in names]
    visited: set[tuple[str, tuple[str, ...]]] = set()
    while queue:
        here = name, wanted = queue.pop()
        if here in visited:
            continue
        visited.add(here)
        for requirement in _requirements(name, wanted):
            key = canonicalize_name(requirement.name)
            if not key.startswith("tracker-"):
                found.add(key)
            queue.append((key, tuple(sorted(requirement.extras))))
    return found


def _requirements(name: str, extras: Iterable[str]) -> Iterator[Requirement]:
    """Of ours what the pyproject says, which an environment may not know yet; of others what is installed."""
    if name.startswith("tracker-"):
        short = name.removeprefix("tracker-")
        places = ("core" if short == "core" else f"plugins/{short}", f"examples/{name}")
        path = next(ROOT / place / "pyproject.toml" for place in places if (ROOT / place).is_dir())
        about = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        chosen = [about["dependencies"], *(about.get("optional-dependencies", {}).get(extra, []) for extra in extras)]
        yield from (Requirement(text) for some in chosen for text in some)
        return
    for requirement in map(Requirement, distribution(name).requires or ()):
        marker = requirement.marker
        if not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def compiled(wheel: Path) -> Path:
    """What a wheel holds, compiled, in a folder beside it: made once for all environments of a run."""
    found = wheel.with_suffix("")
    if not found.exists():
        made = Path(tempfile.mkdtemp(dir=wheel.parent))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(made)
        subprocess.run([sys.executable, "-I", "-m", "compileall", "-q", str(made)], check=True)
        with suppress(OSError):  # another worker was first
            made.rename(found)
    return found


class Bare:
    """A virtual environment with only what was put into it."""

    def __init__(self, folder: Path) -> None:
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        self.folder = folder
        [self.site] = folder.glob("lib/python*/site-packages")
        self.python = folder / "bin" / "python"

    def link(self, names: Iterable[str]) -> None:
        """Make third-party distributions importable, by links into the running environment."""
        for name in names:
            found = distribution(name)
            parts = (file.parts for file in found.files or ())
            for top in {part[0] for part in parts if part[0] not in ("..", "__pycache__")}:
                if not (self.site / top).exists():
                    (self.site / top).symlink_to(Path(str(found.locate_file(top))).resolve())

    def unpack(self, wheel: Path) -> None:
        """Install a wheel of ours."""
        shutil.copytree(compiled(wheel), self.site, dirs_exist_ok=True)

    def run(
        self, *arguments: str, cwd: Path | None = None, stdin: str = "", **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """Run its interpreter; nothing of the caller's Python settings is passed on.

        What is linked is compiled already, beside its source: a cache of this environment's own would take seconds.
        """
        keep = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "TRACKER_", "AGENT_ID"))
        }
        return subprocess.run(
            [str(self.python), *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            cwd=cwd or self.folder,
            env=keep | extra,
            timeout=300,
            check=False,
        )
