"""The commits of the repository of the working directory, asked through git's plumbing.

Repositories may be hostile: nothing that their settings name is run, and no value can become an option.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

from tracker.kernel import TrackerError, line

SECONDS = 60
OVERRIDES = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
)
# all that git gets of the environment: no key, and nothing that changes what is asked
KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LD_LIBRARY_PATH")
CALM = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
# NUL cannot stand in a commit
FORMAT = "--format=%x00%H%x00%ct%x00%P%x00%B%x00"
FEATURE = re.compile(r"(?i)feat(\([^)]*\))?!?:")
REVERTED = re.compile(r"This reverts commit ([0-9a-f]{40,64})\b")
SQUASHED = re.compile(r"\(#\d+\)$")


@frozen(kw_only=True)
class Commit:
    """is_main: whether it lies on the first-parent line of HEAD, on which branches are merged."""

    sha: str
    at: datetime
    parents: int
    message: str
    is_main: bool

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0].strip()

    @property
    def is_feature(self) -> bool:
        return FEATURE.match(self.subject) is not None

    @property
    def is_merge(self) -> bool:
        """Whether it merged a branch, also as one commit (`subject (#12)`)."""
        return self.is_main and (self.parents > 1 or SQUASHED.search(self.subject) is not None)

    def trailers(self, name: str) -> list[str]:
        """The values of `name: value` in the last paragraph."""
        last = self.message.strip().rpartition("\n\n")[2]
        return re.findall(rf"(?im)^{re.escape(name)}:[ \t]*(\S.*?)[ \t]*$", last)


def left_in(commits: Sequence[Commit]) -> list[Commit]:
    """The commits, by time, without those that a later one of them reverted; a revert may itself be reverted."""
    gone: set[str] = set()
    for commit in reversed(commits):
        if commit.sha not in gone:
            gone.update(REVERTED.findall(commit.message))
    return [commit for commit in commits if commit.sha not in gone]


def folder() -> Path:
    """The top of the repository that the working directory lies in."""
    done = _run("rev-parse", "--show-toplevel")
    if done.returncode:
        raise TrackerError(f"{line(Path.cwd())} is not in a git repository. Run this in the one where you worked.")
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n")))


def commits(since: datetime) -> list[Commit]:
    """The commits of HEAD and of all local branches since an instant, the earliest first."""
    start = f"--max-age={int(since.timestamp())}"
    main = set(_ask("rev-list", "--first-parent", start, "HEAD", "--").split())
    said = _ask("rev-list", "--encoding=UTF-8", FORMAT, start, "HEAD", "--branches", "--").split("\0")
    found = []
    for place in range(1, len(said) - 4, 5):
        sha, at, parents, message = said[place : place + 4]
        try:
            made = datetime.fromtimestamp(int(at), UTC)
        except (ValueError, OverflowError, OSError):
            # git shows any number as a time
            continue
        found.append(Commit(sha=sha, at=made, parents=len(parents.split()), message=message, is_main=sha in main))
    return sorted(found, key=lambda commit: commit.at)


def heads(start: datetime, end: datetime) -> tuple[str | None, str | None]:
    """The commits before and after work that is over: what was checked out, as captures then would have stored it.

    If git's log of HEAD does not reach back that far: the last commit of HEAD or a local branch, and the last one on
    its line before the work. None if git cannot tell.
    """
    # git counts whole seconds, and a commit in the first one belongs to the work
    first, last = math.ceil(start.timestamp()) - 1, math.floor(end.timestamp())
    with suppress(TrackerError):
        new = _checked_out(last) or _newest(last, "HEAD", "--branches")
        old = _checked_out(first) or (_newest(first, new) if new else "")
        if new and not old and _ask("rev-parse", "--is-shallow-repository").strip() == "false":
            old = _ask("hash-object", "-t", "tree", os.devnull).strip()
        return old or None, new or None
    return None, None


def _checked_out(at: int) -> str:
    done = _run("rev-parse", "--verify", f"HEAD@{{{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}}}")
    # for a time before its first entry git gives that one, and says so on stderr
    return "" if done.returncode or done.stderr else done.stdout.decode().strip()


def _newest(until: int, *names: str) -> str:
    return _ask("rev-list", "-1", f"--min-age={until}", *names, "--").strip()


def _ask(*arguments: str) -> str:
    done = _run(*arguments)
    if done.returncode:
        # a repository without any commit
        return ""
    return done.stdout.decode("utf-8", "replace")


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    overrides = [word for text in OVERRIDES for word in ("-c", text)]
    try:
        return subprocess.run(
            ["git", "--no-pager", *overrides, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            env=kept | CALM,
            check=False,
        )
    except OSError:
        raise TrackerError("git is not installed, or not on the PATH. Windows are proposed from its commits.") from None
    except subprocess.TimeoutExpired:
        raise TrackerError(f"git {arguments[0]} took over {SECONDS} s and was stopped.") from None
