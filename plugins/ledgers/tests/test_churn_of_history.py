"""Churn when commits were amended, lost or made late, and when rows are not in the order of their time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok, refused

from tracker.api import instant
from tracker.session import Session
from tracker_ledgers import churn

Text = Callable[..., str]


def measure(session: Session, start: str, end: str = "HEAD", **more: Any) -> churn.Churn:
    return churn.measure(session, churn.Request(window="W0-20", commit_start=start, commit_end=end, **more))


def figures(found: churn.Churn) -> tuple[Any, ...]:
    return tuple(found.record[name] for name in churn.FIGURES)


def test_a_commit_that_was_made_behind_a_forgotten_capture_is_its_work(
    toys: Any, work: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for minutes, count in ((60, 3), (4, 53)):
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_DATE", (now - timedelta(minutes=minutes)).isoformat())
        work.commit(a=text_of(count))
    shutil.rmtree(work.path / ".git" / "logs")
    at = (now - timedelta(minutes=8)).isoformat()
    ok(toys("start", "toy", "--stdin", "--window", "W1", "--captured-at", at, stdin="fuel 10%"))
    ok(toys("end", "toy", "--stdin", "--window", "W1", stdin="fuel 18%"))
    assert "files=1, +50/-0" in toys("churn", "--window", "W1", "--provider", "toy").stdout


def test_a_live_capture_has_its_commit_whatever_the_clock_of_its_author_says(
    toys: Any, work: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=20)).isoformat()
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", ahead)
    work.commit(a=text_of(100))
    shutil.rmtree(work.path / ".git" / "logs")
    ok(toys("start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    work.commit(a=text_of(103))
    ok(toys("end", "toy", "--stdin", "--window", "W1", stdin="fuel 18%"))
    assert "files=1, +3/-0" in toys("churn", "--window", "W1", "--provider", "toy").stdout


def test_an_amended_start_does_not_count_again(
    session: Session, repository: Any, text_of: Text, monkeypatch: Any
) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-01-02T03:04:05Z")
    start = repository.commit(a=text_of(11))
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-02T04:04:05Z")
    repository.write("a", text_of(14))
    repository.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    found = measure(session, start, "HEAD")
    assert figures(found) == (1, 3, 0, 3)
    assert found.warnings == (f"{start[:12]} was amended or rebased: its own lines are not counted again",)


def test_a_capture_whose_commit_is_gone_says_how_to_name_another(toys: Any, work: Any, text_of: Text) -> None:
    work.commit(a=text_of(1))
    ok(toys("start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    work.commit(a=text_of(5))
    ok(toys("end", "toy", "--stdin", "--window", "W1", stdin="fuel 18%"))
    work.git("reset", "--quiet", "--soft", "HEAD~1")
    work.commit("squashed", a=text_of(6))
    work.git("reflog", "expire", "--expire=now", "--all")
    work.git("gc", "--quiet", "--prune=now")
    done = toys("churn", "--window", "W1", "--provider", "toy")
    assert done.returncode == 1
    cure = "tracker churn --window W1 --provider toy --commit-end COMMIT"
    assert (
        f"`git fetch` gets commits that were pushed; otherwise COMMIT is the one that has the work now: `{cure}`."
        in done.stderr
    )
    done = toys(*cure.replace("COMMIT", "HEAD").split()[1:])
    assert "files=1, +5/-0" in done.stdout


def test_a_repository_that_the_environment_names(
    session: Session, repository: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.git("rev-parse", "HEAD")
    end = repository.commit(a=text_of(3))
    monkeypatch.setenv("GIT_DIR", str(repository.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repository.path))
    assert figures(measure(session, start, end)) == (1, 3, 0, 3)


def test_what_brings_a_prototype_back_is_one(session: Session, repository: Any, text_of: Text) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.commit("xproto:: try", a=text_of(50))
    repository.git("revert", "--no-edit", "HEAD")
    repository.git("revert", "--no-edit", "HEAD")
    repository.commit(b=text_of(7))
    assert figures(measure(session, start, "HEAD")) == (1, 7, 0, 7)


def test_the_newest_row_counts_wherever_it_stands(session: Session, repository: Any, text_of: Text) -> None:
    """An import brings older rows behind newer ones."""
    start = repository.git("rev-parse", "HEAD")
    older = measure(session, start, repository.commit(a=text_of(2))).record
    newer = measure(session, start, repository.commit(a=text_of(9))).record
    before = (instant(older["captured_at"]) - timedelta(hours=1)).isoformat()
    with session.journal.lock():
        session.journal.append("churn", [newer, {**older, "captured_at": before}])
    assert [row["net"] for row in churn.measured_rows(session, ["W0-20"])] == [2, 9]


def test_the_newest_row_counts_also_if_the_clock_of_an_earlier_one_was_ahead(
    session: Session, repository: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.git("rev-parse", "HEAD")
    for days, size in ((2, 2), (0, 9)):
        monkeypatch.setattr(Session, "now", property(lambda _, days=days: datetime.now(UTC) + timedelta(days=days)))
        record = measure(session, start, repository.commit(a=text_of(size))).record
        with session.journal.lock():
            session.journal.append("churn", [record])
    assert [row["net"] for row in churn.measured_rows(session, ["W0-20"])] == [2, 9]


def test_paths_of_a_subfolder_mean_the_same_wherever_it_is_measured_again(
    session: Session, repository: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.commit(**{"lib/a": text_of(5), "generated/b": text_of(1000)})
    monkeypatch.chdir(repository.path / "lib")
    for given, net in (({"paths": (".",)}, 5), ({"exclude": ("../generated",)}, 5)):
        request = churn.Request(window="W0-20", commit_start=start, commit_end="HEAD", **given)
        record = churn.measure(session, request).record
        assert record["net"] == net
        with session.journal.lock():
            session.journal.append("churn", [record])
        with monkeypatch.context() as top:
            top.chdir(repository.path)
            again = churn.repeated(session, "W0-20", None, None)
            assert churn.measure(session, again).record["net"] == net


def test_what_was_typed_at_the_top_is_measured_again_in_a_subfolder(
    session: Session, repository: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.commit(**{"lib/a": text_of(5), "generated/b": text_of(1000)})
    record = measure(session, start, "HEAD", exclude=("generated/",)).record
    with session.journal.lock():
        session.journal.append("churn", [record])
    monkeypatch.chdir(repository.path / "lib")
    again = churn.measure(session, churn.repeated(session, "W0-20", None, None)).record
    assert (record["net"], again["net"]) == (5, 5)


def test_what_the_settings_left_out_is_nothing_that_a_person_typed(
    repository: Any, text_of: Text, tmp_path: Path
) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.commit(**{"lib/a": text_of(5), "generated/b": text_of(1000)})
    for exclude, net in (("generated/", 5), ("", 1005)):
        repository.write("tracker.toml", f"[churn]\nexclude = {[exclude] if exclude else []}\n".replace("'", '"'))
        session = Session()
        session.data_dir = tmp_path / "data"
        request = churn.repeated(session, "W0-20", None, None)
        record = measure(session, start, "HEAD", exclude=request.exclude).record
        assert (record["net"], record["exclude"]) == (net, [])
        with session.journal.lock():
            session.journal.append("churn", [record])


def test_a_commit_in_the_second_of_a_forgotten_before_is_work(
    toys: Any, work: Any, text_of: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `windows add` of that time has it."""
    now = datetime.now(UTC).replace(microsecond=0)
    for minutes, count in ((90, 3), (60, 53), (30, 60)):
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_DATE", (now - timedelta(minutes=minutes)).isoformat())
        work.commit(a=text_of(count))
    shutil.rmtree(work.path / ".git" / "logs")
    for verb, minutes, level in (("start", 60, 10), ("end", 30, 18)):
        at = (now - timedelta(minutes=minutes)).isoformat()
        ok(toys(verb, "toy", "--stdin", "--window", "W1", "--captured-at", at, stdin=f"fuel {level}%"))
    assert "files=1, +57/-0" in toys("churn", "--window", "W1", "--provider", "toy").stdout


def test_a_range_of_captures_that_runs_backwards_is_none_that_was_mistyped(toys: Any, work: Any) -> None:
    """The older commit as the start would count what was dropped as work."""
    work.commit(bad="bad\n")
    ok(toys("start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    work.git("reset", "--quiet", "--hard", "HEAD~1")
    ok(toys("end", "toy", "--stdin", "--window", "W1", stdin="fuel 18%"))
    said = refused(toys("churn", "--window", "W1", "--provider", "toy"))
    assert "The range runs backwards" in said
    assert "--commit-start" not in said
    assert said.endswith("work now: `tracker churn --window W1 --provider toy --commit-end COMMIT`.")


def test_the_card_asks_for_the_commit_that_was_squashed(finalized: Any, make_repository: Any, tmp_path: Path) -> None:
    work = make_repository(tmp_path)
    work.git("reset", "--quiet", "--soft", "HEAD~1")
    work.git("commit", "--quiet", "--message", "squashed")
    work.git("reflog", "expire", "--expire=now", "--all")
    work.git("gc", "--quiet", "--prune=now")
    said = ok(finalized("decision-card", "--window", "W0-20"))
    cure = "tracker churn --window W0-20 --commit-end COMMIT"
    # as of another machine's work that was not fetched yet
    why = "`git fetch` gets commits that were pushed; otherwise COMMIT is the one that has the work now"
    assert f"Git does not know its commits here. {why}. Run `{cure}`." in said
    step = cure.replace("W0-20", "W0-20 --provider toy")
    said = ok(finalized("handoff", "--dry-run"))
    assert f"No churn is measured yet; {why}:\n\n```sh\n{step}\n" in said
    assert "files=6, +51/-47" in ok(finalized(*cure.replace("COMMIT", "HEAD").split()[1:]))
