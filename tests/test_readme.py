"""The README's first screen is true: its commands run and its picture is what they print."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from documents import is_as_shown, run
from shared import Demo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_first_screen_names_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:50])
    assert re.search(r"^uv run --no-dev tracker demo\b", first_screen, re.M)
    assert re.search(r"^uv run pytest\b", first_screen, re.M)
    assert 'pip install ".[dev]"' in first_screen


def test_the_demo_prints_each_command_before_what_it_says(demo: Demo) -> None:
    # its own seconds, whatever else the machine does
    assert demo.seconds < 5
    printed = demo.printed
    commands = [line for line in printed.splitlines() if line.startswith("$ ")]
    for words in (
        "alias start codex",
        "alias end codex",
        "alias start claude",
        "alias end glm",
        "ingest proxy-telemetry",
    ):
        assert any(words in command for command in commands), words
    first, more, closing = re.split(r"^\d\. .*$", printed, flags=re.M)[1:]
    assert "\n$ tracker complete --window W0-01 " in first
    assert "\n$ tracker preview --window W0-01\n" in first
    assert "tracker windows add W0-05 --from 2026-11-26T11:30:00Z --to 2026-11-26T14:00:00Z --provider codex" in more
    assert [line for line in closing.splitlines() if line.startswith("$ ")] == [
        "$ tracker preview",
        "$ tracker compare claude codex",
        "$ tracker cost-compare --window W0-01",
        "$ tracker decision-card --window W0-01",
    ]
    assert re.search(r"^The records of this demo are in \S+$", printed, re.M)
    assert "\n\n\n" not in printed
    *_, heading, setup, start = printed.splitlines()
    assert heading == "Now on your own data:"
    assert setup.startswith("  tracker setup ")
    assert re.match(r"  tracker start \w+ +# before your next piece of work", start)
    assert printed.index("stored codex before snapshot") < printed.index("stored codex after snapshot")


def test_the_picture_is_what_the_demo_prints(demo: Demo) -> None:
    [picture] = re.findall(r"```console\n.*?\n(.*?)```", README, re.S)
    assert is_as_shown(picture, demo.printed)


def test_the_commands_for_your_own_work_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the installation, and the capture without pasting, which its own page shows."""
    monkeypatch.chdir(tmp_path)
    block = README.split("## On your own work\n\n```sh\n")[1].partition("```")[0]
    installation, *commands = [re.sub(r" +#.*", "", line) for line in block.splitlines()]
    assert installation == "uv tool install ."
    commands.remove("tracker capture codex")
    panes = {"tracker start codex": "codex-80-left.txt", "tracker end codex": "codex-62-left.txt"}
    environment = os.environ | {"HOME": str(tmp_path), "SHELL": "/bin/sh"}
    for command in commands:
        pane = f" < {ROOT / 'docs' / 'samples' / 'panes' / panes[command]}" if command in panes else ""
        printed = run(f"{command}{pane} || true", environment)
        # which a single subscription cannot be
        assert ("error: A comparison needs two providers" in printed) == (command == "tracker compare"), printed
        assert printed.count("error:") == (command == "tracker compare"), printed


def test_the_demo_ends_with_figures_that_are_worth_something(demo: Demo) -> None:
    preview = demo.printed[demo.printed.rindex("Windows:") :]
    assert "Anomalies: 0 " in preview
    assert "(open)" not in preview
    assert "not shown" not in preview
    for name in ("claude", "codex"):
        assert re.search(rf"^  - {name}: .* ci=0\.\d+-0\.\d+, n=5, power=0\.\d+$", preview, re.M)
    assert "Not enough data: today nothing says that either delivers more" in preview
    assert re.search(r"baseline \$\d.*, saved \$\d", preview)
    assert re.search(r"^Verdict: (GO|SOFT GO|NO-GO)$", preview, re.M)


def test_an_ended_codex_window_reads_as_the_specification_says(tracker_inside: Run) -> None:
    """The text of one window with everything in it, to the letter."""
    pane = ">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      [###] {}% left\n  Weekly limit:  [###] {}% left\n"
    lane = {"AGENT_ID": "main"}
    assert tracker_inside("alias", "start", "codex", "--stdin", "--window", "W0-20", stdin=pane.format(90, 80), **lane)
    ended = tracker_inside("alias", "end", "codex", "--stdin", stdin=pane.format(70, 62), **lane)
    assert ended.stdout == "stored codex after snapshot for W0-20 (ready to finalize)\n"
    arguments = ["--codex-features", "3", "--quality", "1.0", "--outcome", "pass", "--notes", "session002 main lane"]
    assert tracker_inside("complete", "--window", "W0-20", *arguments).returncode == 0
    preview = tracker_inside("preview", "--window", "W0-20")
    # no window is left to show
    note = "note: at most 1 usable window per provider; intervals and power need 3"
    assert preview.stderr == f"{note}. Until then --json gives an assumed interval\n"
    [found] = json.loads(tracker_inside("--json", "preview").stdout)["providers"]
    assert found["ci_kind"] == "assumed"
    assert preview.stdout == (
        "Windows: W0-20\n"
        "Anomalies: 0 (see anomalies.jsonl)\n"
        "Providers:\n"
        "  - codex: features=3, capacity=18 pp, efficiency=0.17, ci=n/a, n=1, power=n/a\n"
        "Outcome: quality=1.0, outcome=pass\n"
        "Notes: session002 main lane\n"
        "Snapshots:\n"
        "  - codex: after, before (source=alias, notes=AGENT_ID=main)\n"
    )


def test_every_document_is_listed_and_every_link_leads_somewhere() -> None:
    links = set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))
    assert {link for link in links if not (ROOT / link).exists()} == set()
    pages = {str(path.relative_to(ROOT)) for kind in ("*.md", "*/*.md") for path in (ROOT / "docs").glob(kind)}
    assert pages - links == {"docs/index.md", "docs/SOP/uat_opener.md"}


@pytest.mark.parametrize("document", ["README.md", "docs/how-to/which-command.md"])
def test_every_command_that_is_named_exists(document: str, tracker_inside: Run) -> None:
    text = (ROOT / document).read_text()
    named = {words.split()[0] for words in re.findall(r"(?:^|`)tracker ([a-z][a-z -]*)", text, re.M)}
    assert len(named) >= 8
    for name in sorted(named):
        done = tracker_inside(name, "--help")
        assert done.returncode == 0, done.stderr


def test_the_readme_is_short_and_its_glossary_has_twelve_words() -> None:
    assert len(README.splitlines()) <= 120
    glossary = README[README.index("## Twelve words") : README.index("## Documents")]
    from tracker_desk.glossary import GLOSSARY

    rows = re.findall(r"^\| (?!word|---)(\w+) \| (.*) \|$", glossary, re.M)
    assert dict(rows) == GLOSSARY
    assert len(rows) == 12
