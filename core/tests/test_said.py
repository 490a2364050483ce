"""What the kernel says of plugins that are gone, of what plugins say, and of commits."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import click
from outcomes import ok, records, refused

from tracker.cli.command import Command
from tracker.contract.sources import StatusSource
from tracker.text.render import near
from tracker.windows.messages import explained

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_provider_whose_plugin_is_gone_is_known(toys: Run, tmp_path: Path) -> None:
    ok(toys("start", "toy", "--stdin", stdin="fuel 10%"))
    stream = tmp_path / "data" / "snapshots.jsonl"
    stream.write_text(stream.read_text().replace('"provider":"toy"', '"provider":"gone"'))
    for command in (("alias", "delete", "gone"), ("start", "gone", "--stdin")):
        assert refused(toys(*command)) == (
            "error: gone: recorded here, but no plugin for it is installed."
            " To have it here, install the plugin that declares gone (usually tracker-gone)."
        )
    assert "Unknown provider 'tyo'. Did you mean toy?" in toys("alias", "delete", "tyo").stderr


def test_a_window_that_differs_by_its_zeros_alone_was_meant() -> None:
    """It was W0-10, which begins as what was typed."""
    known = [f"W0-{number:02}" for number in range(1, 11)]
    assert [near(one, known)[13:-1] for one in ("W0-1", "w0-O2", "W0-010")] == ["W0-01", "W0-02", "W0-10"]


def test_what_a_plugin_writes_neither_steers_a_terminal_nor_fills_it() -> None:
    command = Command("fuel", help="Burn\x1b[31m it.")
    assert "Burn\\x1b[31m it." in command.get_help(click.Context(command))
    source = StatusSource(contract="1.2", name="toy", title="Toy").as_source()
    assert explained("burnt" * 20_000, source) == "burnt" * 40


def test_the_empty_tree_is_a_start_commit_like_any_other(toys: Run, tmp_path: Path) -> None:
    """A capture before a repository's first commit stores it, and `churn` names it."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for word, fuel in (("start", 5), ("end", 6)):
        ok(toys(word, "toy", "--stdin", "--window", "W1", stdin=f"fuel {fuel}%"))
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    for given, is_known in ((empty, True), ("nosuch", False)):
        done = toys("complete", "--window", "W1", "--toy-features", "1", "--commit-start", given)
        assert ok(done)
        assert ("is not a commit" not in done.stderr) == is_known
        assert records(tmp_path, "windows")[-1]["commit_start"] == given
