"""`tracker init` and `tracker config`, with toys as the only plugins."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from outcomes import ok, refused
from warm import started

from tracker.kernel import Session, Settings, TrackerError
from tracker_desk.first_settings import initialize

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tracker.toml"


# --- init


def test_init_writes_every_setting_with_what_it_is_for(toys: Run, file: Path) -> None:
    assert ok(toys("init", "--yes")) == f"wrote {file}\n"
    text = file.read_text()
    assert text.startswith("# Settings of tracker.")
    assert (
        "# minutes after a reset in which no AFTER is accepted, because vendors' panes lag\nbuffer_minutes = 5\n"
        in text
    )
    assert '# tally = "30/mo:2400calls"\n# toy = "200/mo:4.3bars"\n' in text
    found = Settings.check(text, file).given
    assert set(found) == set(Settings.known())
    assert (found["data_dir"], found["timezone"], found["prices"]) == ("data/week0/live", "UTC", {})
    for key, setting in Settings.known().items():
        if setting.default is not None:
            assert setting.check(found[key]) == setting.default
    assert not (file.parent / "data").exists()  # settings come before records


def test_init_asks_for_prices_alone_and_asks_again(toys: Run, file: Path) -> None:
    done = toys("init", stdin="many\n\n200/mo:4.3bars\n")
    assert ok(done) == f"wrote {file}\n"  # the questions are on stderr
    assert "What does Tally cost, as PRICE/mo:WHAT-IT-GIVES, such as 30/mo:2400calls? Press Enter " in done.stderr
    assert "Invalid price 'many'. Expected one such as 30/mo:2400calls." in done.stderr
    assert done.stderr.count("Press Enter") == 3
    file.unlink()
    # bars buy no calls
    again = toys("init", stdin="200/mo:4.3bars\n30/mo:0calls\n\n200/mo:4.3bars\n")
    assert ok(again) == f"wrote {file}\n"
    assert "Invalid price '200/mo:4.3bars'. Expected one such as 30/mo:2400calls." in again.stderr
    assert "Invalid price '30/mo:0calls'. Expected one such as 30/mo:2400calls." in again.stderr
    found = tomllib.loads(file.read_text())
    assert (found["data_dir"], found["buffer_minutes"]) == ("data/week0/live", 5)
    assert found["prices"] == {"toy": "200/mo:4.3bars"}


def test_init_without_answers_writes_nothing(toys: Run, file: Path) -> None:
    message = refused(toys("init", stdin="\n"))
    assert message == "error: The answers ended early, and nothing was written. Use --yes to run without questions."
    assert not file.exists()


def test_init_replaces_a_file_only_with_force(toys: Run, file: Path) -> None:
    file.write_text("buffer_minutes = 7\n")
    assert refused(toys("init", "--yes")) == (
        f"error: {file} exists. Use `tracker config set KEY VALUE` to change one setting,"
        " or --force to replace the file."
    )
    assert file.read_text() == "buffer_minutes = 7\n"
    ok(toys("init", "--yes", "--force"))
    assert tomllib.loads(file.read_text())["buffer_minutes"] == 5


@pytest.mark.parametrize("force", [False, True])
def test_init_on_a_full_disk_leaves_no_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrackerError, match=rf"cannot write {file}: No space left on device\. Nothing was stored\."):
        initialize(Session(), ask=False, force=force)
    assert not [*tmp_path.iterdir()]


def test_init_does_not_write_through_a_dangling_link(toys: Run, file: Path) -> None:
    file.symlink_to(file.parent / "elsewhere.toml")
    assert "exists" in refused(toys("init", "--yes"))
    assert not (file.parent / "elsewhere.toml").exists()


def test_init_in_a_dry_run_prints_the_file(toys: Run, file: Path) -> None:
    assert tomllib.loads(ok(toys("init", "--yes", "--dry-run")))["buffer_minutes"] == 5
    assert not file.exists()


def test_init_says_which_file_held_until_now(toys: Run, file: Path, tmp_path: Path) -> None:
    file.touch()
    inner = tmp_path / "inner"
    inner.mkdir()
    environment = {**os.environ, "TRACKER_DISABLE_PLUGINS": "tracker-codex,tracker-claude,tracker-glm,tracker-proxy"}
    command = [sys.executable, "-m", "tracker.cli", "--data-dir", "d 'x'", "init", "--yes"]
    done = subprocess.run(command, cwd=inner, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ok(done) == f"wrote {inner / 'tracker.toml'}\n"
    assert f"note: {file} applied here until now" in done.stderr
    assert tomllib.loads((inner / "tracker.toml").read_text())["data_dir"] == "d 'x'"


# --- config


def test_list_says_value_type_and_origin(toys: Run, file: Path) -> None:
    file.write_text("# mine\nbuffer_minutes = 3\n[churn]\nexclude = ['*.lock', 'docs/**']\n")
    lines = ok(toys("config", "list")).splitlines()
    assert "buffer_minutes = 3  (number; file)" in lines
    assert "churn.exclude = *.lock, docs/**  (list of texts; file)" in lines
    assert "fsync = true  (true or false; default)" in lines
    assert f"data_dir = {file.parent / 'data'}  (text; variable)" in lines
    assert "timezone = UTC  (text; variable)" in lines
    assert "prices = {}  (table; default)" in lines


def test_list_verbose_says_where_each_value_came_from(toys: Run, file: Path) -> None:
    file.write_text("# mine\nbuffer_minutes = 3\n[churn]\nexclude = ['*.lock']\n")
    text = ok(toys("config", "list", "--verbose"))
    assert f"buffer_minutes = 3  (number; file {file} line 2)\n    minutes after a reset" in text
    assert f"(list of texts; file {file} line 4)" in text
    assert "(text; variable TRACKER_DATA_DIR)" in text
    assert "(text; variable TZ)" in text
    assert "data_dir = elsewhere  (text; option --data-dir)" in ok(
        toys("--data-dir", "elsewhere", "config", "get", "data_dir", "--verbose")
    )


def test_a_file_with_crlf_line_ends_keeps_them(toys: Run, file: Path) -> None:
    file.write_bytes(b"# mine\r\nbuffer_minutes = 3\r\n")
    ok(toys("config", "set", "churn.exclude", "*.lock"))
    text = file.read_bytes()
    assert text.startswith(b"# mine\r\nbuffer_minutes = 3\r\n")
    assert text.count(b"\n") == text.count(b"\r\n") > 3
    assert "*.lock" in ok(toys("config", "get", "churn.exclude"))


def test_list_as_json(toys: Run, file: Path) -> None:
    file.write_text("effect = 1.2\n")
    found = {one["key"]: one for one in json.loads(ok(toys("config", "list", "--json")))}
    assert found["effect"] == {
        "key": "effect",
        "value": 1.2,
        "type": "number",
        "origin": "file",
        "where": f"{file} line 1",
        "default": 1.5,
        "about": "the ratio of efficiencies that power and windows needed are computed for",
    }
    assert (found["fsync"]["value"], found["fsync"]["where"]) == (True, None)


def test_get_prints_the_value_in_force(toys: Run, file: Path) -> None:
    file.write_text("data_dir = 'records'\n[prices]\ntoy = '20/mo:1bars'\n")
    assert ok(toys("config", "get", "buffer_minutes")) == "5\n"
    assert ok(toys("config", "get", "data_dir", TRACKER_DATA_DIR="")) == "records\n"
    assert ok(toys("config", "get", "prices.toy")) == "20/mo:1bars\n"
    assert refused(toys("config", "get", "prices.other")).startswith("error: No price is set for 'other'. Set one with")
    assert refused(toys("config", "get", "bufer_minutes")) == (
        "error: Unknown setting 'bufer_minutes'. Did you mean buffer_minutes? `tracker config list` shows the settings."
    )
    assert refused(toys("config", "get", "churn")).startswith(
        "error: churn is a table. Expected its settings: churn.exclude."
    )


def test_set_edits_the_line_in_place(toys: Run, file: Path) -> None:
    file.write_text("# mine\nbuffer_minutes = 3 # lag\n\n[churn]\n# nothing yet\n")
    file.chmod(0o640)
    assert ok(toys("config", "set", "buffer_minutes", "4.5")) == f"set buffer_minutes = 4.5 in {file}\n"
    assert ok(toys("config", "set", "churn.exclude", "*.lock,docs/**")) == (
        f'set churn.exclude = ["*.lock", "docs/**"] in {file}\n'
    )
    assert file.read_text() == (
        '# mine\nbuffer_minutes = 4.5 # lag\n\n[churn]\n# nothing yet\nexclude = ["*.lock", "docs/**"]\n'
    )
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["tracker.toml"]


def test_set_begins_a_file_and_takes_what_init_wrote(toys: Run, file: Path) -> None:
    ok(toys("config", "set", "prices.toy", "200/mo:4.3bars"))
    assert file.read_text() == '[prices]\ntoy = "200/mo:4.3bars"\n'
    ok(toys("init", "--yes", "--force"))
    before = file.read_text()
    ok(toys("config", "set", "keep_account", "yes"))
    assert file.read_text() == before.replace("keep_account = false", "keep_account = true")
    ok(toys("config", "set", "prices.toy", "20/mo:1bars"))
    assert '\ntoy = "20/mo:1bars"\n' in file.read_text()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("buffer_minutes", "nan", "Invalid buffer_minutes nan. Expected a number from 0 to 10080."),
        ("buffer_minutes", "inf", "Invalid buffer_minutes inf. Expected a number from 0 to 10080."),
        ("buffer_minutes", "-5", "Invalid buffer_minutes -5. Expected a number from 0 to 10080."),
        ("divergence_pp", "many", "Invalid divergence_pp 'many'. Expected a number from 0 to 100."),
        ("fsync", "maybe", "Invalid fsync 'maybe'. Expected true or false."),
        (
            "timezone",
            "Berlin",
            "Unknown time zone 'Berlin'. Expected a name such as Europe/Berlin or UTC.",
        ),
        ("churn.exclude", "[1]", 'Invalid churn.exclude [1]. Expected a list of texts such as ["a", "b"].'),
        ("prices.toy", "many", "Invalid prices {'toy': 'many'}. Expected a table with a text such as '200/mo:4.3bars'"),
        ("prices.toy", "[1]", "Invalid prices {'toy': [1]}. Expected a table with a text such as '200/mo:4.3bars'"),
        (
            "prices.tally",
            "9/mo:4bars",
            "Invalid price '9/mo:4bars' of tally. Expected calls, such as '30/mo:2400calls'.",
        ),
        (
            "prices.toy",
            "{month = 9, calls = 5}",
            "Invalid price {'month': 9, 'calls': 5} of toy. Expected bars, such as",
        ),
        ("prices", "{tally = '9/mo:4bars'}", "Invalid price '9/mo:4bars' of tally. Expected calls"),
        ("prices.toy.month", "5", "prices.toy.month is only part of a price. Set prices.toy as a whole"),
        ("prices", "5", "Invalid prices 5. Expected a table with a text such as '200/mo:4.3bars'"),
        ("path", "x", "Unknown setting 'path'"),
        ("bufer_minutes", "5", "Unknown setting 'bufer_minutes'. Did you mean buffer_minutes?"),
    ],
)
def test_set_writes_nothing_that_is_not_sound(toys: Run, file: Path, key: str, value: str, expected: str) -> None:
    message = refused(toys("config", "set", key, value))
    assert message.startswith(f"error: {expected}")
    assert not file.exists()


def test_set_mends_a_wrong_value_and_says_what_else_is_wrong(toys: Run, file: Path) -> None:
    file.write_text("buffer_minutes = 'five'\n")
    ok(toys("config", "set", "buffer_minutes", "5"))
    assert file.read_text() == "buffer_minutes = 5\n"
    file.write_text("fsync = 1\nbuffer_minutes = 5\n")
    done = toys("config", "set", "buffer_minutes", "6")
    ok(done)
    assert done.stderr.startswith(f"warning: {file} (line 1): Invalid fsync 1. ")
    ok(toys("config", "set", "fsync", "yes"))
    assert file.read_text() == "fsync = true\nbuffer_minutes = 6\n"
    file.write_text('[prices]\ntally = "much"\n')
    assert refused(toys("config", "set", "prices.toy", "200/mo:4.3bars")).startswith("error: Cannot set prices.toy in ")
    assert file.read_text() == '[prices]\ntally = "much"\n'


def test_set_takes_the_price_of_a_provider_that_is_elsewhere(toys: Run, file: Path) -> None:
    done = toys("config", "set", "prices.toi", "{month = 20, bars = 1}")
    assert ok(done) == f"set prices.toi = {{month = 20, bars = 1}} in {file}\n"
    assert done.stderr == "warning: No provider 'toi' is installed. Did you mean toy?\n"
    assert ok(toys("config", "get", "prices.toi")) == "{month = 20, bars = 1}\n"


def test_set_follows_a_link_to_the_file(toys: Run, file: Path) -> None:
    target = file.parent / "shared.toml"
    target.write_text("effect = 1.2\n")
    file.symlink_to(target)
    ok(toys("config", "set", "effect", "1.3"))
    assert file.is_symlink()
    assert target.read_text() == "effect = 1.3\n"


def test_set_in_a_dry_run_writes_nothing(toys: Run, file: Path) -> None:
    found = json.loads(ok(toys("config", "set", "effect", "1.3", "--dry-run")))
    assert found == {"key": "effect", "value": 1.3, "path": str(file)}
    assert not file.exists()


def test_set_warns_where_something_else_wins(toys: Run) -> None:
    done = toys("config", "set", "data_dir", "records")
    ok(done)
    assert "warning: TRACKER_DATA_DIR takes precedence: the" in done.stderr


def test_set_says_how_to_change_what_keeps_the_records_out_of_git(toys: Run, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    ok(toys("alias", "start", "toy", "--stdin", stdin="fuel 10%"))
    path = tmp_path / "data" / ".gitignore"
    assert "printf " not in toys("config", "set", "data.track", "false").stderr
    done = toys("config", "set", "data.track", "true")
    ok(done)
    command = done.stderr.partition("still keeps the records out of git; `")[2].partition("`")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert path.read_text() == ".index/\n.lock\nstate/\n"
    assert ".gitignore" not in toys("config", "set", "data.track", "true").stderr


def test_set_says_how_to_take_the_rows_along_to_another_folder(toys: Run, tmp_path: Path) -> None:
    ok(toys("feature", "reserve"))
    said = toys("config", "set", "ledgers.dir", "my books").stderr
    [cure] = re.findall(r"`(mkdir .+?)` moves them", said)
    subprocess.run(cure, shell=True, check=True)
    assert [one.name for one in (tmp_path / "my books").iterdir()] == ["Feature_Log.csv"]
    assert "mkdir" not in toys("config", "set", "ledgers.dir", "my books").stderr
    assert ok(toys("feature", "reserve")) == "F-002\n"


def test_a_wrong_file_stops_every_command_with_its_line(toys: Run, file: Path) -> None:
    file.write_text("\nbuffer_minutes = nan\n")
    for command in (["preview"], ["status"]):
        message = refused(toys(*command))
        assert message.startswith(
            f"error: {file} (line 2): Invalid buffer_minutes nan. Expected a number from 0 to 10080. "
        )
    assert ok(toys("--help"))


def test_the_commands_that_mend_a_wrong_file_run(toys: Run, file: Path) -> None:
    file.write_text('bufer_minutes = 3\ntimezone = "Europe/Berlin"\n')
    message = refused(toys("status"))
    assert "(line 1): Unknown setting 'bufer_minutes'. Did you mean buffer_minutes? `tracker config list` " in message
    cure = shlex.split(message.split("`")[1])
    done = toys(*cure[1:])
    ok(done)
    assert {"buffer_minutes = 5  (number; default)", "timezone = Europe/Berlin  (text; file)"} <= {
        *done.stdout.splitlines()
    }
    assert done.stderr == message.replace("error: ", "warning: ") + "\n"
    assert "Unknown setting 'bufer_minutes'" in toys("doctor").stderr
    (file.parent / "data").mkdir(mode=0o700)
    doctor = toys("doctor")
    assert f"error: {file} (line 1): Unknown setting 'bufer_minutes'. Did you mean buffer_minutes?" in doctor.stdout
    assert doctor.returncode == 1
    ok(toys("config", "set", "timezone", "UTC"))
    assert file.read_text() == 'bufer_minutes = 3\ntimezone = "UTC"\n'


def test_the_command_log_can_be_left_out(toys: Run, file: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", stdin="fuel 10%"))
    log = file.parent / "data" / "commands.jsonl"
    assert len(log.read_text().splitlines()) == 1
    ok(toys("config", "set", "command_log", "no"))  # holds at once
    ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 10%"))
    assert len(log.read_text().splitlines()) == 1


@pytest.mark.parametrize("words", [("config", "set", "buffer_minutes", "3"), ("init", "--yes", "--force")])
def test_a_change_of_settings_is_not_taken_back_and_hides_no_capture(toys: Run, file: Path, words: list[str]) -> None:
    ok(toys("alias", "start", "toy", "--stdin", stdin="fuel 10%"))
    ok(toys(*words))
    done = toys("undo", "--yes")
    assert (
        "error: The last command cannot be taken back. Add --past to take back the one before it that can be: "
        in refused(done)
    )
    assert f"note: `tracker {' '.join(words)}` is newer and stays" in done.stderr
    assert "took back toy before snapshot for W0-01" in ok(toys("undo", "--yes", "--past"))


def test_changes_at_the_same_time_are_all_kept(file: Path) -> None:
    keys = {"buffer_minutes": "7", "divergence_pp": "8", "stale_minutes": "9", "fsync": "no", "reserve_pp": "4"}
    for _ in range(2):
        file.write_text("")
        words = [("config", "set", *pair) for pair in keys.items()]
        running = [started(one, (0, 1, 2), file.parent, os.environ) for one in words]
        assert [one.wait(120) for one in running] == [0] * len(keys)
        assert set(tomllib.loads(file.read_text())) == set(keys)
