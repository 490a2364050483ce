"""`tracker shell-init` with plugins that nobody here wrote: their functions, and what cannot be one."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker.contract.readings import Meter
from tracker.contract.sources import Source
from tracker_desk.shells import script

Run = Callable[..., "subprocess.CompletedProcess[str]"]
DECLARES = """
from tracker.api import Meter, Reading, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="{name}", title="{name}", prefix="{prefix}", capacity="m",
                  meters=(Meter(key="m", title="m"),))

@hookimpl
def parse_status(text):
    return None
"""
HIDING = "it would hide a word of the shell, or a program"
OURS = "tracker-codex,tracker-claude,tracker-glm,tracker-proxy"
QUERY = {"bash": "compgen -bk", "zsh": "print -l ${(k)builtins} ${(k)reswords}", "fish": "builtin -n"}


def provider(name: str, prefix: str | None, **more: object) -> Source:
    meters = (Meter(key="m", title="m"),)
    known = {"contract": "1.0", "name": name, "title": name, "prefix": prefix, "meters": meters, "capacity": "m"}
    return Source(**known | more)  # type: ignore[arg-type]


@pytest.fixture
def with_prefixes(tracker_cli: Run, tmp_path: Path) -> Run:
    """`tracker shell-init bash` where these third-party providers are installed: name=prefix, each as `group-name`."""

    def run(
        TRACKER_DISABLE_PLUGINS: str = OURS, group: str = "dist", **prefixes: str
    ) -> subprocess.CompletedProcess[str]:
        site = tmp_path / "site"
        for name, prefix in prefixes.items():
            info = site / f"{group}_{name}-1.0.dist-info"
            info.mkdir(parents=True)
            (site / f"dist_{name}.py").write_text(DECLARES.format(name=name, prefix=prefix))
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {group}-{name}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[tracker]\n{name} = dist_{name}\n")
        return tracker_cli("shell-init", "bash", PYTHONPATH=str(site), TRACKER_DISABLE_PLUGINS=TRACKER_DISABLE_PLUGINS)

    return run


def names(text: str) -> list[str]:
    return [name for name in re.findall(r"^function (\w+)", text, re.M) if not name.startswith("_")]


def test_a_third_partys_letter_makes_its_functions(toys: Run) -> None:
    done = toys("shell-init", "bash")
    assert done.returncode == 0
    assert done.stderr == (f"warning: the function tr of toy-report is left out: {HIDING}\n")
    assert names(done.stdout) == ["ys", "ye", "yx", "yd", "yd1", "yd2", "ts", "te", "tx", "td", "td1", "td2"]
    assert " alias cross toy --stdin " in done.stdout


def test_of_two_providers_with_one_letter_neither_has_the_functions(with_prefixes: Run) -> None:
    done = with_prefixes(first="q", second="q", third="y")
    assert done.returncode == 0
    for one, other in (("first", "second"), ("second", "first")):
        reason = f"it is also made by {other} (dist-{other})"
        assert f"warning: the function qs of {one} is left out: {reason}\n" in done.stderr
    assert len(done.stderr.splitlines()) == 2 * len(["qs", "qe", "qx", "qd", "qd1", "qd2"])
    assert names(done.stdout) == ["ys", "ye", "yx", "yd", "yd1", "yd2"]


def test_a_word_of_the_shell_is_no_function(with_prefixes: Run) -> None:
    done = with_prefixes(careful="c")
    assert done.returncode == 0
    assert done.stderr == f"warning: the function cd of careful is left out: {HIDING}\n"
    assert names(done.stdout) == ["cs", "ce", "cx", "cd1", "cd2"]


def test_without_a_prefix_there_is_the_completion_alone(tracker_cli: Run) -> None:
    done = tracker_cli("shell-init", "zsh", TRACKER_DISABLE_PLUGINS=OURS)
    assert done.returncode == 0
    assert done.stderr == "note: no installed source declares a prefix for short functions\n"
    assert done.stdout == tracker_cli("completion", "zsh", TRACKER_DISABLE_PLUGINS=OURS).stdout


def test_another_shell_is_a_wrong_usage(tracker_cli: Run) -> None:
    done = tracker_cli("shell-init", "tcsh")
    assert done.returncode == 2
    assert "error: Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', 'zsh', 'fish'." in done.stderr


def test_what_reads_nothing_has_no_function() -> None:
    assert provider("seen", "v", kind="view", capacity=None, meters=()).shell_functions == {}
    assert provider("plain", None).shell_functions == {}


def test_a_provider_of_a_distribution_of_its_name_keeps_its_functions(with_prefixes: Run) -> None:
    done = with_prefixes(TRACKER_DISABLE_PLUGINS="", first="a")
    assert {"as", "ae", "ax", "ad", "ad1", "ad2"} <= set(names(done.stdout))
    assert "alias cross claude " in done.stdout
    assert "first" not in done.stdout
    assert "warning: the function ax of first is left out: it is also made by claude (tracker-claude)\n" in done.stderr


def test_of_two_that_are_named_after_their_distributions_neither_has_the_functions(with_prefixes: Run) -> None:
    done = with_prefixes(TRACKER_DISABLE_PLUGINS="", group="tracker", first="a")
    assert not {"ae", "ax"} & set(names(done.stdout))
    assert "warning: the function ax of claude is left out: it is also made by first (tracker-first)\n" in done.stderr
    assert "warning: the function ax of first is left out: it is also made by claude (tracker-claude)\n" in done.stderr


def test_fish_quotes_in_its_own_way() -> None:
    assert r"'--data-dir=a\\b\'c' alias delete toy $argv" in script(
        "fish", {"td": "alias delete toy"}, ["--data-dir=a\\b'c"]
    )


@pytest.mark.parametrize("shell", QUERY)
def test_the_shells_own_words_are_known(shell: str) -> None:
    """What a provider's letters could make: `cd`, `read`, `else`; newer shells may add longer ones."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([program, "-c", QUERY[shell]], capture_output=True, text=True, timeout=60, check=True)
    makeable = {word for word in done.stdout.split() if re.fullmatch(r"[a-z]{1,3}(s|e|x|d|d1|d2)", word)}
    assert makeable
    for word in makeable:
        prefix = re.sub(r"(s|e|x|d|d1|d2)$", "", word)
        assert word in provider("other", prefix).hidden_words, word


def test_what_a_shell_reads_is_no_json(tracker_cli: Run) -> None:
    for command in ("shell-init", "completion"):
        done = tracker_cli("--json", command, "bash")
        assert (done.returncode, done.stdout) == (2, "")
        assert "Leave out --json." in done.stderr
