"""Settings that other people wrote: what reaches out of the folder needs the user's consent, once per content."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from outcomes import ok, refused

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tracker.toml"


def test_entries_that_reach_out_need_consent_once_per_content(toys: Run, file: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-records"
    file.write_text(f"effect = 1.2\ndata_dir = '{outside}'\nrun_commands = ['toy=x']\n")
    message = refused(toys("preview"))
    assert message == (
        f"error: {file} (line 2): data_dir needs your consent, because it leads out of the file's folder."
        " Read the file, then run `tracker config trust`."
    )
    assert "data_dir" in ok(toys("config", "list")), "what asks for consent can be read"
    assert ok(toys("config", "trust")).splitlines() == [
        f'trusted data_dir = "{outside}" in {file} (leads out of the file\'s folder)',
        f'trusted run_commands = ["toy=x"] in {file} (runs commands)',
    ]
    assert ok(toys("config", "trust")) == f"nothing in {file} needs your consent\n"
    ok(toys("preview"))
    file.write_text(file.read_text().replace("effect = 1.2", "effect = 1.3"))
    ok(toys("preview"))
    file.write_text(file.read_text().replace(str(outside), f"{outside}2"))
    assert "data_dir needs your consent" in refused(toys("preview"))


def test_consent_holds_whatever_was_asked_before(toys: Run, file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state" / "tracker" / "trusted.toml"
    run = partial(toys, XDG_STATE_HOME=str(tmp_path / "state"))
    file.write_text("effect = 1.2\n")
    assert ok(run("config", "trust")) == f"nothing in {file} needs your consent\n"
    assert not state.exists()
    state.parent.mkdir(parents=True)
    # what earlier versions wrote then
    state.write_text("# mine\n\nconsent = []\n")
    file.write_text("run_commands = ['toy=x']\n")
    assert ok(run("config", "trust")).startswith("trusted run_commands")
    ok(run("preview"))
    assert state.read_text().startswith("# mine\n")
    state.write_text("mine [\n")
    assert f"{state} is not TOML" in refused(run("config", "trust"))
    assert state.read_text() == "mine [\n"


def test_a_change_beside_what_nobody_agreed_to_is_made(toys: Run, file: Path, tmp_path: Path) -> None:
    file.write_text(f"data_dir = '{tmp_path.parent / 'elsewhere'}'\n")
    done = toys("config", "set", "effect", "1.3")
    assert ok(done) == f"set effect = 1.3 in {file}\n"
    assert "error" not in done.stderr


def test_a_link_out_of_the_folder_needs_consent(toys: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").symlink_to(tmp_path.parent)
    file.write_text("[handoff]\nfile = 'inner/x.md'\n")
    assert "handoff.file needs your consent" in refused(toys("handoff", "--window", "W1"))


def test_whoever_types_a_value_agrees_to_it(toys: Run, file: Path, tmp_path: Path) -> None:
    ok(toys("config", "set", "data_dir", str(tmp_path.parent / "elsewhere")))
    ok(toys("preview"))
    assert ok(toys("config", "trust")) == f"nothing in {file} needs your consent\n"
    file.unlink()
    assert refused(toys("config", "trust")).startswith("error: There is no tracker.toml here")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_settings_of_another_user_are_refused_by_name(toys: Run, file: Path) -> None:
    file.write_text("effect = 1.2\n")
    os.chown(file, 54321, -1)
    for command in (["preview"], ["config", "list"], ["config", "set", "effect", "1.3"], ["config", "trust"]):
        assert refused(toys(*command)).startswith(
            f"error: {file} belongs to user 54321. tracker reads only settings files that you own."
        )
    assert file.read_text() == "effect = 1.2\n"


def test_consent_that_cannot_be_kept_is_an_error(toys: Run, file: Path, tmp_path: Path) -> None:
    file.write_text("run_commands = ['toy-report=echo 5']\n")
    (tmp_path / "state" / "tracker" / "trusted.toml").mkdir(parents=True)
    error = refused(toys("config", "trust", XDG_STATE_HOME=str(tmp_path / "state")))
    assert error.startswith("error: Cannot record your consent in ")
