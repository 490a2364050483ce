"""Write a new plugin: a whole distribution with tests, from the templates beside this module."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distribution, version
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import click

from tracker.kernel import Registry, Session, TrackerError, line

PLACE = re.compile(r"\{\{(\w+)\}\}")
SUFFIX = ".in"
MODULE = "MODULE"  # in the templates' paths
DISTRIBUTION = "tracker-"
# what the README says of a kind, and the last command that it prints
ABOUT = {
    "status": (
        "Reads {title} for `tracker`. The format is made up: put the real one here, and real captures in `tests/`.",
        "python -m pytest --update-screens         # records what the captures say now; read the diff",
    ),
    "telemetry": (
        "Reads {title}'s log for `tracker`. The format is made up: put the real one and real lines in its place.",
        "tracker plugins info {name}",
    ),
    "view": (
        "Shows a block of `tracker preview`. What it shows is made up: put yours in its place.",
        "tracker preview",
    ),
    "feature": (
        "Adds a command and a column to `tracker`. Both are made up: put yours in their place.",
        "tracker {name}",
    ),
}
NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
RESERVED = frozenset(("core", "workspace", "snapshots", "windows", "anomalies", "churn", "commands"))
KERNELS = frozenset(("start", "end", "cross", "complete", "preview", "alias", "ingest", "window-finalize"))  # commands


def write(session: Session, name: str, kind: str, into: Path) -> None:
    """Write the distribution `tracker-NAME` into a folder, and say what comes next."""
    check_name(session.registry, name)
    root = into / f"{DISTRIBUTION}{name}"
    if root.is_symlink() or root.exists():
        raise TrackerError(f"{root} exists. Remove it, or choose another folder with --into. Nothing was written.")
    made = dict(render(session.registry, name, kind))
    try:
        for part, text in made.items() if not session.dry_run else ():
            (root / part).parent.mkdir(parents=True, exist_ok=True)
            (root / part).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise TrackerError(f"Cannot write {error.filename}: {error.strerror}") from error
    paths = [str(root / part) for part in sorted(made)]
    if session.json:
        session.data({"path": str(root), "kind": kind, "files": paths})
        return
    for path in paths:
        session.say(path)
    session.note(f"next: cd {root}, and run the commands in its README.md")


def check_name(registry: Registry, name: str) -> None:
    """Refuse an invalid name, one that is the project's own, or one that an installed plugin has."""
    if name.startswith(DISTRIBUTION):
        bare = name.removeprefix(DISTRIBUTION)
        raise click.BadParameter(f"Invalid name {name!r}. tracker adds the prefix itself: type {line(bare)}.")
    if not re.fullmatch(NAME, name):
        raise click.BadParameter(
            f"Invalid name {name!r}. Expected lower-case letters and digits, the first a letter, and single"
            " dashes between words, such as my-tool."
        )
    if name in RESERVED | KERNELS:
        raise click.BadParameter(f"The name {name!r} is reserved for the core. Choose another, such as {name}-usage.")
    for feature in (one.info for one in registry.features if one.info):
        if name == feature.name or name in feature.commands:
            raise TrackerError(f"The name {name!r} is taken by the feature {feature.name}.")
    for found in (*registry.found, *registry.disabled):
        if name == found.name or found.distribution == f"{DISTRIBUTION}{name}":
            raise TrackerError(f"The name {name!r} is taken by {found.distribution}.")


def render(registry: Registry, name: str, kind: str) -> Iterator[tuple[PurePosixPath, str]]:
    """The files of a new plugin, by their path below its folder."""
    words = _words(registry, name, kind)
    for part in ("shared", kind):
        folder = Path(__file__).with_name("templates") / part
        for template in folder.rglob(f"*{SUFFIX}"):
            path = template.relative_to(folder).as_posix().replace(MODULE, words["module"]).removesuffix(SUFFIX)
            text = template.read_text(encoding="utf-8")
            yield PurePosixPath(path), PLACE.sub(lambda found: words[found[1]], text)


def _words(registry: Registry, name: str, kind: str) -> dict[str, str]:
    parts = name.split("-")
    major, minor = version("tracker-core").split(".")[:2]
    core = f'"tracker-core>={major}.{minor},<{major}.{int(minor) + 1}"'
    title = " ".join(part.capitalize() for part in parts)
    about, attempt = ABOUT.get(kind, ABOUT["status"])
    return {
        "name": name,
        "module": "_".join(parts),
        "title": title,
        "class": "".join(part.capitalize() for part in parts),
        "needs": f'{core}, "click>=8.4.2"' if kind == "feature" else core,
        "point": ".feature" if kind == "feature" else "",
        "about": about.format(title=title),
        "try": attempt.format(name=name),
        "install": _install(),
        "contract": registry.contract,
        "year": str(datetime.now(UTC).year),
    }


def _install() -> str:
    """What pip installs. The folder or wheel that tracker itself comes from is named, because no index may have it."""
    found = {name: _place(name) for name in ("tracker-core", "tracker-kit")}
    if None in found.values():
        return '-e ".[testing]"'
    return f'"{found["tracker-core"]}" "{found["tracker-kit"]}[testing]" -e .'


def _place(name: str) -> str | None:
    url = str(json.loads(distribution(name).read_text("direct_url.json") or "{}").get("url", ""))
    place = unquote(urlsplit(url).path) if url.startswith("file:") else ""
    return place if place and Path(place).exists() else None
