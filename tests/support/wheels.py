"""What is wrong with a wheel: its metadata, its licence, its types, or a file that does not belong in it.

`python tests/support/wheels.py FILE...` prints it and ends with status 1 where there is anything.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath

WANTED = {
    "License-Expression": "MIT",
    "License-File": "LICENSE",
    "Requires-Python": ">=3.11",
    "Description-Content-Type": "text/markdown",
}
INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
# what a package may hold beside its modules: types, tables, the scaffold's templates, a demo's captures
SUFFIXES = {".py", ".toml", ".json", ".sql", ".txt"}
FOLDERS = {"templates", "demo", "recorded"}


def problems(wheel: Path) -> Iterator[str]:
    """Everything that is wrong, in words."""
    name, version, *tags = wheel.stem.split("-")
    if tags != ["py3", "none", "any"]:
        yield f"its tags are {'-'.join(tags)}, not those of pure Python"
    with zipfile.ZipFile(wheel) as archive:
        files = {PurePosixPath(one) for one in archive.namelist() if not one.endswith("/")}
        info = PurePosixPath(f"{name}-{version}.dist-info")
        about = Parser().parsestr(archive.read(str(info / "METADATA")).decode())
        recorded = {line.partition(",")[0] for line in archive.read(str(info / "RECORD")).decode().splitlines()}
        points = ConfigParser()
        points.read_string(archive.read(str(info / "entry_points.txt")).decode())
    yield from _metadata(about, name, version)
    yield from _contents(files, info)
    yield from (f"{path} is not in RECORD" for path in sorted(map(str, files)) if path not in recorded)
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files if path.suffix == ".py"}
    for group in points.sections():
        for point, place in points[group].items():
            if place.partition(":")[0] not in modules:
                yield f"the entry point {point} of {group} names {place}, which is not there"


def _metadata(about: Message, name: str, version: str) -> Iterator[str]:
    if (str(about["Name"]).replace("-", "_"), about["Version"]) != (name, version):
        yield f"the metadata is that of {about['Name']} {about['Version']}"
    for field, wanted in WANTED.items():
        if about[field] != wanted:
            yield f"{field} is {about[field]}, not {wanted}"
    if not about["Summary"] or len(str(about.get_payload())) < 20:
        yield "there is no summary, or no description"
    for needed in about.get_all("Requires-Dist", []):
        if "@" in needed:
            yield f"it needs {needed}, which no installer finds elsewhere"


def _contents(files: set[PurePosixPath], info: PurePosixPath) -> Iterator[str]:
    packages = {path.parts[0] for path in files} - {info.name}
    if len(packages) != 1:
        yield f"it holds {', '.join(sorted(packages)) or 'no package'}"
    for package in packages:
        if PurePosixPath(package, "py.typed") not in files:
            yield f"{package} has no py.typed"
    for path in sorted(files):
        below = path.relative_to(path.parts[0])
        is_ours = str(below) in INFO if path.parts[0] == info.name else _belongs(below)
        if not is_ours:
            yield f"{path} does not belong in it"


def _belongs(path: PurePosixPath) -> bool:
    if FOLDERS & set(path.parts[:-1]):
        return "__pycache__" not in path.parts
    return path.suffix in SUFFIXES or path.name == "py.typed"


if __name__ == "__main__":
    found = [f"{name}: {problem}" for name in sys.argv[1:] for problem in problems(Path(name))]
    print("\n".join(found) or f"{len(sys.argv) - 1} wheels are sound")
    sys.exit(bool(found))
