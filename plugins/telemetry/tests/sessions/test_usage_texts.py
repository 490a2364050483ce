"""What `tracker usage` prints for people: money, and where it looked."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tracker_telemetry import prices

Make = Callable[..., str]
WAYS = ("daily", "weekly", "monthly", "session", "project", "branch", "model", "window")


def test_money_of_one_column_has_as_many_digits(home: Any, message: Make) -> None:
    """Rows that are rounded to a cent beside one that is not would not add up to their total."""
    rows = [message(f"m{n}", n, at, sessionId=f"s{at}") for at, n in enumerate((160, 252, 80_000))]
    (home.projects / "s1.jsonl").write_text("".join(rows))
    costs = [row.split()[-1] for row in home.run("usage", "session").stdout.splitlines()[1:]]
    assert costs == ["$0.0045", "$0.0068", "$2.0005", "$2.0118"]
    assert amounts(0.005, 2000, None, 0) == ["$0.01", "$2,000.00", "n/a", "$0.00"]
    assert amounts(0.00045, 2000, None, 0) == ["$0.00045", "$2,000.0000", "n/a", "$0.0000"]


def amounts(*costs: float | None, unpriced: int = 0) -> list[str]:
    """A column of money; of each sum some requests may have no price."""
    from tracker_telemetry.commands.usage import _amounts
    from tracker_telemetry.sessions.usage import Sums

    return _amounts([Sums(requests=1 + unpriced, costs=[] if one is None else [one], priced=1) for one in costs])


def test_halves_of_a_cent_are_rounded_up_but_the_least_that_something_was_is_rounded_down() -> None:
    assert amounts(0.415, 1.005, 0.125, 0.29) == ["$0.42", "$1.01", "$0.13", "$0.29"]
    assert amounts(0.419, 1.005, 0.999999999, 0.29, unpriced=1) == ["$0.41", "$1.00", "$0.99", "$0.29"]
    assert amounts(0.0077, 0.00047, 2, None, unpriced=1) == ["$0.0077", "$0.00047", "$2.0000", "n/a"]


def test_money_is_one_figure_however_it_is_grouped(home: Any, message: Make) -> None:
    """Sums of floats depend on their order, and these lie at half a cent: 0.415."""
    models = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "unknown-model", "claude-opus-4-5")
    rows = [
        message(
            f"m{n}{day}", 500, n, timestamp=f"2026-11-{20 + day}T10:{n:02}:00Z", model=model, sessionId=f"s{n}{day}",
            cwd=f"/home/dev/{'abcde'[n]}", usage={
                "input_tokens": 1000 * (n + 1), "cache_read_input_tokens": 20_000, "cache_creation_input_tokens": 100
            },
        )
        for n, model in enumerate(models)
        for day in range(4)
    ]  # fmt: skip
    (home.projects / "s1.jsonl").write_text("".join(rows))
    found = {by: home.usage(by)["totals"]["cost_usd"] for by in WAYS}
    assert found == dict.fromkeys(WAYS, 0.415)
    shown = {by: home.run("usage", by).stdout.split()[-1] for by in WAYS}
    assert shown == dict.fromkeys(WAYS, "$0.41")
    assert "for at least $0.41 at list prices" in home.run("report", "--format", "md").stdout


def test_logs_without_a_variable_are_not_said_to_be_named_in_one(tmp_path: Path) -> None:
    from tracker.api import LogOrigin, TelemetrySource
    from tracker_telemetry.commands.usage import _looked

    def looked(variable: str | None) -> list[str]:
        origin = LogOrigin(
            name="logs", title="Logs", folder=str(tmp_path / "logs"), pattern="*.jsonl", variable=variable
        )
        source = TelemetrySource(contract="1.2", name="toy", title="Toys", stream="toy", origins=(origin,))
        return list(_looked(cast("Any", None), [source]))

    where = f"Toys: 0 files in {tmp_path}/logs/*.jsonl"
    cure = "If the logs are in another folder, set TOY_HOME to it and run `tracker usage` again."
    assert looked(None) == [where]
    assert looked("XDG_DATA_HOME") == [where]
    assert looked("TOY_HOME") == [where, cure]


def test_without_a_plugin_it_is_said_what_brings_one() -> None:
    """No index has our plugins: `pip install tracker-codex` would fetch a stranger's."""
    from tracker.kernel import Registry
    from tracker_telemetry.commands.usage import _looked

    left_out, brings = _looked(cast("Any", None), [])
    assert left_out.startswith("No plugin in use reads session logs. `tracker plugins list` ")
    assert brings == f"In a checkout of tracker, {Registry.installation('./plugins/codex')} brings one."


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


def test_a_report_names_no_place_and_only_what_lacks_a_price_is_the_least(home: Any, message: Make) -> None:
    rows = message("a", output=700) + message("b", model="claude-unknown-9")
    (home.projects / "s1.jsonl").write_text(rows)
    report = home.run("report", "--format", "md").stdout
    assert "claude-unknown-9 (1 request); add your own to the prices.toml of your own settings." in report
    assert "/prices.toml" not in report
    assert "/prices.toml" in home.run("usage").stderr
    # $0.018, and as `usage` says it if every request of a row has a price
    assert "for at least $0.01 at list prices" in report
    assert "| claude-opus-4-6 | claude | $0.02 | 1 |" in report
    assert re.search(r"claude-opus-4-6 .* \$0.02$", home.run("usage", "model").stdout, re.MULTILINE)
    assert re.search(r"\| claude \| \$0\.01 \| 2 \|.* \| 1 \|$", report, re.MULTILINE)


def test_a_question_where_there_is_nothing_makes_no_folder(home: Any, message: Make) -> None:
    for command in ("usage", "report"):
        assert home.run(command).exit_code == 0
    assert not home.data.exists()
    (home.projects / "s1.jsonl").write_text(message("a"))
    home.run("usage")
    assert (home.data / ".index").is_dir()


def test_the_price_that_is_missing_can_be_pasted(
    home: Any, message: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each entry that `usage` shows prices what it is shown for, as it is."""
    path = tmp_path / "prices.toml"
    monkeypatch.setattr(prices, "user_file", lambda: path)
    fast = {"speed": "fast"}
    rows = message("a", model="house/big-1"), message("b", usage=fast), message("c", model="own@2", usage=fast)
    (home.projects / "s1.jsonl").write_text("".join(rows) + message("d", model="odd\x9b2J"))
    pasted = []
    for left in (4, 3, 2, 1):
        assert home.usage()["totals"]["unpriced_requests"] == left
        head, said, entry = home.run("usage").stderr.partition("prices (US dollars per million tokens):\n")
        assert ("missing: no price is known for" in head, bool(said)) == (True, left > 1), (
            "no name that no terminal shows"
        )
        pasted.append(textwrap.dedent(entry))
        path.write_text("".join(pasted))
    assert pasted == [
        '[[model]]\nname = "claude-opus-4-6"\ninput = 1.00\noutput = 4.00\nspeed = "fast"\n',
        '[[model]]\nname = "big-1"\ninput = 1.00\noutput = 4.00\n',
        '[[model]]\nname = "own@2"\ninput = 1.00\noutput = 4.00\nspeed = "fast"\n',
        "",
    ]


def test_each_of_several_periods_has_its_sum(home: Any, message: Make) -> None:
    """What a week cost stood in no row."""
    models = {"2026-11-20": ("claude-opus-4-6", "claude-haiku-4-5"), "2026-11-21": ("claude-opus-4-6",)}
    rows = [
        message(f"{day}-{model}", timestamp=f"{day}T10:00:00Z", model=model)
        for day, own in models.items()
        for model in own
    ]
    (home.projects / "s1.jsonl").write_text("".join(rows))
    for environment in ({}, {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "120"}):
        lines = [line.split() for line in home.run("usage", **environment).stdout.splitlines()]
        [own] = [line for line in lines if "all" in line]
        # a day of one row is its own sum
        assert {*own} >= {"2026-11-20", "all", "2"}
        assert lines.index(own) == 3
    # the total says it of one alone
    assert " all " not in home.run("usage", "weekly").stdout + home.run("usage", "model").stdout
    assert len(home.usage()["rows"]) == len(home.run("usage", "--csv").stdout.splitlines()) - 1 == 3
