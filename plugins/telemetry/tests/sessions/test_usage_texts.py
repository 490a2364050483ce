"""What `tracker usage` prints for people: money, and where it looked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

Make = Callable[..., str]


def test_money_of_one_column_has_as_many_digits(home: Any, message: Make) -> None:
    """Rows that are rounded to a cent beside one that is not would not add up to their total."""
    from tracker_telemetry.commands.usage import _amounts

    rows = [message(f"m{n}", n, at, sessionId=f"s{at}") for at, n in enumerate((160, 252, 80_000))]
    (home.projects / "s1.jsonl").write_text("".join(rows))
    costs = [row.split()[-1] for row in home.run("usage", "session").stdout.splitlines()[1:]]
    assert costs == ["$0.0045", "$0.0068", "$2.0005", "$2.0118"]
    assert _amounts([0.005, 2000, None, 0]) == ["$0.01", "$2,000.00", "n/a", "$0.00"]
    assert _amounts([0.00045, 2000, None, 0]) == ["$0.00045", "$2,000.0000", "n/a", "$0.0000"]


def test_logs_without_a_variable_are_not_said_to_be_named_in_one(tmp_path: Path) -> None:
    from tracker.api import LogOrigin, TelemetrySource
    from tracker_telemetry.commands.usage import _looked

    def looked(variable: str | None) -> list[str]:
        origin = LogOrigin(
            name="logs", title="Logs", folder=str(tmp_path / "logs"), pattern="*.jsonl", variable=variable
        )
        source = TelemetrySource(contract="1.2", name="toy", title="Toys", stream="toy", origins=(origin,))
        return list(_looked(cast("Any", None), [source]))

    where = f"Toys: 0 files of {tmp_path}/logs/*.jsonl"
    cure = "If the logs are in another folder, name it in TOY_HOME and run `tracker usage` again."
    assert looked(None) == [where]
    assert looked("XDG_DATA_HOME") == [where]
    assert looked("TOY_HOME") == [where, cure]


def test_a_name_in_a_log_forges_no_row(home: Any, message: Make) -> None:
    """A line break in one would begin a row of its own, such as a total."""
    end = "\nforged\t\x1b[1m"
    columns = {"session": "sessionId", "branch": "gitBranch", "project": "cwd"}
    names = {name: f"{name}{end}" for name in ("model", *columns.values())}
    log = home.projects / f"file{end}.jsonl"
    log.write_text(message("a", usage={"speed": f"speed{end}"}, **names) + '{torn "usage"\n')
    for way in ("daily", "window", "model", *columns):
        for environment in ({}, {"FORCE_COLOR": "1", "COLUMNS": "200"}):
            done = home.run("usage", way, **environment)
            text = done.stdout + done.stderr
            assert not any(one.lstrip().startswith("forged") for one in text.splitlines()), text
            for name in ("model", "speed", "file", columns.get(way, "model")):
                assert rf"{name}\nforged\t\x1b[1m" in text
    assert home.usage("model")["rows"][0]["model"] == names["model"]
