"""What a tired operator mistypes, and the one line that says so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tracker.cli.main import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]
OVERRIDE = ("override", "codex", "--window", "W1", "--phase", "after")
CASES: list[tuple[tuple[str, ...], int, str]] = [
    (("compare", "codex", "codex"), 2, "You named codex twice. Name two providers."),
    (
        ("compare", "codex", "claude", "--price", "cheap"),
        1,
        "Invalid --price 'cheap'. Expected PROVIDER=200/mo:4.3bars.",
    ),
    ((*OVERRIDE, "--weekly-resets", "noon"), 2, "--weekly-resets also needs the meter's value"),
    (("complete", "--window", "W1", "--quality", "inf"), 2, "Invalid number 'inf'. Expected one from 0 to 1"),
    (("complete", "--window", "W1", "--quality", "1e300", "--force"), 2, "Expected one from 0 to 1."),
    (("compare", "codex", "claude", "--effect", "nan"), 2, "Invalid number 'nan'. Expected one from 1.001 to 1"),
    (("status", "--watch", "nan"), 2, "Invalid number 'nan'. Expected one from 0.1 to 86400."),
    (
        ("ingest", "proxy-telemetry", "--window", "W1", "--stdin", "--follow"),
        2,
        "--follow expects --file PATH. A pipe is",
    ),
    (
        ("alias", "start", "codex", "--stdin", "--window", "a/b"),
        1,
        "Invalid window id 'a/b'. Expected a letter (a-z, A-Z) or digit, then up to 63 letters, digits, '.', '_' or",
    ),
    (
        ("alias", "start", "codex", "--stdin", "--captured-at", "noon"),
        2,
        "Invalid time 'noon'. Expected ISO 8601, such as 2026-11-22T06:30:00Z",
    ),
    (("churn", "--window", "W1", "--paths", ""), 2, "Invalid path ''. Expected git's pathspec."),
    (("plugins", "info", "codx"), 2, "Unknown source 'codx'. Did you mean codex?"),
    (("plugins", "new", "fuel", "--into", "blocked/sub"), 1, "Cannot write"),
    (("alias", "begin", "codex"), 2, "Unknown command 'begin'"),
    (("plan", "--provider", "codex", "--windows-left", "2.5"), 2, "Invalid whole number '2.5'. Expected one from 1 to"),
    (("complete", "--window", "W1", "--codex-features", "some"), 2, "Invalid whole number 'some'. Expected one from 0"),
    (("complete", "--window", "W1", "--codex-features", "1e300"), 2, "Invalid whole number '1e300'. Expected one from"),
    (("complete", "--window", "W1", "--codex-features", "9" * 31), 2, "Expected one from 0 to 1000000."),
    (("complete", "--window", "W1", "--codex-features=-1"), 2, "Expected one from 0 to 1000000."),
    (("churn", "--window", "W1", "--features", "9" * 31), 2, "Expected one from 0 to 1000000."),
    (("help", "previw"), 2, "No word or command 'previw'. Did you mean preview?"),
    (("previw",), 2, "Unknown command 'previw'. Did you mean preview?"),
    (("help", "reset"), 2, "No word or command 'reset'. `tracker help` lists both."),
    (("preview", "--sinc", "7d"), 2, "No such option '--sinc'. Did you mean --since?"),
    (("start", "codex", "--windo", "W1"), 2, "No such option '--windo'. Did you mean --window?"),
    (("gate", "codex", "--minleft", "3"), 2, "No such option '--minleft'. Did you mean --min-left?"),
    (("start", "codex", "--provder", "x"), 2, "No such option '--provder'. Expected one of --window, "),
    (("churn", "--path", "x"), 2, "No such option '--path'. Did you mean --paths?"),
    (
        ("complete", "--features", "2"),
        2,
        "No such option '--features'. Did you mean --claude-features or --codex-features or --glm-features?",
    ),
    (("edn", "codex"), 2, "Unknown command 'edn'. Did you mean end?"),
    (("stop", "codex"), 2, "Unknown command 'stop'. Expected one of start, end, cross, "),
    (("audit",), 2, "Unknown command 'audit'. Did you mean window-audit?"),
    (("cost",), 2, "Unknown command 'cost'. Did you mean cost-compare?"),
    (("start",), 2, "Missing argument 'PROVIDER'. Example: `tracker start claude pane.txt`."),
    (("config", "set", "zone"), 2, "Missing argument 'VALUE'. Example: `tracker config set "),
    (("export",), 2, "Missing option '--format'. Example: `tracker export --format csv --out exported`."),
    (("preview", "W0-01"), 2, "Unexpected argument 'W0-01'. Did you mean --window W0-01?"),
    (("feature", "reserve", "F-1", "--window", "W1"), 2, "Unexpected argument 'F-1'. Example: `tracker feature "),
    (("preview", "json"), 2, "Unexpected argument 'json'. Did you mean --json?"),
    (("meters", "drift", "codex"), 2, "Unexpected argument 'codex'. Did you mean --provider codex?"),
    (("status", "a\nb"), 2, r"Unexpected argument 'a\nb'. Example: `tracker status`."),
    (("start", "codex", "pane.txt", "--stdin"), 2, "Two texts are given. Name a file, or use --stdin."),
    (("alias", "start", "codx", "--stdin"), 2, "Unknown provider 'codx'. Did you mean codex?"),
    (
        ("ingest", "codex-ccusag", "--window", "W1", "--stdin"),
        2,
        "Unknown source 'codex-ccusag'. Did you mean codex-ccusage?",
    ),
    (
        ("alias", "start", "codex", "--stdin", "--timezone", "Mars/Base"),
        1,
        "Unknown time zone 'Mars/Base'. Expected a",
    ),
]


@pytest.mark.parametrize(("words", "status", "said"), CASES, ids=[said[:40] for *_, said in CASES])
def test_a_mistake_is_one_line_and_stores_nothing(
    tracker_inside: Run, tmp_path: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    done = tracker_inside(*words, stdin="Weekly limit: 80% left")
    assert done.returncode == status, done.stdout + done.stderr
    [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said in error
    assert not list((tmp_path / "data").glob("*.jsonl"))


@pytest.mark.parametrize("words", [(), ("plan",), ("alias",), ("alias", "start"), ("import",)])
def test_help_is_a_word_too(tracker_inside: Run, words: tuple[str, ...]) -> None:
    done = tracker_inside("help", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(tracker_inside(*words, "--help").stdout)


PANES = Path(__file__).parents[1] / "docs" / "samples" / "panes"
CODEX, CLAUDE = "codex-80-left.txt", "claude-40-used.txt"


@pytest.mark.parametrize(
    "words",
    [
        ("evidence", "add", "--capability-id", "c", "--runner", "r", "--result", "pass", "--window-id"),
        ("ingest", "codex-ccusage", "--file", str(PANES / "ccusage-weekly.json"), "--window"),
    ],
)
def test_a_new_window_that_is_a_known_one_but_for_its_zeros_is_named(
    tracker_inside: Run, words: tuple[str, ...]
) -> None:
    first = tracker_inside("alias", "start", "codex", "--stdin", "--window", "W0-07", stdin="Weekly limit: 80% left")
    assert first.returncode == 0, first.stderr
    cure = " `tracker undo` takes this back"
    for window, said in {
        "W0-7": True,
        "W00-007": True,
        "W0-O7": True,
        "W0-07": False,
        "W0-70": False,
        "W0-8": False,
    }.items():
        done = tracker_inside(*words, window)
        assert done.returncode == 0, done.stderr
        assert (f"note: {window} is a new window. Did you mean W0-07?{cure}\n" in done.stderr) == said
    assert "Did you mean" not in tracker_inside(*words, "W0-7").stderr  # it is known by now
    # the next one may begin, but nothing is finished in it
    assert ("W0-71 is a new window." in tracker_inside(*words, "W0-71").stderr) == (words[0] == "evidence")


@pytest.mark.parametrize(
    ("words", "pane", "why"),
    [
        (("alias", "start", "codex"), None, "nothing was piped or pasted"),
        (("alias", "start", "codex"), CLAUDE, "it looks like claude's, so use `tracker start claude`"),
        (("alias", "end", "claude"), CODEX, "it looks like codex's, so use `tracker end codex`"),
        (
            ("ingest", "codex-ccusage", "--window", "W1"),
            CODEX,
            "it looks like codex's, so use `tracker start codex`",
        ),
        (
            ("alias", "start", "codex"),
            "ccusage-weekly.json",
            "it looks like codex-ccusage's, so use `tracker ingest codex-ccusage`",
        ),
        (("alias", "start", "codex"), "glm-12.json", "it looks like glm's, so use `tracker start glm`"),
        (("alias", "start", "glm"), None, "nothing was piped or pasted"),
    ],
)
def test_a_text_that_is_anothers_or_none_is_called_so(
    tracker_inside: Run, words: tuple[str, ...], pane: str | None, why: str
) -> None:
    done = tracker_inside(*words, "--stdin", stdin=(PANES / pane).read_text() if pane else " \n")
    assert done.returncode == 1
    assert "error: This text holds no " in done.stderr
    assert f"): {why}. Nothing was stored." in done.stderr
    assert ("Use --force" in done.stderr) == (pane is not None), "without a text there is nothing to insist on"


def test_a_text_of_nobody_says_what_the_source_wants(tracker_inside: Run) -> None:
    done = tracker_inside("alias", "start", "codex", "--stdin", stdin="12 passed in 3.4s, 80% of the lines")
    assert "looks like" not in done.stderr
    assert "send Codex a message" in done.stderr


def test_an_option_without_its_beginning_names_all_that_end_so(tracker_inside: Run) -> None:
    """Click names the three that are spelled alike, and one of them was `--feature-id`."""
    done = tracker_inside("complete", "--window", "W1", "--features", "2")
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert all(f"--{name}-features" in said for name in ("claude", "codex", "glm"))
    assert "--feature-id" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("plugins", "info", "glm"),
        ("plugins", "check", "glm"),
        ("start", "glm"),
        ("gate", "glm"),
        ("compare", "glm", "claude"),
        ("override", "glm"),
        ("compare", "--price", "glm=30/mo:2400prompts"),
        ("ingest", "glm", "--window", "W0-01"),
    ],
)
def test_a_disabled_source_says_how_to_get_it_back(tracker_inside: Run, words: tuple[str, ...]) -> None:
    done = tracker_inside(*words, TRACKER_DISABLE_PLUGINS="glm")
    assert done.stderr == "error: glm is disabled. Unset TRACKER_DISABLE_PLUGINS.\n"


def test_windows_of_a_disabled_provider_are_there_but_cannot_be_read(tracker_inside: Run) -> None:
    for verb, pane in (("start", "glm-12.json"), ("end", "glm-30.json")):
        done = tracker_inside(verb, "glm", "--stdin", "--window", "W0-01", "--force", stdin=(PANES / pane).read_text())
        assert done.returncode == 0, done.stderr
    assert tracker_inside("complete", "--window", "W0-01", "--glm-features", "1").returncode == 0
    plan, board = (tracker_inside(one, TRACKER_DISABLE_PLUGINS="claude,codex,glm") for one in ("plan", "scoreboard"))
    problem = "glm: recorded here, but TRACKER_DISABLE_PLUGINS disables its plugin"
    cure = "To read them, unset TRACKER_DISABLE_PLUGINS."
    assert plan.stderr == f"error: No meter can be read. {problem}. {cure}\n"
    assert board.stderr == f"note: {problem}; it is left out\nnote: no finalized window that can be read\n"


@pytest.mark.parametrize("words", [("capture", "churn"), ("ingest", "churn", "--window", "W0-01", "--stdin")])
def test_a_view_reads_nothing(tracker_inside: Run, words: tuple[str, ...]) -> None:
    done = tracker_inside(*words, stdin="churn")
    assert "error: Unknown source 'churn'. Expected one of claude, " in done.stderr


def test_a_feature_is_no_source_but_installed(tracker_inside: Run) -> None:
    said = "error: ledgers is a feature. Expected a source. `tracker plugins list` shows what a feature adds.\n"
    assert tracker_inside("plugins", "info", "ledgers").stderr == said


def test_what_git_says_is_passed_on_and_it_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker.errors import TrackerError
    from tracker_ledgers import git

    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrackerError, match=r"git says: .*not a git repository"):
        git._ask("rev-parse", "HEAD")
    monkeypatch.setattr(git, "SECONDS", 1e-9)
    with pytest.raises(TrackerError, match=r"git rev-parse took over .* and was stopped"):
        git._ask("rev-parse", "HEAD")


def test_an_index_that_goes_too_far(tracker_inside: Run) -> None:
    assert tracker_inside("alias", "start", "codex", "--stdin", stdin="Weekly limit: 80% left").returncode == 0
    done = tracker_inside("alias", "delete", "codex", "--window", "W0-01", "--index", "3")
    assert "--index goes up to 1" in done.stderr


def test_a_link_in_the_place_of_a_stream_is_not_followed(tracker_inside: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "data" / "snapshots.jsonl").symlink_to(tmp_path / "elsewhere")
    done = tracker_inside("alias", "start", "codex", "--stdin", stdin="Weekly limit: 80% left")
    assert done.returncode == 1
    assert "symbolic link" in done.stderr
    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_pipe_or_a_folder_in_its_place_is_to_be_moved_away(tracker_inside: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / "snapshots.jsonl").mkdir(parents=True)
    done = tracker_inside("alias", "start", "codex", "--stdin", stdin="Weekly limit: 80% left")
    assert done.returncode == 1
    assert "is a directory" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_rejected_lines_are_an_error_where_the_user_wants_it(tracker_inside: Run) -> None:
    done = tracker_inside("ingest", "proxy-telemetry", "--window", "W1", "--stdin", "--strict", stdin="nonsense\n")
    assert done.returncode == 1
    assert "error: 1 line was rejected with --strict. The others are stored." in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="deletes the working directory")
def test_a_folder_that_is_gone_is_one_line(
    tracker_inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `git worktree remove`. The cure works, and so does the help."""
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    cure = "error: The working directory is gone. Change to a folder that exists."
    for words in (("status",), (), ("start", "codex", "--stdin"), ("plugins", "list")):
        done = CliRunner().invoke(main, [*words], input=(PANES / CODEX).read_text())
        assert (done.exit_code, done.stdout, done.stderr.strip()) == (1, "", cure), words
    assert CliRunner().invoke(main, ["--help"]).exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert tracker_inside("status").returncode == 0


def test_several_windows_in_one_word_are_told_apart(tracker_inside: Run) -> None:
    two = ("--window", "W0-01,W0-02")
    for words in (
        ("preview",),
        ("window-audit",),
        ("decision-card",),
        ("cost-compare",),
        ("complete",),
        ("churn",),
        ("handoff",),
        ("start", "codex", "--stdin"),
        ("ingest", "codex-ccusage", "--stdin"),
        ("override", "codex", "--phase", "after", "--weekly-pct", "3"),
    ):
        done = tracker_inside(*words, *two, stdin=(PANES / CODEX).read_text())
        assert done.returncode in (1, 2), words
        assert "--window W0-01 --window W0-02" in done.stderr, (words, done.stderr)


def test_a_command_without_an_example_names_its_help() -> None:
    import click
    from click.testing import CliRunner

    from tracker.kernel import Command

    bare = click.command(cls=Command, name="bare")(lambda: None)
    assert "Unexpected argument '5'. Example: `bare --help`." in CliRunner().invoke(bare, ["5"]).output
