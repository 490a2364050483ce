"""Comparison and scoreboard, in the real program with the installed providers."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

from tracker_verdict.stats import interval, signflip

Run = Callable[..., "subprocess.CompletedProcess[str]"]
D1 = [(3, 18), (2, 10), (4, 20)]
D2 = [(2, 2), (3, 5), (1, 3), (4, 9), (2, 4), (3, 6)]


def error(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


def finalized(folder: Path, **providers: list[tuple[int, float]]) -> None:
    """Finalize rows with these features and capacities: what the verdicts read."""
    fields = {"codex": "weekly_pct", "claude": "all_models_pct", "glm": "prompts_used"}
    data = folder / "data"
    data.mkdir(exist_ok=True)
    rows = []
    for name, pairs in providers.items():
        for at, (features, capacity) in enumerate(pairs, 1):
            row: dict[str, Any] = {
                "window": f"{name}-{at:02d}",
                "provider": None,
                "captured_at": f"2026-01-{at:02d}T00:00:00Z",
                "finalized_at": f"2026-01-{at:02d}T00:00:00Z",
                "schema_version": "1.0.0",
                "features": {name: features},
                "outcome": "pass" if at % 2 else "partial",
                "methodology": "spec",
                "providers": {name: {"delta": {fields[name]: capacity}, "errors": []}},
            }
            rows.append(json.dumps(row) + "\n")
    (data / "windows.jsonl").write_text("".join(rows))


def test_two_providers_of_one_unit(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=D2, claude=D1)
    [found] = json.loads(ok(tracker_cli("compare", "codex", "claude", "--json")))
    assert found["ratio"] == pytest.approx(2.758621, abs=1e-6)
    assert found["evidence"] == pytest.approx(2.282026, abs=1e-6)
    assert found["certainty"] == pytest.approx(0.936009, abs=1e-6)
    assert found["interval"] == [0, None]
    assert found["interval_fixed"] == pytest.approx([1.131015, 7.149267], abs=1e-6)
    assert (found["kind"], found["favours"], found["verdict"]) == ("measured", "codex", "not enough data")
    assert found["comparable"]["left_out"] == []
    said = ok(tracker_cli("compare", "codex", "claude")).splitlines()
    low, high = (needed - 3 for needed in found["windows_needed"])
    measure = f"Measure {low} to {high} more windows of each, alternating."
    assert said[0] == "codex against claude, features per pp:"
    assert said[1] == f"  {measure} Not enough data: today 2 to 1 says codex delivers more per pp."
    assert said[2] == "  94 % sure that codex delivers more, if subscriptions typically differ by half."
    assert said[3].endswith(f", {low} more of each reach it in half of all cases, and {high} in four fifths.")
    assert said[4] == "  Ratio 2.76, 0 to no upper limit (95 %, however often you look)."
    assert not (tmp_path / "data" / "looks.jsonl").exists()
    page = ok(tracker_cli("report", "--format", "md"))
    [head] = [one for one in page.splitlines() if one.startswith("| Comparison |")]
    [row] = [one for one in page.splitlines() if one.startswith("| claude / codex, ")]
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert cells["More windows of each |"] == f"{low} to {high} |"
    # the other way round: from the first name to the second
    assert cells["95 % interval"] == "0 to no upper limit"
    assert "not known" not in page.partition("## Comparison")[2].partition("\n## ")[0]


def test_a_report_compares_those_of_one_unit_and_says_what_the_others_need(
    tracker_cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker.api import Period
    from tracker.session import Session
    from tracker_verdict import panels

    finalized(tmp_path, codex=D2, claude=D1, glm=[(1, 18)])
    monkeypatch.chdir(tmp_path)
    session = Session()
    session.data_dir = tmp_path / "data"
    panel = panels.comparison(session, Period(windows=tuple(session.index.windows())))
    assert [row["pair"] for row in panel.rows] == ["claude / codex, per pp"]
    assert panel.headlines[0].startswith("claude and codex, for the quota (pp): Measure ")
    [missing] = panel.missing
    assert missing.startswith("Different units cannot be compared (claude and codex in pp, glm in prompts).")


def test_one_that_never_delivers_can_be_dropped(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=[(3, 15)] * 10, claude=[(0, 15)] * 13)
    [found] = json.loads(ok(tracker_cli("compare", "codex", "claude", "--json")))
    assert (found["verdict"], found["ratio"], found["interval"][1]) == ("retire", None, None)
    assert found["evidence"] > 50
    assert "  Retire claude. Today " in ok(tracker_cli("compare", "codex", "claude"))


def test_windows_far_apart_in_time_do_not_count(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=D2, claude=[*D1, *[(0, 30)] * 7])
    [found] = json.loads(ok(tracker_cli("compare", "codex", "claude", "--json")))
    assert found["comparable"]["days"] == 3
    assert found["comparable"]["left_out"] == [{"provider": "claude", "window": "claude-10"}]
    assert found["providers"][1]["n"] == 9
    said = ok(tracker_cli("compare", "codex", "claude"))
    assert "  Not comparable in time: claude claude-10 (no window of codex that counts within 3 days).\n" in said
    (tmp_path / "tracker.toml").write_text("comparable_days = 30\n")
    [found] = json.loads(ok(tracker_cli("compare", "codex", "claude", "--json")))
    assert found["comparable"]["left_out"] == []


def test_that_all_windows_lie_far_apart_is_the_reason(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=[(3, 15)], claude=[(1, 10)])
    rows = tmp_path / "data" / "windows.jsonl"
    first, second = rows.read_text().splitlines()
    rows.write_text(f"{first}\n{second.replace('2026-01-01', '2026-01-20')}\n")
    said = ok(tracker_cli("compare", "codex", "claude"))
    assert "  Nothing can be said: no windows of the two are close enough in time. Measure some of each, altern" in said
    assert "Not comparable in time: codex codex-01 (no window of claude that counts within 3 days)" in said


def test_power_is_for_a_ratio_and_the_same_in_any_unit(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=D1)
    [usual] = json.loads(ok(tracker_cli("preview", "--json")))["providers"]
    assert usual["effect"] == 1.5
    assert usual["windows_needed"][0] < usual["windows_needed"][1]
    finalized(tmp_path, codex=[(features, 40 * capacity) for features, capacity in D1])
    [other] = json.loads(ok(tracker_cli("preview", "--json")))["providers"]
    assert other["power"] == pytest.approx(usual["power"])
    (tmp_path / "tracker.toml").write_text("effect = 3\n")
    [larger] = json.loads(ok(tracker_cli("preview", "--json")))["providers"]
    assert larger["power"] > usual["power"]
    assert larger["windows_needed"] < usual["windows_needed"]


@pytest.mark.parametrize("value", ["1", "0.5"])
def test_an_effect_that_is_no_ratio_above_1_is_not_set(tracker_cli: Run, tmp_path: Path, value: str) -> None:
    """It was stored, and then not used. One that a file of before has ends no command."""
    said = f"Invalid effect {float(value):g}. Expected a ratio above 1, such as 1.5."
    refused = tracker_cli("config", "set", "effect", value)
    assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr
    finalized(tmp_path, codex=D1)
    usual = json.loads(ok(tracker_cli("preview", "--json")))
    (tmp_path / "tracker.toml").write_text(f"effect = {value}\n")
    done = tracker_cli("preview", "--json")
    assert json.loads(ok(done)) == usual
    assert done.stderr == (
        f"warning: the setting effect = {value} is not used. Expected a ratio above 1."
        " Type `tracker config set effect 1.5`.\n"
    )
    assert tracker_cli("windows").stderr.count(" is not used. ") == 1
    ok(tracker_cli("config", "set", "effect", "1.5"))
    assert not tracker_cli("preview").stderr


def test_twelve_windows_are_summed_by_day(tracker_cli: Run, tmp_path: Path) -> None:
    """Four windows a day, alike within each: their spread is that of days, and the output says so."""
    data = tmp_path / "data"
    data.mkdir()
    days = [[(3, 15)] * 4, [(0, 15)] * 4, [(2, 10)] * 4]
    rows = []
    for day, windows in enumerate(days, 1):
        for at, (features, capacity) in enumerate(windows):
            rows.append(
                {
                    "window": f"W{day}-{at}",
                    "captured_at": f"2026-01-{day:02d}T{8 + at:02d}:00:00Z",
                    "schema_version": "1.0.0",
                    "features": {"codex": features},
                    "providers": {"codex": {"delta": {"weekly_pct": capacity}, "errors": []}},
                }
            )
    (data / "windows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tracker.toml").write_text('timezone = "UTC"\n[prices]\ncodex = "160/mo:4bars"\n')
    [found] = json.loads(ok(tracker_cli("preview", "--json")))["providers"]
    _, _, low, high = interval([(12, 60), (0, 60), (8, 40)])
    assert found["ci"] == pytest.approx([low, high])
    assert (found["n"], found["blocks"]) == (12, {"by": "day", "n": 3})
    said = ok(tracker_cli("preview"))
    assert "n=12, " in said
    assert " ($3.20 per feature) (spread over 3 days)\n" in said


def test_small_efficiencies_keep_two_digits(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, glm=[(3, 700), (2, 450), (4, 1000)])
    said = ok(tracker_cli("preview"))
    assert "efficiency=0.0042, ci=0.0" in said
    assert "0.0042" in ok(tracker_cli("scoreboard"))


def test_pairs_are_planned_in_random_order_and_certified(tracker_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    drawn = json.loads(ok(tracker_cli("plan", "--pairs", "6", "codex", "claude", "--json")))
    assert [one["pair"] for one in drawn] == [1, 2, 3, 4, 5, 6]
    assert all(sorted(one["order"]) == ["claude", "codex"] for one in drawn)
    assert len({window for one in drawn for window in one["windows"].values()}) == 12
    fields = {"codex": ("weekly_pct", 3), "claude": ("all_models_pct", 0)}
    rows = []
    for one in drawn[:5]:
        for name, window in one["windows"].items():
            field, features = fields[name]
            rows.append(
                {
                    "window": window,
                    "captured_at": f"2026-01-{one['pair']:02d}T08:00:00Z",
                    "schema_version": "1.0.0",
                    "features": {name: features},
                    "providers": {name: {"delta": {field: 15}, "errors": []}},
                }
            )
    (tmp_path / "data" / "windows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    [found] = json.loads(ok(tracker_cli("compare", "codex", "claude", "--json")))
    expected = max(signflip([((3, 15), (0, 15))] * 5)) / 2
    counts = {"finished": 5, "open": 1, "left_out": 0}
    assert found["pairs"] == {**counts, "evidence": pytest.approx(expected), "favours": "codex"}
    said = ok(tracker_cli("compare", "codex", "claude"))
    assert "5 planned pairs: " in said
    assert "1 pair of the plan not finished" in said
    # what a selection leaves out is finished all the same
    said = ok(tracker_cli("compare", "codex", "claude", "--last", "6"))
    assert " 1 pair of the plan not finished: finish every one. 2 finished pairs left out here.\n" in said
    text = ok(tracker_cli("plan", "--pairs", "1", "codex", "claude"))
    assert "  pair 1: " in text
    assert " as --window P" in text
    assert tracker_cli("plan", "--pairs", "2", "codex", "codex").returncode == 2


def test_different_units_need_prices(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=D2, glm=[(3, 35), (2, 18), (4, 52), (1, 12), (2, 27)])
    refused = error(tracker_cli("compare", "codex", "glm"))
    assert "Different units cannot be compared (codex in pp, glm in prompts). Expected each one's month" in refused
    named = "`tracker compare codex glm --price codex=200/mo:4.3bars --price glm=30/mo:2400prompts`"
    assert refused.endswith(f"or type {named}.")
    # it works as it is printed
    ok(tracker_cli(*named.strip("`").split()[1:]))
    prices = ["--price", "codex=100/mo:1bars", "--price", "glm=25/mo:100prompts"]  # k = 1 and 4
    [found] = json.loads(ok(tracker_cli("compare", "codex", "glm", *prices, "--json")))
    assert found["ratio"] == pytest.approx(1.551724, abs=1e-6)
    assert found["evidence"] == pytest.approx(0.838107, abs=1e-6)
    assert found["certainty"] == pytest.approx(0.804477, abs=1e-6)
    (tmp_path / "tracker.toml").write_text('[prices]\ncodex = "100/mo:1bars"\nglm = "25/mo:100prompts"\n')
    assert "codex against glm, features per dollar:" in ok(tracker_cli("compare", "codex", "glm"))
    cheap = error(tracker_cli("compare", "codex", "glm", "--price", "codex=cheap"))
    assert "Invalid price 'cheap' of codex. Expected one such as '200/mo:4.3bars'." in cheap
    bars = error(tracker_cli("compare", "codex", "glm", "--price", "glm=3/mo:2bars"))
    assert "Expected prompts, such as '30/mo:2400prompts'." in bars


def test_three_units_without_names_say_what_to_type(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=D2, claude=D1, glm=[(3, 35), (2, 18), (4, 52)])
    refused = error(tracker_cli("compare"))
    assert "cannot be compared (claude and codex in pp, glm in prompts)." in refused
    commands = re.findall("`tracker ([^`]+)`", refused)
    assert [words.partition(" --")[0] for words in commands] == ["compare", "compare claude codex"]
    for words in commands:
        ok(tracker_cli(*words.split()))


def test_too_little_data_says_how_many_windows_are_missing(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=[(3, 18)], claude=[(2, 10)])
    said = ok(tracker_cli("compare", "--all"))
    assert "more windows of each, alternating. Not enough data: " in said
    assert "claude has 1 comparable window and codex has 1 comparable window, and a comparison needs 3" in said
    assert "(95 %, from an assumed spread)" in said
    assert "  The spread of claude and codex is not measured yet: with an assumed one it is " in said
    assert " (assumed) | " in ok(tracker_cli("report", "--format", "md"))
    finalized(tmp_path, codex=[(3, 18), (2, 10), (4, 20), (3, 15)], claude=[(1, 40)])
    assert "The spread of claude is not measured yet: with an assumed" in ok(tracker_cli("compare", "codex", "claude"))


def test_even_odds_say_nothing(tracker_cli: Run, tmp_path: Path) -> None:
    """1.02 to 1 is shown as 1.0."""
    finalized(tmp_path, codex=[(2, 11), (3, 7), (2, 7)], claude=D2)
    said = ok(tracker_cli("compare", "codex", "claude"))
    assert "Not enough data: today nothing says that either delivers more (evidence 1.0 to 1)." in said


@pytest.mark.parametrize("features", [1, 90])
def test_more_than_two_are_held_against_the_best(tracker_cli: Run, tmp_path: Path, features: int) -> None:
    """One window that went well is no best: it hid the comparison of the two that have enough."""
    finalized(tmp_path, codex=D1, claude=D2, glm=[(features, 10)])
    prices = [word for name in ("codex", "claude") for word in ("--price", f"{name}=100/mo:1bars")]
    found = json.loads(ok(tracker_cli("compare", "--all", *prices, "--price", "glm=100/mo:100prompts", "--json")))
    assert [(one["a"], one["b"]) for one in found] == [("claude", "codex"), ("claude", "glm")]


def test_a_comparison_of_nothing_is_refused(tracker_cli: Run, tmp_path: Path) -> None:
    assert "needs two providers with finalized windows; no provider has any" in error(tracker_cli("compare"))
    finalized(tmp_path, codex=D1)
    assert "claude has no finalized window" in error(tracker_cli("compare", "codex", "claude"))
    assert "Did you mean codex?" in error(tracker_cli("compare", "codx", "claude"), 2)
    assert tracker_cli("compare", "codex").returncode == 2


def test_a_selection_without_windows_says_so(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=D1, claude=D2)
    assert "no provider has any among those that you selected." in error(tracker_cli("compare", "--lane", "nobody"))
    assert "codex has no finalized window among those that" in error(
        tracker_cli("compare", "codex", "claude", "--last", "1")
    )
    assert "note: no finalized window among those that you" in tracker_cli("scoreboard", "--lane", "nobody").stderr


def test_what_other_features_know_stands_on_the_scoreboard(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Churn per feature counts the features of windows with churn alone."""
    verdicts.rows(codex=[(3, 18), (2, 10)])
    verdicts.facts["codex-01", "codex"] = {"churn": 2, "tokens": 1200, "mood": 2}
    verdicts.facts["codex-02", "codex"] = {"tokens": 800}
    # of the window as a whole: no provider's
    verdicts.facts["codex-01", ""] = {"churn": 7, "files": 4, "hours": 1.5, "mood": 9}
    [row] = json.loads(verdicts("scoreboard", "--format", "json").ok())
    assert (row["features"], row["churn_per_feature"], row["tokens"]) == (5, 2, 2000)
    assert (row["hours"], row["mood"]) == (1.5, 2)
    verdicts.facts["codex-02", "codex"] = {"tokens": 800, "requests": 1, "cost_usd": 0.00164}
    head, line = verdicts("scoreboard").ok().splitlines()
    shown = dict(zip(head.split(), line.split(), strict=True))
    assert (shown["cost_usd"], shown["tokens"]) == ("0.0016", "2000")
    assert not {"churn", "files"} & row.keys()
    verdicts.facts["codex-01", "codex"] = {"tokens": 1, "requests": 2, "cost_usd": 0.418, "unpriced_requests": 1}
    assert " at least 0.41 " in verdicts("scoreboard").ok()  # and not 0.42, with what the other window cost
    verdicts.facts["codex-01", "codex"]["cost_usd"], verdicts.facts["codex-02", "codex"]["cost_usd"] = 0.003375, 0.0
    assert " at least 0.0033 " in verdicts("scoreboard").ok()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")
    assert "≥$0.0033" in verdicts("scoreboard").ok()
    monkeypatch.delenv("FORCE_COLOR")
    for window, cost in (("codex-01", 0.1), ("codex-02", 0.2)):
        verdicts.facts[window, "codex"] = {"tokens": 1, "requests": 1, "cost_usd": cost}
    assert json.loads(verdicts("scoreboard", "--format", "json").ok())[0]["cost_usd"] == 0.3


def test_no_figure_per_feature_stands_where_features_are_not_known(verdicts: Any) -> None:
    verdicts.rows(codex=[(3, 18), (2, None)])
    for at, name in enumerate(("codex-01", "codex-02")):
        verdicts.facts[name, "codex"] = {"churn": 2, "tokens": 1200, "requests": 1 + at, "cost_usd": 2.0}
    known = json.loads(verdicts("--json", "scoreboard", "--by", "outcome").ok())
    one, other = sorted(known, key=lambda row: row["features"] is None)
    names = ("churn_per_feature", "tokens_per_feature", "cost_usd_per_feature")
    assert [one[name] for name in ("features", *names)] == [3, 2, 400, pytest.approx(2 / 3)]
    assert [other[name] for name in ("features", "tokens", *names)] == [None, None, None, None, None]
    assert [row.get("left_out_tokens") for row in (one, other)] == [0, 1200]


def test_the_scoreboard_in_every_form(tracker_cli: Run, tmp_path: Path) -> None:
    finalized(tmp_path, codex=D1)
    price = ["--price", "codex=200/mo:4bars"]
    [row] = json.loads(ok(tracker_cli("scoreboard", "--format", "json", *price)))
    assert (row["group"], row["windows"], row["features"], row["capacity"], row["n"]) == ("codex", 3, 9, 48, 3)
    assert row["ci_low"] == pytest.approx(0.041574, abs=1e-6)
    assert (row["money"], row["money_per_feature"]) == (24, pytest.approx(24 / 9))
    text = ok(tracker_cli("scoreboard", *price)).splitlines()
    assert text[0].split()[:3] == ["group", "provider", "windows"]
    assert " ".join(text[1].split()) == "codex codex 3 9 48 pp 0.19 0.04 0.44 3 n/a n/a 24.00 2.67"
    markdown = ok(tracker_cli("scoreboard", "--format", "markdown")).splitlines()
    assert markdown[1].startswith("| --- |")
    [line] = csv.DictReader(io.StringIO(ok(tracker_cli("scoreboard", "--format", "csv"))))
    assert (line["provider"], line["money"]) == ("codex", "")
    groups = [row["group"] for row in json.loads(ok(tracker_cli("scoreboard", "--by", "outcome", "--format", "json")))]
    assert groups == ["partial", "pass"]


def test_windows_of_two_accounts_are_never_added(verdicts: Any) -> None:
    windows = [(2, 10), (3, 12), (1, 8), (2, 11)]
    verdicts.rows(claude=windows)
    home, work = "dev@example.com", "dave@example.com"
    verdicts.settings(f'[accounts]\nhome = "{home}"\nwork = "{work}"\n')
    for at, (features, used) in enumerate(windows, 1):
        when = f"2026-01-0{at}T11:00:00Z", f"2026-01-0{at}T13:00:00Z"
        verdicts.measure((f"codex-{at}", home if at < 3 else work, 90, 90 - used, *when, features))
    found = json.loads(verdicts("--json", "scoreboard").ok())
    assert [(row["group"], row["windows"], row["capacity"]) for row in found] == [
        ("claude", 4, 41),
        ("codex (home)", 2, 22),
        ("codex (work)", 2, 19),
    ]
    refused = verdicts("compare", "codex", "claude").refused()
    assert "The windows of codex belong to 2 accounts (home, work), whose percentages cannot be added." in refused
    assert "Did you mean work?" in verdicts("compare", "codex", "claude", "--account", "wrk").refused()
    [match] = json.loads(verdicts("--json", "compare", "codex", "claude", "--account", "work").ok())
    assert match["providers"][0]["n"] == 2


def test_what_has_no_name_is_last_whether_or_not_an_account_is_named(verdicts: Any) -> None:
    more = {"methodology": "solo"}
    windows = [(2, 10, "2026-01-01T12:00:00Z", own) for own in ({}, more, {}, more)]
    verdicts.rows(codex=windows, claude=windows)
    for at in range(4):
        verdicts.facts[f"codex-{1 + at:02d}", "codex"] = {"account": "home" if at < 2 else "work"}
    found = json.loads(verdicts("--json", "scoreboard", "--by", "methodology").ok())
    groups = ["solo", "solo (home)", "solo (work)", "(none)", "(none) (home)", "(none) (work)"]
    assert [row["group"] for row in found] == groups
