"""What changed between two commits, and how much of it counts as work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracker.kernel import TrackerError
from tracker_ledgers import git

# also git's subjects of reverts: what they take back, or bring back, was not counted either
PROTOTYPE = re.compile(r'((Revert|Reapply) ")*xproto::')


def diff(start: str, end: str, pathspecs: Sequence[str], cure: str = "") -> tuple[dict[str, Any], tuple[str, ...]]:
    """Measure a range of commits, given by their full ids: the figures as a churn record has them, and warnings."""
    base, warnings = _base(start, end, cure)
    known = git.commits(base, end)
    prototypes = [commit for commit in known if PROTOTYPE.match(commit.subject)]
    try:
        with git.view(end) as view:
            changes = git.changes(base, end, pathspecs, view)
            files = len(changes)
            if prototypes:
                changes, files = _without(prototypes, known, changes, pathspecs, view)
    except TrackerError as error:
        if not git.is_partial():
            raise
        cure = f"`git log --stat {base[:12]}..{end[:12]} > /dev/null` fetches what it lacks"
        raise TrackerError(f"{error}. This clone is partial: {cure}. Then run this again.") from error
    insertions = sum(change.insertions for change in changes)
    deletions = sum(change.deletions for change in changes)
    figures = {
        "commit_start": start,
        "commit_end": end,
        # what the end was compared with, if that is not the start
        "commit_base": None if base == start else base,
        "commits": len(known) - len(prototypes),
        "prototypes": [commit.sha for commit in prototypes],
        "files_changed": files,
        "insertions": insertions,
        "deletions": deletions,
        "net": insertions - deletions,
    }
    return figures, warnings


def _base(start: str, end: str, cure: str) -> tuple[str, tuple[str, ...]]:
    """What the end is compared with: the start if it is an ancestor of the end, else where the two diverged."""
    if start == git.empty_tree() or git.is_ancestor(start, end):
        return start, ()
    if git.is_ancestor(end, start):
        raise TrackerError(
            f"The range runs backwards: its end {end[:12]} is an ancestor of its start {start[:12]}."
            f"{cure or ' Name the older commit with --commit-start and the newer one with --commit-end.'}"
        )
    base = git.merge_base(start, end)
    if base is not None and git.written(base, start) <= git.written(base, end, again=True):
        return start, (f"{start[:12]} was amended or rebased: its own lines are not counted again",)
    if base is not None:
        what = f"{start[:12]} is not an ancestor of {end[:12]}: measured from {base[:12]}, where they diverged"
        return base, (f"{what}; a plain diff would count the other branch's changes in reverse",)
    if git.is_shallow():  # both trees are there, the way between them is not
        return start, ("this clone is shallow and lacks commits of the range: prototypes among them are counted",)
    raise TrackerError(f"{start[:12]} and {end[:12]} have no history in common. Name two commits of one history.")


def _without(
    prototypes: Iterable[git.Commit],
    known: Iterable[git.Commit],
    whole: list[git.Change],
    pathspecs: Sequence[str],
    view: git.View,
) -> tuple[list[git.Change], int]:
    """The changes without the prototypes, and how many files they are.

    Files that no prototype touched count as the diff has them. Those that one touched, under whatever name, count
    commit by commit, the prototypes left out: a commit cannot be subtracted from a diff, in which later commits may
    have changed or removed its lines already.
    """
    left_out = {commit.sha for commit in prototypes}
    steps = git.changes_by_commit((commit.sha for commit in known), pathspecs, view)
    root = _roots([change.names for change in whole] + [change.names for _, change in steps])
    touched = {root(change.names[0]) for sha, change in steps if sha in left_out}
    as_diffed = [change for change in whole if root(change.names[0]) not in touched]
    by_commit = [change for sha, change in steps if sha not in left_out and root(change.names[0]) in touched]
    return as_diffed + by_commit, len(as_diffed) + len({root(change.names[0]) for change in by_commit})


def _roots(renames: Iterable[tuple[bytes, ...]]) -> Callable[[bytes], bytes]:
    """A function that gives one name for all the names that a file had (union-find)."""
    parents: dict[bytes, bytes] = {}

    def root(name: bytes) -> bytes:
        while (parent := parents.get(name, name)) != name:
            name = parent
        return name

    for old, *new in renames:
        for name in new:
            parents[root(name)] = root(old)
    return root


def pathspecs(paths: Iterable[str], exclude: Iterable[str], configured: Iterable[str]) -> list[str]:
    """What a diff is limited to; patterns of the settings are relative to the repository, others to this folder."""
    left_out = [_excluding(pattern, "") for pattern in exclude]
    return [*paths, *left_out, *(_excluding(pattern, "top,") for pattern in configured)]


def _excluding(pattern: str, magic: str) -> str:
    if pattern.startswith((":!", ":^")):
        return pattern
    if pattern.startswith(":("):  # magic of its own, such as :(icase)
        return f":({magic}exclude,{pattern[2:]}"
    if pattern.startswith(":/"):
        return f":(top,exclude){pattern[2:]}"
    return f":({magic}exclude){pattern}"
