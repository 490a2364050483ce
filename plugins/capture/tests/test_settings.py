"""`tracker config set` refuses what the next command would refuse."""

from __future__ import annotations

from typing import Any

import pytest
from outcomes import ok


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("key_variables", "glm", "Expected PROVIDER=VARIABLE, such as glm=MY_GLM_KEY."),
        ("key_variables", "glm=MY KEY", "Expected PROVIDER=VARIABLE"),
        ("run_commands", "codex-ccusage=", "Expected SOURCE=COMMAND"),
        ("run_commands", "codex-ccusage='npx", "Expected SOURCE=COMMAND"),
        ("propose.features", "xx", "Expected commits, merges, log, or trailer:NAME, such as trailer:Feature."),
        ("propose.features", "trailer:", "Expected commits, merges, log, or trailer:NAME"),
    ],
)
def test_a_setting_that_would_be_refused_later_is_not_set(machine: Any, key: str, value: str, expected: str) -> None:
    done = machine("config", "set", key, value)
    assert done.returncode == 1
    assert f"Invalid {key} " in done.stderr
    assert expected in done.stderr
    assert not (machine.folder / "tracker.toml").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("key_variables", "glm=MY_KEY,codex = OTHER"),
        ("run_commands", "codex-ccusage=npx ccusage codex {scope} --json"),
        *(("propose.features", rule) for rule in ("commits", "merges", "log", "trailer:Feature")),
    ],
)
def test_what_is_sound_is_set(machine: Any, key: str, value: str) -> None:
    assert ok(machine("config", "set", key, value)).startswith(f"set {key} = ")
