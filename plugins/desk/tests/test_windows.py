"""`tracker windows`: which are listed, with which figures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracker.api import Column, Period
from tracker.session import Session
from tracker_desk import fleet, panels, window_list
from tracker_desk.panels import _column, table
from tracker_desk.window_list import ListedWindow


@pytest.fixture
def filled(program: Any, kept: Any) -> Any:
    kept(program.root.parent, lambda: fill(program))
    return program


def fill(program: Any) -> None:
    for arguments, pane, lane in (
        ("alias start toy --stdin --window W1 --captured-at 2026-01-10T08:00:00Z", "fuel 10%", ""),
        ("alias end toy --stdin --captured-at 2026-01-10T09:00:00Z", "fuel 30%", ""),
        ("complete --window W1 --toy-features 4 --outcome pass", "", ""),
        ("alias start toy --stdin --window W2 --captured-at 2026-01-11T08:00:00Z", "fuel 30%", "sub1"),
        ("alias end toy --stdin --captured-at 2026-01-11T09:00:00Z", "fuel 35%", "sub1"),
        ("alias start toy --stdin --window W10 --captured-at 2026-01-12T08:00:00Z", "fuel 40%", ""),
    ):
        program(*arguments.split(), stdin=pane, lane=lane).ok()


def windows(program: Any, *options: str) -> Any:
    return json.loads(program("--json", "windows", *options).ok())


def test_a_window_has_its_times_state_and_figures(filled: Any) -> None:
    first, second, third = windows(filled)
    assert first["window"] == "W1"
    assert (first["from"], first["to"]) == ("2026-01-10T08:00:00Z", "2026-01-10T09:00:00Z")
    assert (first["state"], first["outcome"], first["lanes"]) == ("finalized", "pass", [""])
    figures = first["providers"]["toy"]
    assert (figures["features"], figures["capacity"], figures["efficiency"]) == (4, 20, 0.2)
    assert (second["state"], second["lanes"], second["providers"]["toy"]["capacity"]) == ("closed", ["sub1"], 5)
    assert (third["state"], third["to"], third["providers"]["toy"]["capacity"]) == ("open", None, None)


def test_in_a_table_nothing_is_not_unknown() -> None:
    """Features name what is shared, or has no price, only where there is some."""

    def row(window: str, **facts: Any) -> ListedWindow:
        return ListedWindow(
            window=window, lanes=(), begin=None, end=None, state="open", outcome=None, providers={"toy": facts}
        )

    shared = {"shared_requests": 2, "shared_with": "W1", "shared_cost_usd": 1.0, "shared_unpriced_requests": 1}
    plain, both, unknown = table(
        [row("W1", requests=3, cost_usd=1.0), row("W2", requests=1, unpriced_requests=1, **shared), row("W3")]
    )[1]
    assert (plain["unpriced_requests"], plain["shared_with"], plain["shared_cost_usd"]) == (0, "", 0)
    assert (both["unpriced_requests"], both["shared_cost_usd"]) == (1, "≥$1.00")
    assert not unknown.keys() & {"unpriced_requests", *shared}


def test_the_newest_window_of_the_panel_is_the_one_that_was_captured_last(filled: Any) -> None:
    """Whatever its name; without a capture there is no time."""
    filled("ingest", "toy-report", "--window", "W20", "--stdin", stdin="60").ok()
    for phase, hour, used in (("start", 8, 40), ("end", 9, 45)):
        at = f"2026-01-13T{hour:02}:00:00Z"
        filled("alias", phase, "toy", "--stdin", "--window", "W0", "--captured-at", at, stdin=f"fuel {used}%").ok()
    session = Session()
    session.data_dir = filled.root
    names = tuple(session.index.windows())
    assert names == ("W0", "W1", "W2", "W10", "W20")
    shown = panels.windows(session, Period(windows=names)).rows
    assert [row["window"] for row in shown] == ["W0", "W10", "W2", "W1", "W20"]


def test_why_a_window_does_not_count_stays_longer_than_its_times(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_list, "facts", lambda _session, _windows: {("W1", "toy"): {"overlaps": "W2"}})
    monkeypatch.setenv("FORCE_COLOR", "1")
    for width, is_timed in ((80, False), (120, True)):
        monkeypatch.setenv("COLUMNS", str(width))
        head, first, *_ = filled("windows").ok().splitlines()
        assert ("From" in head, "Overlaps" in head, "W2" in first) == (is_timed, True, True)


def test_a_window_without_a_capture_is_open(filled: Any) -> None:
    filled("ingest", "toy-report", "--window", "W3", "--stdin", stdin="60").ok()
    assert {one["window"]: one["state"] for one in windows(filled)}["W3"] == "open"


def test_who_was_not_captured_took_an_unknown_amount(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens alone say nothing of the quota."""
    monkeypatch.setattr(window_list, "facts", lambda _session, _windows: {("W1", "tally"): {"tokens": 30}})
    figures = windows(filled)[0]["providers"]["tally"]
    measured = {"lanes": [], "from": None, "to": None}
    unknown = {"features": None, "capacity": None, "efficiency": None, "unit": "calls"}
    assert figures == measured | unknown | {"tokens": 30}
    # it has nothing else to show, so that the times go first
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    head, first, *_ = filled("windows").ok().splitlines()
    assert ("Tokens" in head, "From" in head, "30" in first.split()) == (True, False, True)


def test_each_provider_has_its_own_lane_and_times(filled: Any) -> None:
    for phase, hour in (("start", 10), ("end", 11)):
        at = f"2026-01-11T{hour}:00:00Z"
        filled(
            "alias", phase, "tally", "--stdin", "--window", "W2", "--captured-at", at, stdin=f"{hour}", lane="sub2"
        ).ok()
    [_, both, _] = windows(filled)
    assert (both["lanes"], both["from"], both["to"]) == (
        ["sub1", "sub2"],
        "2026-01-11T08:00:00Z",
        "2026-01-11T11:00:00Z",
    )
    own = {name: (found["lanes"], found["from"], found["to"]) for name, found in both["providers"].items()}
    assert own == {
        "toy": (["sub1"], "2026-01-11T08:00:00Z", "2026-01-11T09:00:00Z"),
        "tally": (["sub2"], "2026-01-11T10:00:00Z", "2026-01-11T11:00:00Z"),
    }
    _, tally, toy, _ = filled("windows", "--last", "2").ok().splitlines()
    assert tally.split()[:2] == ["W2", "sub2"]
    assert toy.split()[0] == "sub1"
    # the hours are as they are shown, whatever day it is
    assert "10:00" in tally
    assert "08:00" in toy
    assert "11:00" not in toy


def test_a_window_that_does_not_count_has_what_complete_said(filled: Any) -> None:
    said = filled("complete", "--window", "W2").ok()
    assert "features=n/a, capacity=5" in said
    figures = windows(filled)[1]["providers"]["toy"]
    assert (figures["features"], figures["capacity"], figures["efficiency"]) == (None, 5, None)


def test_what_is_of_the_whole_window_is_of_no_provider() -> None:
    own = {"features": 1, "capacity": 2.0, "churn": None}
    providers = {"codex": own | {"churn": 3}, "claude": own}
    whole = ListedWindow(
        window="W1", lanes=(), begin=None, end=None, state="open", outcome=None, providers=providers, facts={"churn": 9}
    )
    columns, rows = table([whole])
    assert [(row["provider"], row["churn"], row.get("window_churn")) for row in rows] == [
        ("codex", 3, 9),
        ("claude", None, None),
    ]
    assert "Window churn" in [column.title for column in columns]


def test_a_lane_has_the_windows_in_which_its_pair_counts(filled: Any) -> None:
    """`scoreboard --by lane` counts them so; what else is in them is named."""
    for provider, lane, hour, used in (("toy", "sub2", 7, "fuel 1%"), ("tally", "sub3", 10, "5")):
        for phase in ("start", "end"):
            at = f"2026-01-11T{hour:02}:{'00' if phase == 'start' else '30'}:00Z"
            done = filled(
                *("alias", phase, provider, "--stdin", "--window", "W2", "--captured-at", at), stdin=used, lane=lane
            )
            done.ok()
    # sub1's AFTER of W2 is the last one
    assert windows(filled, "--lane", "sub2") == []
    for command in (("windows",), ("preview",), ("scoreboard",)):
        done = filled(*command, "--lane", "sub1")
        done.ok()
        assert "note: whole windows are selected. Also in them: tally W2\n" in done.err
    assert "whole windows" not in filled("windows", "--lane", "").err
    assert [one["window"] for one in windows(filled, "--lane", "sub3", "--provider", "toy")] == []


def test_lanes_that_share_a_window_are_said(filled: Any) -> None:
    assert "lanes" not in filled("windows").err
    for phase, pane in (("start", "fuel 10%"), ("end", "fuel 20%")):
        filled("alias", phase, "toy", "--stdin", "--window", "W2", stdin=pane, lane="sub2").ok()
    filled("complete", "--window", "W2", "--toy-features", "1").ok()
    said = "everal lanes captured toy{}nly the pair with the last AFTER counts"
    note = filled("windows").err
    assert said.format(" W2. O") in note
    audit = filled(*note.split("`")[1].split()[1:]).ok()
    assert "lane sub1: before" in audit
    assert said.format("; o") in filled("decision-card", "--window", "W2").out


def test_people_get_a_row_per_window(filled: Any) -> None:
    head, *rows = filled("windows").ok().splitlines()
    assert head.split()[:9] == [
        *("window", "lane", "from", "to", "state", "provider", "features", "capacity", "efficiency")
    ]
    assert [row.split()[0] for row in rows] == ["W1", "W2", "W10"]
    assert "20 pp" in rows[0]
    # digits as in the preview
    assert " 0.20" in rows[0]
    assert "efficiency=0.20," in filled("preview").ok()


def test_a_small_amount_is_not_nothing(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {("W1", "toy"): {"cost_usd": 0.00164}, ("W2", "toy"): {"cost_usd": 0.0}}
    monkeypatch.setattr("tracker_ledgers.window_facts.facts", lambda session, windows: known)
    _, first, second, _ = filled("windows").ok().splitlines()
    assert first.endswith(" 0.0016")
    assert second.endswith(" 0")


def test_what_is_known_of_the_window_has_a_name_of_its_own(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {("W1", "toy"): {"churn": 9.0}, ("W1", ""): {"churn": 4.8}}
    monkeypatch.setattr("tracker_ledgers.window_facts.facts", lambda session, windows: known)
    head, first, *_ = filled("windows").ok().splitlines()
    cells = dict(zip(reversed(head.split()), reversed(first.split()), strict=False))
    assert (cells["churn"], cells["window_churn"]) == ("9", "4.8")


def test_windows_are_read_some_at_a_time(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million do not fit into memory; what is printed is the same, whatever is held at once."""
    text, document = filled("windows").ok(), filled("--json", "windows").ok()
    assert document == f"{json.dumps(json.loads(document), indent=2)}\n"
    assert filled("--json", "windows", "--since", "1h").ok() == "[]\n"
    monkeypatch.setattr("tracker.windows.reader.PART", 1)
    monkeypatch.setattr("tracker_desk.commands.windows.TABLE", 1)
    assert filled("windows").ok() == text
    assert filled("--json", "windows").ok() == document


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--last", "2"], ["W2", "W10"]),
        (["--open"], ["W10"]),
        (["--lane", "sub1"], ["W2"]),
        (["--lane", "", "--last", "1"], ["W10"]),
        (["--since", "2026-01-11"], ["W2", "W10"]),
        (["--until", "2026-01-11T08:00:00Z"], ["W1", "W2"]),
        (["--since", "2026-01-11", "--until", "2026-01-11T23:00"], ["W2"]),
        (["--since", "2026-01-11", "--until", "2026-01-11"], ["W2"]),
        (["--since", "1h"], []),
        (["--provider", "toy"], ["W1", "W2", "W10"]),
        (["--provider", "tally"], []),
    ],
)
def test_a_selection(filled: Any, options: list[str], expected: list[str]) -> None:
    assert [one["window"] for one in windows(filled, *options)] == expected


def test_a_window_without_a_capture_is_among_those_that_are_open(filled: Any) -> None:
    filled("ingest", "toy-report", "--window", "W20", "--stdin", stdin="12").ok()
    states = {one["window"]: one["state"] for one in windows(filled)}
    assert [one["window"] for one in windows(filled, "--open")] == [name for name in states if states[name] == "open"]
    assert states["W20"] == "open"


def test_wrong_filters_are_refused(filled: Any) -> None:
    assert "Invalid time 'noon'. Expected ISO 8601" in filled("windows", "--since", "noon").refused(2)
    assert "Did you mean toy?" in filled("windows", "--provider", "toi").refused(2)
    assert filled("windows", "--last", "0").refused(2)


def test_the_same_selection_everywhere(filled: Any, tmp_path: Any) -> None:
    filled("complete", "--window", "W2", "--toy-features", "1").ok()
    last = ("--since", "2026-01-11", "--until", "2026-01-11T23:00")
    assert filled("preview", *last).ok().startswith("Windows: W2\n")
    [row] = json.loads(filled("--json", "scoreboard", *last).ok())
    assert (row["windows"], row["features"]) == (1, 1)
    assert json.loads(filled("--json", "plan", "--provider", "toy", *last).ok())["meters"][0]["windows_measured"] == 1
    assert "needs two providers" in filled("compare", *last).refused()
    filled("export", "--format", "jsonl", "--out", str(tmp_path / "out"), *last).ok()
    rows = [json.loads(line) for file in (tmp_path / "out").glob("*.jsonl") for line in file.read_text().splitlines()]
    assert rows
    assert {one["window"] for one in rows} == {"W2"}
    named = ("--window", "W2", "--window", "W1")
    assert filled("preview", *named).ok().startswith("Windows: W2, W1\n")
    assert filled("preview", *named, "--until", "2026-01-10T23:00").ok().startswith("Windows: W1\n")
    assert [one["window"] for one in json.loads(filled("--json", "windows", "--window", "W2").ok())] == ["W2"]
    assert json.loads(filled("--json", "scoreboard", "--window", "W2").ok()) == [row]
    assert "Did you mean W1?" in filled("windows", "--window", "W11").refused()
    nothing = filled("export", "--format", "csv", "--out", str(tmp_path / "none"), "--since", "1h").refused()
    assert "The selected windows have no records" in nothing
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("beside", "tokens", "cost"),
    [({}, 7, 1.5), ({"unpriced_requests": 1}, 7, None), ({"shared_requests": 2}, None, None)],
)
def test_a_part_is_never_exported_as_the_whole(
    filled: Any, monkeypatch: pytest.MonkeyPatch, beside: dict[str, int], tokens: int | None, cost: float | None
) -> None:
    known = {("W1", "toy"): {"tokens": 7, "cost_usd": 1.5, **beside}}
    monkeypatch.setattr("tracker_ledgers.window_facts.facts", lambda session, windows: known)
    session = Session()
    session.data_dir = filled.root
    [row] = next(rows for name, rows in fleet.tables(session) if name == "results")
    assert (row["tokens"], row["cost_usd"]) == (tokens, cost)


def test_money_that_leaves_requests_out_is_the_least(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And never more than it was."""
    own = {"cost_usd": 1.509, "cost_usd_per_feature": 0.377675}
    known = {("W1", "toy"): {**own, "unpriced_requests": 3}, ("W2", "toy"): {**own}}
    monkeypatch.setattr("tracker_ledgers.window_facts.facts", lambda session, windows: known)
    _, first, second, _ = filled("windows").ok().splitlines()
    assert ("at least 1.5 " in first, "at least 0.37 " in first) == (True, True)
    assert (" 1.51 " in second, " 0.38" in second) == (True, True)
    assert "at least" not in second
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")
    _, first, second, *_ = filled("windows").ok().splitlines()
    assert ("≥$1.50 " in first, "≥$0.37 " in first) == (True, True)
    assert ("$1.51 " in second, " $0.38 " in second) == (True, True)
    known["W1", "toy"]["cost_usd"] = 0.00225
    assert "≥$0.0022 " in filled("windows").ok()
    monkeypatch.delenv("FORCE_COLOR")
    assert "at least 0.0022 " in filled("windows").ok()
    known["W1", "toy"]["cost_usd"] = 0.0078
    assert "at least 0.0078 " in filled("windows").ok()


def test_a_provider_that_is_captured_after_the_window_was_finalized_took_nothing_that_is_known(filled: Any) -> None:
    tally = ("tally", "--stdin", "--window", "W1", "--captured-at")
    filled("start", *tally, "2026-01-10T10:00:00Z", stdin="3").ok()
    assert windows(filled)[0]["providers"]["tally"]["capacity"] is None
    filled("end", *tally, "2026-01-10T11:00:00Z", stdin="8").ok()
    [first, *_] = windows(filled)
    assert (first["providers"]["tally"]["capacity"], first["stale"]) == (5, ["tally"])
    assert first["providers"]["toy"]["capacity"] == 20


def test_a_window_that_lost_a_capture_gives_no_figure(filled: Any) -> None:
    def result() -> tuple[Any, ...]:
        session = Session()
        session.data_dir = filled.root
        [row] = next(rows for name, rows in fleet.tables(session) if name == "results")
        shown = windows(filled)[0]["providers"]["toy"]["efficiency"]
        return row["capacity"], row["reason"], shown

    assert result() == (20, None, 0.2)
    filled("alias", "delete", "toy", "--window", "W1", "--phase", "after", "--yes").ok()
    assert result() == (None, "capture-removed", None)
    # another one is in its place: the row is stale, and says what it said
    filled("end", "toy", "--stdin", "--window", "W1", "--captured-at", "2026-01-10T09:30:00Z", stdin="fuel 31%").ok()
    assert result() == (20, None, 0.2)


def test_windows_are_listed_although_a_feature_cannot_add_them_up(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_verdict.tally.Tally.add", lambda *_: 1 / 0)
    done = filled("windows")
    assert "W1 " in done.ok()
    assert (
        "failed to add up the windows: ZeroDivisionError: division by zero; windows that it leaves out are" in done.err
    )


def test_money_of_the_plan_is_money_and_no_list_price() -> None:
    assert [_column(key, 5, is_text=False) for key in ("money", "money_per_feature", "cost_usd")] == [
        Column(key="money", title="Plan, $", kind="money", rank=5),
        Column(key="money_per_feature", title="Plan per feature, $", kind="money", rank=5),
        Column(key="cost_usd", title="Cost, $", kind="money", rank=5),
    ]


def test_figures_of_a_feature_are_shown_as_those_of_a_window() -> None:
    assert [_column(key, 5, is_text=False) for key in ("tokens_per_feature", "cost_usd_per_feature")] == [
        Column(key="tokens_per_feature", title="Tokens per feature", kind="count", rank=5),
        Column(key="cost_usd_per_feature", title="Cost per feature, $", kind="money", rank=5),
    ]


def test_records_without_a_window_are_not_denied(program: Any) -> None:
    assert "note: no records in " in program("windows").notes
    program("start", "toy", "--stdin", stdin="fuel 10%").ok()
    program("undo", "--yes").ok()
    assert "note: no windows in " in program("windows").notes
