"""The repository of the working directory, asked through git's plumbing: no shell, and no value can become an option.

Plumbing (`rev-parse`, `rev-list`, `diff-tree`) instead of `git diff`, since it answers alike on every machine: it reads
none of the settings with which users change what `git diff` and `git log` print.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

from tracker.kernel import TrackerError, line

SECONDS = 120  # a diff of ten thousand files takes two
# they override the repository's settings: nothing in those is run, and every clone counts alike
OVERRIDES = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "credential.helper=",
    "diff.external=",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
)
# the environment that git gets: where it and its repository are, no keys, and nothing that runs a program
KEPT = (
    *("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LD_LIBRARY_PATH"),
    *("GIT_CEILING_DIRECTORIES", "GIT_CONFIG_GLOBAL"),
)
PLACES = "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"  # the user's repository; a view has its own
CALM = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_SSH_COMMAND": "false",
    "GIT_ALLOW_PROTOCOL": "none",
}
# renames as `git diff -M` finds them; a submodule counts whatever its settings say
DIFF = ("diff-tree", "-r", "-M", "-l0", "-z", "--numstat", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")


@frozen
class Change:
    """One file of a diff; `names` are the old and the new one if it was renamed. A binary file has 0 lines."""

    insertions: int
    deletions: int
    names: tuple[bytes, ...]


@frozen
class Commit:
    """A commit and the first line of its message."""

    sha: str
    subject: str


@frozen(kw_only=True)
class View:
    """A git directory of our own over a repository's objects, with the attributes of one commit and nothing else.

    Settings of the user or the repository, hooks, filters, `info/attributes`, replaced objects and uncommitted files do
    not reach it, so churn is the same in every clone.
    """

    folder: Path
    environment: Mapping[str, str]


@contextmanager
def view(commit: str) -> Iterator[View]:
    """A view with the attributes of a commit, at the working directory's place in the repository."""
    paths = (_ask("rev-parse", "--git-path", name).removesuffix(b"\n") for name in ("objects", "shallow"))
    objects, shallow = (Path(os.fsdecode(path)).absolute() for path in paths)
    kind = _ask("rev-parse", "--show-object-format").decode().strip()
    with tempfile.TemporaryDirectory(prefix="tracker-git-") as name:
        own, tree = Path(name) / "git", Path(name) / "tree"
        folder = tree / prefix()
        folder.mkdir(parents=True)
        # a user's own settings can also say what is binary
        places = {"GIT_DIR": str(own), "GIT_WORK_TREE": str(tree), "GIT_CONFIG_GLOBAL": os.devnull}
        empty = View(folder=folder, environment=places)
        _ask("init", "--quiet", "--template=", f"--object-format={kind}", view=empty)
        if shallow.is_file():
            shutil.copyfile(shallow, own / "shallow")
        made = View(folder=folder, environment=places | {"GIT_OBJECT_DIRECTORY": str(objects)})
        _write_attributes(made, tree, commit)
        yield made


def _write_attributes(made: View, tree: Path, commit: str) -> None:
    """The `.gitattributes` of a commit, as files; links among them are left out.

    If git read them from an index, it would take a byte order mark for part of the first pattern, a link's target for
    attributes, and a file that a partial clone lacks for an empty one.
    """
    for entry in _ask("ls-tree", "-r", "-z", "--full-tree", commit, view=made).split(b"\0"):
        mode, _, rest = entry.partition(b" ")
        sha, _, name = rest.partition(b" ")[2].partition(b"\t")
        if mode.startswith(b"100") and name.rpartition(b"/")[2] == b".gitattributes":
            path = tree / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_ask("cat-file", "blob", sha.decode(), view=made))


def _run(*arguments: str, data: bytes = b"", view: View | None = None) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in (*KEPT, *(() if view else PLACES)) if name in os.environ}
    overrides = [word for text in OVERRIDES for word in ("-c", text)]
    try:
        return subprocess.run(
            ["git", "--no-pager", *overrides, *(("-c", "core.bare=false") if view else ()), *arguments],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            cwd=view.folder if view else None,
            env=kept | CALM | (dict(view.environment) if view else {}),
            check=False,
        )
    except OSError:
        raise TrackerError("git is not installed or not on the PATH. Churn is measured with git.") from None
    except subprocess.TimeoutExpired:
        raise TrackerError(f"git {line(arguments[0])} took over {SECONDS} s and was stopped.") from None


def _ask(*arguments: str, data: bytes = b"", view: View | None = None) -> bytes:
    done = _run(*arguments, data=data, view=view)
    if done.returncode:
        raise TrackerError(f"git says: {_complaint(done)}")
    return done.stdout


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
    return line(said[0].removeprefix("fatal: "))


def require_repository() -> None:
    """Refuse a working directory outside any repository, with git's own words if they say more."""
    done = _run("rev-parse", "--git-dir")
    if done.returncode:
        said = _complaint(done)
        why = "" if said.startswith("not a git repository") else f" that git may read ({said})"
        # for another user's repository git also says how to read it
        cures = [text.strip() for text in done.stderr.decode("utf-8", "replace").split("\n") if "\tgit config " in text]
        cure = f"`{line(cures[0])}` lets git read it." if cures else "Run this where the work was committed."
        raise TrackerError(f"{Path.cwd()} is not in a git repository{why}. {cure}")


def empty_tree() -> str:
    """The id that stands for the commit before a repository's first one; every git knows it."""
    return _ask("hash-object", "-t", "tree", "--stdin").decode().strip()


def _commit(name: str, *options: str) -> str:
    """The id of the commit that a name means; empty if there is none."""
    done = _run("rev-parse", "--verify", "--quiet", *options, f"{name}^{{commit}}")
    # git prints both ends of a range before it refuses it; for a time before its log, the log's start with a warning
    is_before_log = "@{" in name and done.stderr
    # an exclusion such as `^HEAD` names no commit
    is_none = done.returncode or is_before_log or done.stdout.startswith(b"^")
    return "" if is_none else done.stdout.decode().strip()


def resolve(name: str, by: str, cure: str = "") -> str:
    """The full id of a commit, or the empty tree's. `by`: who named it. `cure`: a sentence for an unknown one."""
    if not name.strip() or name.startswith("-") or not name.isprintable():
        why = "begins with a dash" if name.startswith("-") else "is empty or holds control characters"
        raise TrackerError(f"Invalid commit {name!r} ({by}): it {why}.{cure}")
    if found := _commit(name):
        return found
    if name == (empty := empty_tree()):
        return empty
    hint = ""
    if is_shallow():
        hint = " This clone is shallow: `git fetch --unshallow` fetches what it lacks."
    elif name.rstrip("0123456789").endswith(("^", "~")):
        hint = f" To start before the first commit, use git's empty tree: {empty}."
    raise TrackerError(f"Unknown commit {name!r} ({by}) in the repository of {Path.cwd()}.{hint}{cure}")


def lasting(name: str) -> str:
    """The id of the commit that a name such as `HEAD` means today. Ids and names unknown to git stay as they are."""
    if not shutil.which("git") or name.startswith("-") or not name.isprintable():
        return name
    found = _commit(name)
    return name if found.startswith(name) else found or name


def prefix() -> str:
    """Where the working directory is in its repository: `lib/`; empty at its top, and without one."""
    return os.fsdecode(_run("rev-parse", "--show-prefix").stdout.removesuffix(b"\n"))


def top() -> Path | None:
    """The folder of the working directory's repository; None without one."""
    done = _run("rev-parse", "--show-toplevel") if shutil.which("git") else None
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n"))) if done and done.stdout else None


def head() -> str | None:
    """Branch and commit of the working directory's repository: `main at 1a2b3c4d5e6f`; None without one."""
    if shutil.which("git") is None:
        return None
    commit = _commit("HEAD", "--short=12")
    branch = _run("symbolic-ref", "--quiet", "--short", "HEAD").stdout.decode("utf-8", "replace").strip()
    return f"{branch or 'no branch'} at {commit}" if commit else None


def made_at(commit: str) -> int:
    """When a commit was made, in seconds; 0 of the empty tree."""
    said = _run("rev-list", "-1", "--format=%ct", commit, "--").stdout.decode()
    return int(said.split()[-1]) if said else 0


def of_time(seconds: int) -> str:
    """The commit that was checked out then, by git's own log of HEAD, else the last one on HEAD's line."""
    at = datetime.fromtimestamp(seconds, UTC)
    done = _run("rev-parse", "--verify", f"HEAD@{{{at:%Y-%m-%dT%H:%M:%SZ}}}")
    # for a time before its first entry, git gives that entry and says so
    if done.returncode or done.stderr:
        done = _run("rev-list", "-1", f"--min-age={seconds}", "HEAD", "--")
    return done.stdout.decode().strip() or empty_tree()


def is_lost(commit: str) -> bool:
    """Whether the repository here, if there is one, does not know a commit; a shallow clone can fetch it."""
    return head() is not None and commit != empty_tree() and not _commit(commit) and not is_shallow()


def is_partial() -> bool:
    """Whether a clone may lack the contents of files, which no command here fetches."""
    return bool(_run("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$").stdout)


def is_shallow() -> bool:
    return _run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"


def is_ancestor(old: str, new: str) -> bool:
    return _run("merge-base", "--is-ancestor", old, new).returncode == 0


def merge_base(one: str, other: str) -> str | None:
    return _run("merge-base", one, other).stdout.decode().strip() or None


def written(start: str, end: str, *, again: bool = False) -> set[str]:
    """Author, date and subject of the commits of `start..end`, which amending or rebasing keeps.

    again: only those that were committed later than they were written.
    """
    said = _ask("rev-list", "--format=:%ct %at %an <%ae> %s", end, f"^{start}").decode("utf-8", "replace")
    found = (text[1:].split(" ", 1) for text in said.split("\n") if text.startswith(":"))
    return {how for committed, how in found if not (again and how.startswith(f"{committed} "))}


def commits(start: str, end: str) -> list[Commit]:
    """The commits of `start..end`, newest first."""
    said = _ask("rev-list", "--encoding=UTF-8", "--format=:%H %s", end, f"^{start}").decode("utf-8", "replace")
    marked = [text[1:].partition(" ") for text in said.split("\n") if text.startswith(":")]
    return [Commit(sha, subject) for sha, _, subject in marked]


def changes(start: str, end: str, pathspecs: Sequence[str], view: View) -> list[Change]:
    """`git diff --numstat start..end`."""
    return [change for _, change in _changes(_ask(*DIFF, start, end, "--", *pathspecs, view=view))]


def changes_by_commit(shas: Iterable[str], pathspecs: Sequence[str], view: View) -> list[tuple[str, Change]]:
    """What each commit changed, with its id; nothing for a merge, since its commits are listed themselves."""
    data = "".join(f"{sha}\n" for sha in shas).encode()
    return list(_changes(_ask(*DIFF, "--stdin", "--root", "--", *pathspecs, data=data, view=view)))


def _changes(said: bytes) -> Iterator[tuple[str, Change]]:
    """With `-z`: `added TAB deleted TAB name NUL`, `... TAB NUL old NUL new NUL` of a rename, `id NUL` of a commit."""
    parts, sha = iter(said.split(b"\0")), ""
    for part in parts:
        added, tab, rest = part.partition(b"\t")
        if not tab:
            sha = part.decode() or sha
            continue
        deleted, _, name = rest.partition(b"\t")
        names = (name,) if name else (next(parts), next(parts))
        yield sha, Change(_lines(added), _lines(deleted), names)


def _lines(text: bytes) -> int:
    return 0 if text == b"-" else int(text)  # `-`: a binary file
