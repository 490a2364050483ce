"""Churn in real git repositories: what counts, what is left out, what is refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok, records

from tracker.api import Period
from tracker.errors import TrackerError
from tracker.kernel import Windows
from tracker.session import Session
from tracker_ledgers import churn, git, panel

Text = Callable[..., str]


def measure(session: Session, start: str | None, end: str | None = None, **more: Any) -> churn.Churn:
    request = churn.Request(window="W0-20", commit_start=start, commit_end=end, **more)
    return churn.measure(session, request)


def figures(found: churn.Churn) -> tuple[Any, ...]:
    return tuple(found.record[name] for name in churn.FIGURES)


def numstat(repository: Any, *arguments: str) -> tuple[int, ...]:
    """What `git diff --numstat` itself adds up to."""
    rows = [row.split("\t") for row in repository.git("diff", "-M", "--numstat", *arguments).splitlines()]
    added = sum(int(row[0]) for row in rows if row[0] != "-")
    deleted = sum(int(row[1]) for row in rows if row[1] != "-")
    return len(rows), added, deleted, added - deleted


def test_texts_binaries_renames_and_strange_names(session: Session, repository: Any, text_of: Text) -> None:
    start = repository.commit(**{"old name.py": text_of(40), "gone.txt": text_of(7), "pic.png": b"\x89PNG\0\0"})
    repository.git("mv", "old name.py", "neuer Näme\t.py")
    repository.write("neuer Näme\t.py", text_of(40) + "one more\n")
    repository.git("rm", "--quiet", "gone.txt")
    end = repository.commit(**{"pic.png": b"\x89PNG\0\1", "日本 語.txt": text_of(3), "-n": "dash\n"})
    found = measure(session, start, end)
    assert figures(found) == (5, 5, 7, -2) == numstat(repository, f"{start}..{end}")
    assert (found.record["commit_start"], found.record["commit_end"], found.record["commits"]) == (start, end, 1)
    assert found.warnings == found.notes == ()


def test_a_submodule_counts_as_git_counts_it(session: Session, repository: Any) -> None:
    first = repository.commit(**{".gitmodules": '[submodule "sub"]\npath = sub\nurl = ./sub\nignore = all\n'})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{first},sub")
    repository.git("commit", "--quiet", "--message", "submodule")
    start = repository.git("rev-parse", "HEAD")
    repository.git("update-index", "--cacheinfo", f"160000,{start},sub")
    repository.git("commit", "--quiet", "--message", "moved")
    repository.git("config", "submodule.sub.ignore", "all")
    assert figures(measure(session, start)) == (1, 1, 1, 0)


def test_a_merge_counts_what_it_brought(session: Session, repository: Any, text_of: Text) -> None:
    start = repository.commit(main=text_of(2))
    repository.git("switch", "--quiet", "--create", "side")
    repository.commit(side=text_of(5))
    repository.git("switch", "--quiet", "main")
    repository.commit(main=text_of(4))
    repository.git("merge", "--quiet", "--no-edit", "side")
    found = measure(session, start, "main")
    assert figures(found) == (2, 7, 0, 7)
    assert found.record["commits"] == 3


def test_the_user_s_settings_change_nothing(
    session: Session, repository: Any, text_of: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.commit(**{"a.txt": text_of(30)})
    repository.git("mv", "a.txt", "b.txt")
    end = repository.commit("xproto:: no\n\nbut", c=text_of(2))
    plain = figures(measure(session, start, end))
    (tmp_path / "gitconfig").write_text(
        "[diff]\nexternal = false\nrenames = false\nnoprefix = true\nrelative = true\n[color]\nui = always\n"
        "[log]\nshowSignature = true\nshowRoot = false\n[core]\nquotePath = true\n[i18n]\nlogOutputEncoding = latin1\n"
    )
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    (repository.path / "sub").mkdir()
    monkeypatch.chdir(repository.path / "sub")
    assert figures(measure(session, start, end)) == plain == (0, 0, 0, 0)


def test_the_newest_window_of_the_panel_was_captured_last(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its name; those without a capture have no time."""
    names = ("W1", "W2", "W9", "W10")
    known = {(window, "toy"): {"churn": 1, "files": 1} for window in names}
    monkeypatch.setattr(panel, "facts", lambda session, windows: known)
    at = datetime(2026, 1, 10, tzinfo=UTC)
    spans = {"W1": (at, at + timedelta(hours=3)), "W10": (at, at + timedelta(hours=1)), "W2": (at, None)}
    monkeypatch.setattr(Windows, "spans", lambda self, windows: spans)
    found = panel.panel(session, Period(windows=names))
    assert found is not None
    assert [row["window"] for row in found.rows] == ["W1", "W10", "W2", "W9"]


# --- prototypes


def test_prototypes_are_left_out_and_said(session: Session, repository: Any, text_of: Text) -> None:
    start = repository.commit(**{"kept.py": text_of(10)})
    repository.commit("feature", **{"kept.py": text_of(15), "new.py": text_of(4)})
    proto = repository.commit("xproto:: try", **{"kept.py": text_of(40), "proto.py": text_of(100)})
    repository.commit("mentions xproto:: only\n\nxproto:: in the body", **{"new.py": text_of(6)})
    repository.commit("Xproto", **{"kept.py": text_of(41)})
    found = measure(session, start, features=3)
    assert figures(found) == (2, 5 + 6 + 1, 0, 12)
    assert found.record["prototypes"] == [proto]
    assert found.record["commits"] == 3
    assert found.record["normalized_churn"] == 4
    assert found.notes[-1] == f"left out 1 prototype commit (xproto::): {proto[:12]}"
    assert found.record["notes"] == "left out 1 prototype commit (xproto::)"


def test_a_reverted_prototype_leaves_no_trace(session: Session, repository: Any, text_of: Text) -> None:
    start = repository.commit(**{"a.py": text_of(10)})
    repository.commit("xproto:: try", **{"a.py": text_of(50)})
    repository.git("revert", "--no-edit", "HEAD")
    repository.commit("work", **{"a.py": text_of(12)})
    assert figures(measure(session, start)) == (1, 2, 0, 2)


def test_a_prototype_is_left_out_under_every_name_of_its_file(session: Session, repository: Any, text_of: Text) -> None:
    start = repository.commit(**{"a.py": text_of(50), "other.py": text_of(9)})
    repository.commit("xproto:: try", **{"a.py": text_of(80)})
    repository.git("mv", "a.py", "b.py")
    repository.commit("moved", **{"b.py": text_of(83)})
    repository.git("mv", "other.py", "another.py")
    repository.commit("moved, too")
    assert figures(measure(session, start)) == (2, 3, 0, 3)


def test_a_prototype_on_a_merged_branch_is_left_out(session: Session, repository: Any, text_of: Text) -> None:
    start = repository.commit(main=text_of(2))
    repository.git("switch", "--quiet", "--create", "side")
    repository.commit("xproto:: side", side=text_of(5))
    repository.commit("real", real=text_of(3))
    repository.git("switch", "--quiet", "main")
    repository.commit(main=text_of(4))
    repository.git("merge", "--quiet", "--no-edit", "side")
    assert figures(measure(session, start)) == (2, 5, 0, 5)


# --- what is limited


def test_paths_and_exclusions_are_pathspecs(
    session: Session, repository: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.write("src/deep/code.py", text_of(5))
    repository.write("src/lock/uv.lock", text_of(700))
    repository.write("docs/guide.md", text_of(11))
    repository.write("tracker.toml", '[churn]\nexclude = ["*.lock", ":(icase)DOCS/GUIDE.MD", "tracker.toml"]\n')
    repository.commit()
    assert figures(measure(session, start)) == (1, 5, 0, 5)
    monkeypatch.chdir(repository.path / "src" / "deep")
    inside = Session()
    inside.data_dir = session.data_dir
    assert figures(measure(inside, start)) == (1, 5, 0, 5)
    assert figures(measure(inside, start, exclude=("code.py",))) == (0, 0, 0, 0)
    assert figures(measure(inside, start, paths=("code.py",))) == (1, 5, 0, 5)
    gone = measure(inside, start, paths=("nothing.py",))
    assert gone.record["files_changed"] == 0
    assert gone.notes[-1].endswith(" in these paths")
    assert gone.record["paths"] == [":(top)src/deep/nothing.py"]


def test_what_begins_with_a_dash_is_no_option_of_git(session: Session, repository: Any, tmp_path: Path) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.commit(a="a\n")
    target = tmp_path / "written"
    found = measure(session, start, paths=(f"--output={target}", "--no-index"))
    assert found.record["files_changed"] == 0
    for commit in (f"--output={target}", "-h", "--all"):
        with pytest.raises(
            TrackerError, match=re.escape(f"Invalid commit '{commit}' (--commit-start): it begins with")
        ):
            measure(session, commit)
        with pytest.raises(TrackerError, match=re.escape(f"Invalid commit '{commit}' (--commit-end)")):
            measure(session, start, commit)
    assert not target.exists()


# --- the first window of a repository


def test_what_is_committed_first_counts(session: Session, repository: Any, text_of: Text) -> None:
    empty = repository.git("hash-object", "-t", "tree", os.devnull)
    proto = repository.commit("xproto:: try", proto=text_of(9))
    end = repository.commit(**{"code.py": text_of(4)})
    found = measure(session, empty, end)
    assert figures(found) == (2, 1 + 4, 0, 5)
    assert (found.record["commit_start"], found.record["commits"], found.record["prototypes"]) == (empty, 2, [proto])
    assert figures(measure(session, empty, empty)) == (0, 0, 0, 0)
    with pytest.raises(TrackerError, match="have no history in common"):
        measure(session, end, empty)
    for before in ("HEAD~3", "HEAD~2^"):
        with pytest.raises(TrackerError, match=f"To start before the first commit, use git's empty tree: {empty}"):
            measure(session, before)


# --- what a finalize row names


def test_a_name_in_the_finalize_row_is_the_commit_that_it_was(
    finalized: Any, make_repository: Any, tmp_path: Path
) -> None:
    work = make_repository(tmp_path)
    ends = work.git("rev-parse", "HEAD~1"), work.git("rev-parse", "HEAD")
    ok(finalized("complete", "--window", "W0-20", "--commit-start", "HEAD~1", "--commit-end", "main"))
    row = records(tmp_path, "windows")[-1]
    assert (row["commit_start"], row["commit_end"]) == ends
    work.commit("tomorrow's", later="x\n" * 500)
    assert "files=6, +51/-47" in ok(finalized("churn", "--window", "W0-20"))


# --- ranges that are none


def test_outside_of_a_repository(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrackerError, match=r"is not in a git repository\. Run this where the work was committed"):
        measure(session, "HEAD")
    assert measure(session, None).record["decision"] == "missing-commit-range"
    for session.dry_run, said in ((False, "Recorded decision="), (True, "It would be recorded as decision=")):
        assert said in measure(session, None).warnings[0]


def test_without_git(session: Session, repository: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(TrackerError, match="git is not installed"):
        measure(session, "HEAD")


@pytest.mark.parametrize(
    "commit", ["nowhere", "0" * 40, "HEAD~99", "HEAD..HEAD", "^HEAD", "HEAD:first", " ", "a\nb", "a\0b"]
)
def test_an_unknown_commit(session: Session, repository: Any, commit: str) -> None:
    with pytest.raises(TrackerError, match=r"(Unknown|Invalid) commit") as raised:
        measure(session, commit)
    assert "--commit-start" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_start_that_is_no_ancestor(session: Session, repository: Any, text_of: Text) -> None:
    fork = repository.commit(shared=text_of(3))
    repository.git("switch", "--quiet", "--create", "work")
    repository.commit(work=text_of(5))
    repository.git("switch", "--quiet", "main")
    start = repository.commit(main=text_of(50))
    found = measure(session, start, "work")
    assert figures(found) == (1, 5, 0, 5)
    assert found.record["commit_start"] == start
    assert found.record["commit_base"] == fork
    assert f"{start[:12]} is not an ancestor of" in found.warnings[0]


def test_a_range_that_runs_backwards(session: Session, repository: Any) -> None:
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit(a="a\n")
    with pytest.raises(TrackerError, match="The range runs backwards"):
        measure(session, second, first)


def test_histories_that_have_nothing_in_common(session: Session, repository: Any) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("switch", "--quiet", "--orphan", "other")
    other = repository.commit(b="b\n")
    with pytest.raises(TrackerError, match="have no history in common"):
        measure(session, first, other)


@pytest.mark.parametrize("has_log", [True, False])
def test_a_capture_that_was_stored_later_has_the_commit_of_its_time(
    toys: Any, work: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch, has_log: bool
) -> None:
    now, ids = datetime.now(UTC), []
    for hours, count in ((5, 1), (3, 4), (1, 9)):
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_DATE", (now - timedelta(hours=hours)).isoformat())
        ids.append(work.commit(a=text_of(count)))
    if not has_log:
        shutil.rmtree(work.path / ".git" / "logs")
    for verb, hours, level in (("start", 4, 10), ("end", 2, 18)):
        at = (now - timedelta(hours=hours)).isoformat()
        ok(toys("alias", verb, "toy", "--stdin", "--window", "W1", "--captured-at", at, stdin=f"fuel {level}%"))
    done = toys("churn", "--window", "W1", "--provider", "toy")
    assert "files=1, +3/-0" in done.stdout
    assert f"the BEFORE capture names {ids[2][:12]}, which was made later: used {ids[0][:12]}, " in done.stderr
    assert f"the AFTER capture names {ids[2][:12]}, which was made later: used {ids[1][:12]}, " in done.stderr


def test_a_shallow_clone(
    session: Session, repository: Any, text_of: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.commit(a=text_of(3))
    repository.commit(a=text_of(5))
    repository.commit(a=text_of(9))
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.path}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(TrackerError, match=r"This clone is shallow: `git fetch --unshallow` fetches"):
        measure(session, start)
    repository.git("-C", str(tmp_path / "shallow"), "fetch", "--quiet", "--depth=1", "origin", start)
    found = measure(session, start)
    assert figures(found) == (1, 6, 0, 6)
    assert "shallow" in found.warnings[0]


def test_a_partial_clone_is_told_what_brings_the_rest(
    session: Session, repository: Any, text_of: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.commit(a=text_of(3))
    repository.commit(a=text_of(5))
    repository.commit(a=text_of(9))
    repository.git("config", "uploadpack.allowFilter", "true")
    origin, partial = f"file://{repository.path}", tmp_path / "partial"
    repository.git("clone", "--quiet", "--filter=blob:none", origin, str(partial))
    monkeypatch.chdir(partial)
    with pytest.raises(TrackerError, match="This clone is partial: `") as error:
        measure(session, start)
    subprocess.run(str(error.value).split("`")[1], shell=True, check=True)
    assert figures(measure(session, start)) == (1, 6, 0, 6)


def test_a_repository_of_another_user_names_what_git_says_to_do(
    session: Session, repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cure = f"git config --global --add safe.directory {repository.path}"
    said = f"fatal: detected dubious ownership in repository at '{repository.path}'\nTo add an exception:\n\n\t{cure}\n"
    refusal = subprocess.CompletedProcess(["git"], 128, b"", said.encode())
    monkeypatch.setattr(git, "_run", lambda *_: refusal)
    with pytest.raises(TrackerError, match=r"that git may read \(detected dubious ownership") as error:
        git.require_repository()
    assert str(error.value).endswith(f". `{cure}` lets git read it.")
