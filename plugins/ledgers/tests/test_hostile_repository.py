"""Churn in repositories whose settings run commands or change what git counts: nothing is run, every clone agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

Run = Callable[..., Any]


def churned(run: Run) -> tuple[int, int, int]:
    found = json.loads(ok(run("churn", "--window", "W0-20", "--json")))
    return found["files_changed"], found["insertions"], found["deletions"]


@pytest.fixture
def expected(finalized: Run) -> tuple[int, int, int]:
    found = churned(finalized)
    assert found == (6, 51, 47)
    return found


def test_nothing_of_the_repository_is_run(finalized: Run, expected: Any, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho ran >> '{tmp_path}/ran'\n")
    program.chmod(0o755)
    names = ("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external", "diff.x.command", "diff.x.textconv")
    settings = "".join(f'[{section}]\n{key} = "{program}"\n' for section, key in map(_split, names))
    git = tmp_path / ".git"
    (git / "config").write_text((git / "config").read_text() + settings + f'[core]\nhooksPath = "{tmp_path}"\n')
    (git / "info").mkdir(exist_ok=True)
    (git / "info" / "attributes").write_text("* diff=x\n")
    assert churned(finalized) == expected
    ok(finalized("handoff"))
    assert not (tmp_path / "ran").exists()


def test_a_commit_that_is_not_here_is_fetched_from_nowhere(finalized: Run, tmp_path: Path) -> None:
    git = tmp_path / ".git"
    settings = "[extensions]\npartialClone = origin\n"
    settings += '[remote "origin"]\npromisor = true\nurl = ssh://nowhere.invalid/x\n'
    settings += f"[core]\nrepositoryformatversion = 1\nsshCommand = \"touch '{tmp_path}/ran'; false\"\n"
    (git / "config").write_text((git / "config").read_text() + settings)
    done = finalized("complete", "--window", "W0-20", "--toy-features", "1", "--commit-start", "0123456789" * 4)
    assert "is not a commit of the repository here" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("link", ["docs", "docs/Ledgers"])
def test_a_link_to_another_folder_is_not_written_through(finalized: Run, tmp_path: Path, link: str) -> None:
    """Whoever clones a repository did not make its links; a setting that leads out needs consent, too."""
    victim = tmp_path.parent / f"{tmp_path.name}-victim"
    victim.mkdir()
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(victim)
    words = [("evidence", "add", "--window", "W0-20", "--capability", "c", "--result", "pass")]
    words += [("checkpoint", "--window", "W0-20", "--provider", "toy", "--task", "t", "--plan", "1", "--actual", "1")]
    words += [("handoff",), ("uat", "--window", "W0-20", "--record")] if link == "docs" else []
    for command in words:
        done = finalized(*command)
        assert done.returncode == 1, done.stdout
        assert f"leads out of {tmp_path} through a link, to {victim}" in done.stderr
    assert list(victim.iterdir()) == []
    (tmp_path / "tracker.toml").write_text('[ledgers]\ndir = "docs/Ledgers"\n')
    assert "needs your consent" in finalized(*words[0]).stderr
    ok(finalized("config", "trust"))
    ok(finalized(*words[0]))
    assert list(victim.rglob("Acceptance_Evidence.csv"))


def _split(name: str) -> tuple[str, str]:
    section, _, key = name.rpartition(".")
    head, dot, rest = section.partition(".")
    return (f'{head} "{rest}"' if dot else head), key


@pytest.mark.parametrize("where", [".git/info/attributes", ".gitattributes"])
def test_attributes_that_are_not_committed_change_nothing(
    finalized: Run, expected: Any, tmp_path: Path, where: str
) -> None:
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("* -diff\n")
    assert churned(finalized) == expected


def test_settings_and_replaced_objects_change_nothing(
    finalized: Run, expected: Any, tmp_path: Path, make_repository: Any
) -> None:
    work = make_repository(tmp_path)
    work.git("config", "diff.renameLimit", "1")
    work.git("config", "diff.renames", "false")
    work.git("replace", "HEAD^{tree}", "HEAD~1^{tree}")
    assert churned(finalized) == expected


@pytest.mark.parametrize("setting", ["[core]\nbigFileThreshold = 1\n", '[diff "own"]\nbinary = true\n'])
def test_settings_of_the_user_change_nothing(
    finalized: Run, tmp_path: Path, make_repository: Any, setting: str
) -> None:
    work = make_repository(tmp_path)
    start = work.git("rev-parse", "HEAD")
    work.commit(**{".gitattributes": "*.data diff=own\n", "one.data": "one\ntwo\n"})
    (tmp_path / "gitconfig").write_text(setting)
    words = ("churn", "--window", "W0-20", "--commit-start", start, "--commit-end", "HEAD", "--json")
    found = json.loads(ok(finalized(*words)))
    assert (found["files_changed"], found["insertions"]) == (2, 3)


def test_committed_attributes_count(finalized: Run, tmp_path: Path, make_repository: Any) -> None:
    work = make_repository(tmp_path)
    start = work.git("rev-parse", "HEAD")
    work.commit(**{"sub/.gitattributes": "*.data -diff\n", "sub/big.data": "one\ntwo\n", "big.data": "one\n"})
    words = ("churn", "--window", "W0-20", "--commit-start", start, "--commit-end", "HEAD", "--json")
    found = json.loads(ok(finalized(*words)))
    assert (found["files_changed"], found["insertions"]) == (3, 2)


def test_committed_attributes_are_read_as_git_reads_the_files(
    finalized: Run, tmp_path: Path, make_repository: Any
) -> None:
    """A byte order mark belongs to no pattern, and what a link points to names no attribute."""
    work = make_repository(tmp_path)
    start = work.git("rev-parse", "HEAD")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".gitattributes").symlink_to("*.data -diff")
    marked = b"\xef\xbb\xbf*.data -diff\n"
    work.commit(**{"sub/.gitattributes": marked, "sub/big.data": "one\ntwo\n", "linked/big.data": "one\n"})
    words = ("churn", "--window", "W0-20", "--commit-start", start, "--commit-end", "HEAD", "--json")
    found = json.loads(ok(finalized(*words)))
    # the attributes, the link and a line of the data beside it
    assert (found["files_changed"], found["insertions"]) == (4, 3)
