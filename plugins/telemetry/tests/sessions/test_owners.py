"""Whose requests they are, where a client works on another vendor's plan, as Claude Code does on GLM's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tracker.api import LogOrigin, Meter, MeterReading, Period, StatusSource, TelemetrySource
from tracker.hosting.registry import Registry
from tracker.session import Session
from tracker_telemetry import window_facts as of_streams
from tracker_telemetry.sessions import panels, today, usage, window_facts
from tracker_telemetry.sessions.current import current
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.owners import by_model, owners, sources_of
from tracker_telemetry.sessions.store import Store, log_sources

Make = Callable[..., str]
PANE = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
COUNT = '{{"account": "dev", "blocks": [{{"window_id": "W", "provider": "glm-4.6", "prompts_used": {}}}]}}'
OFF = {"TRACKER_DISABLE_PLUGINS": "tracker-glm"}
MODELS = {"claude": ("claude-opus-4-6", 4), "glm": ("glm-4.7", 3)}  # and how many requests of each are in W1


def names(*kept: str, **models: Sequence[str]) -> Callable[[str | None], str]:
    """Whose the requests of each model are in the log `home-sessions`, where providers and it declare these."""
    meters, given = (Meter(key="m", title="M"),), {"home": (), **models}
    providers = {
        name: StatusSource(contract="1.2", name=name, title="T", meters=meters, capacity="m", models=tuple(own))
        for name, own in given.items()
    }
    session = cast("Session", SimpleNamespace(registry=SimpleNamespace(providers=providers)))
    log = TelemetrySource(contract="1.2", name="home-sessions", title="L", stream="l", models=kept)
    return by_model(session, log.as_source())


@pytest.mark.parametrize(
    ("models", "whose"),
    [
        ({}, "home"),
        ({"acme": ("kimi",)}, "acme"),
        ({"acme": ("KIMI",)}, "acme"),
        ({"acme": ("glm", "moonshot/")}, "acme"),
        ({"acme": ("",)}, "home"),  # it would be in every name
        ({"acme": ("glm",)}, "home"),
        ({"acme": ("kimi",), "other": ("k2",)}, "home"),  # nobody knows which
        ({"home": ("kimi",)}, "home"),
        ({"home": ("k2",), "acme": ("kimi",)}, "home"),
        ({"home": ("claude",), "acme": ("kimi",)}, "acme"),
    ],
)
def test_a_request_is_the_one_other_providers_that_declares_its_model(
    models: Mapping[str, Sequence[str]], whose: str
) -> None:
    owner = names(**models)
    assert owner("Moonshot/Kimi-K2") == whose
    assert [owner(None), owner(""), owner("claude-opus-4-6")] == ["home"] * 3


def test_the_models_of_a_clients_own_vendor_are_nobody_elses() -> None:
    """A provider of many vendors' models took all that Codex and Claude Code did on their own plans."""
    owner = names("GPT", "codex", acme=("gpt", "kimi"))
    assert [owner(name) for name in ("gpt-5.3-Codex", "openai/gpt-5", "kimi-k2")] == ["home", "home", "acme"]
    logs = {source.name: source.models for source in log_sources(Session())}
    for client, model in (("codex-sessions", "gpt-5.3-codex"), ("claude-sessions", "claude-opus-4-6")):
        assert any(part in model for part in logs[client])


@pytest.fixture
def both(home: Any, message: Make) -> Any:
    """W1 of claude and of glm at once, with requests of both in one session file of Claude Code, and others behind."""
    panes = {"claude": lambda used: PANE.format(used), "glm": lambda used: COUNT.format(used)}
    for phase, minute in (("start", 0), ("end", 30)):
        for name, pane in panes.items():
            words = ("--window", "W1", "--force", "--captured-at", f"2026-11-20T10:{minute:02}:00Z")
            done = home.run("alias", phase, name, "--stdin", *words, stdin=pane(10 + minute))
            assert done.exit_code == 0, done.output
    done = home.run("complete", "--window", "W1", "--claude-features", "2", "--glm-features", "1")
    assert done.exit_code == 0, done.output
    minutes = {"claude": (1, 2, 3, 4, 40), "glm": (5, 6, 7, 41, 42)}
    rows = [
        message(f"{name}{minute}", minute=minute, model=MODELS[name][0], gitBranch=name)
        for name, own in minutes.items()
        for minute in own
    ]
    (home.projects / "s1.jsonl").write_text("".join(rows))
    return home


def here(home: Any, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("HOME", str(home.folder))
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    session = Session()
    session.data_dir = home.data
    return session


def requests(home: Any, *arguments: str, **environment: str) -> dict[str, int]:
    """How many each provider has."""
    return dict(summed(home.usage(*arguments, **environment)["rows"]))


def summed(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    found = Counter[str]()
    for row in rows:
        found[row["provider"]] += row["requests"]
    return found


def test_every_grouping_has_the_same_of_each_provider(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session, expected = here(both, monkeypatch), both.usage()["totals"]
    ways = cast("Sequence[usage.By]", (*usage.PERIODS, "session", "project", "branch", "model", "window"))
    logs = log_sources(session)

    def take(store: Store, _prices: ListPrices) -> dict[Any, usage.Usage]:
        queries = [usage.Query(by=by, provider=name, zone=UTC) for by in ways for name in (None, *MODELS)]
        return {(one.by, one.provider): usage.usage(session, store, logs, one) for one in queries}

    found = current(session, logs, take)
    for by in ways:
        assert found[by, None].totals.document() == expected, by
        parts = [found[by, name] for name in MODELS]
        assert sorted(key for one in parts for key, _ in one.rows) == sorted(key for key, _ in found[by, None].rows), by
        assert [summed(one.document()["rows"]) for one in parts] == [{name: 5} for name in MODELS], by
    for by in ("daily", "window"):
        assert [requests(both, by, "--provider", name) for name in MODELS] == [{name: 5} for name in MODELS]
    assert requests(both) == {"claude": 5, "glm": 5}


def test_a_window_has_the_requests_of_each_of_its_providers(both: Any) -> None:
    [window] = json.loads(both.run("--json", "windows").stdout)
    found = {name: (one["requests"], one["tokens"]) for name, one in window["providers"].items()}
    assert found == {name: (count, 150 * count) for name, (_, count) in MODELS.items()}
    rows = {row["provider"]: row for row in json.loads(both.run("--json", "scoreboard").stdout)}
    assert {name: row["tokens"] for name, row in rows.items()} == {"claude": 600, "glm": 450}
    assert rows["glm"]["tokens_per_feature"] == 450
    handed = both.run("handoff", "--dry-run").stdout
    assert "W1 glm: 450 tokens, 3 requests" in handed
    assert "W1 claude: 600 tokens, 4 requests" in handed


def test_without_the_plugin_all_is_the_clients(both: Any) -> None:
    assert requests(both, **OFF) == {"claude": 10}
    [window] = json.loads(both.run("--json", "windows", **OFF).stdout)
    assert window["providers"]["claude"]["requests"] == 7
    refused = both.run("usage", "--provider", "glm", **OFF)
    assert (refused.exit_code, "glm" in refused.stderr) != (0, False)
    assert requests(both) == {"claude": 5, "glm": 5}  # nothing of it is stored


def test_of_deleted_files_and_of_requests_without_a_time(both: Any, message: Make) -> None:
    for name, (model, _) in MODELS.items():
        (both.projects / f"{name}.jsonl").write_text(message(f"{name}-untimed", model=model, timestamp="then"))
    assert requests(both) == {"claude": 6, "glm": 6}
    (both.projects / "s1.jsonl").unlink()
    (both.data / ".index" / "sessions.sqlite3").unlink()
    assert requests(both) == {"claude": 6, "glm": 6}
    whose = {"glm": "glm", "claude": "claude", "": None}
    for option, provider in whose.items():
        found = both.usage("--since", "2026-11-20T10:10", *(("--provider", option) if option else ()))
        left = {one["detail"]: one["count"] for one in found["missing"] if one["kind"] == "left_out"}
        expected = {f"{why}: {name}" for why in ("no time can be read", "only the day is known") for name in MODELS}
        assert left.keys() == {one for one in expected if provider is None or one.endswith(f": {provider}")}
        assert sum(left.values()) == (6 if provider else 12)
    [window] = json.loads(both.run("--json", "windows").stdout)
    assert {name: one["lost_sessions"] for name, one in window["providers"].items()} == {"claude": 1, "glm": 1}


def test_only_a_models_own_provider_lacks_the_window(both: Any, message: Make) -> None:
    """Of a day of which only totals are left, that of the provider whose requests they were is not known."""
    (both.projects / "s1.jsonl").write_text(message("a", minute=1, model="glm-4.7", sessionId="gone"))
    (both.projects / "s2.jsonl").write_text(message("b", minute=2))
    assert requests(both) == {"claude": 1, "glm": 1}
    (both.projects / "s1.jsonl").unlink()
    (both.data / ".index" / "sessions.sqlite3").unlink()
    [window] = json.loads(both.run("--json", "windows").stdout)
    assert window["providers"]["claude"]["requests"] == 1
    assert window["providers"]["glm"]["lost_sessions"] == 1


def test_the_clients_own_total_is_of_the_provider_of_its_model(both: Any, state: Make) -> None:
    used = {"glm-4.7": {"inputTokens": 9000, "outputTokens": 10, "costUSD": 0.1}}
    row = {**json.loads(state(1, 1)), "modelUsage": used}
    with (both.projects / "s1.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    for provider, count in (("glm", 1), ("claude", 0)):
        found = both.usage("--provider", provider)["missing"]
        assert sum(one["kind"] == "not_in_rows" for one in found) == count


def test_which_logs_are_read_for_a_provider(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = here(home, monkeypatch)
    logs = [session.source(f"{name}-sessions") for name in ("claude", "codex")]
    assert owners(session, logs) == ["claude", "codex", "glm"]
    found = [sources_of(session, logs, name) for name in (None, "claude", "codex", "glm", "acme")]
    assert found == [logs, logs[:1], logs[1:], logs, []]
    assert owners(session, []) == []


def test_panels_have_a_row_of_each(both: Any, message: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (both.projects / "s2.jsonl").write_text(message("more", model="GLM-4.6", minute=50))
    session = here(both, monkeypatch)
    for provider, wanted in (("glm", {"glm": 6}), (None, {"claude": 5, "glm": 6})):
        for panel in panels.panels(session, Period(provider=provider)):
            counts = Counter[Any]()
            for row in panel.rows:
                counts[row.get("provider")] += cast("int", row["requests"])
            assert (panel.name, counts) == (panel.name, wanted)
    rows = today.panel(session, Period(names=("today",))).rows
    assert [(row["provider"], row["requests"], row["tokens"]) for row in rows] == [("claude", 5, 750), ("glm", 6, 900)]
    cost = both.usage("--provider", "claude")["totals"]["cost_usd"]
    assert rows[0]["cost_usd"] == cost > 0


def test_of_a_stream_and_the_logs_of_others_the_fuller_counts(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both may hold the same requests, and each some that the other lacks; a provider's own logs have all.

    Of the logs' three requests each read 50,000 tokens from a cache, which this stream does not tell.
    """
    path = both.projects / "s1.jsonl"
    path.write_text(path.read_text().replace('"output_tokens"', '"cache_read_input_tokens": 50000, "output_tokens"'))
    session = here(both, monkeypatch)
    logged = window_facts.facts(session, ["W1"])
    assert logged["W1", "glm"]["tokens"] == 3 * 50_150
    for count, expected in ((2, 3 * 50_150), (6, 3 * 50_150), (7, 7 * 150)):
        event = {"ts": "2026-11-20T10:05:00Z", "lane": "base", "input_tokens": 100, "output_tokens": 50}
        lines = [
            json.dumps({**event, "rid": f"{model}-{at}", "model": model}) + "\n"
            for model, _ in MODELS.values()
            for at in range(count)
        ]
        (both.folder / "proxy.jsonl").write_text("".join(lines))
        done = both.run("ingest", "proxy-telemetry", "--window", "W1", "--file", str(both.folder / "proxy.jsonl"))
        assert done.exit_code == 0, done.output
        found = of_streams.facts(here(both, monkeypatch), ["W1"])
        assert {name: one["tokens"] for (_, name), one in found.items()} == {"claude": 4 * 50_150, "glm": expected}
        handed = both.run("handoff", "--dry-run").stdout
        assert ("W1 glm: 150450 tokens, 3 requests" in handed) == (count < 7)
        assert "W1 claude: 200600 tokens, 4 requests" in handed
        shown = both.run("preview").stdout
        assert ("W1 glm: 1050 tokens from a proxy's stream alone, $" in shown) == (count == 7)
        assert shown.count("from a proxy's stream") == (count == 7)


def test_a_stream_of_two_weeks_in_one_window_is_not_what_that_used(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests outside of it are in the logs of other windows."""
    event = {"lane": "zai", "model": "glm-4.6", "input_tokens": 100, "output_tokens": 50}
    times = [f"2026-11-{day}T10:05:{second}Z" for day in (10, 20) for second in range(10, 30)]
    lines = (json.dumps({**event, "rid": at, "ts": at}) + "\n" for at in times)
    (both.folder / "proxy.jsonl").write_text("".join(lines))
    done = both.run("ingest", "proxy-telemetry", "--window", "W1", "--file", str(both.folder / "proxy.jsonl"))
    assert "20 events of Subagent Proxy in W1 came before" in done.stderr
    assert of_streams.facts(here(both, monkeypatch), ["W1"])["W1", "glm"]["requests"] == 3
    (both.projects / "s1.jsonl").unlink()
    (both.data / ".index" / "sessions.sqlite3").unlink()
    for name in both.data.glob("claude_sessions.jsonl"):
        name.unlink()
    assert of_streams.facts(here(both, monkeypatch), ["W1"])["W1", "glm"]["tokens"] == 40 * 150


def test_what_a_window_shares_is_no_part_of_its_fuller_stream(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands for the other window, of which it is not known what it took; beside two streams it is nobody's."""
    session = here(both, monkeypatch)
    shared = {"tokens": 0, "shared_tokens": 300}
    logged = {("W1", "glm"): shared, ("W2", "glm"): shared, ("W1+W2", "glm"): {"tokens": 300}}
    outputs = {("W1", "glm"): 100, ("W2", "glm"): 100}
    monkeypatch.setattr(window_facts, "_logged", lambda *_given: (logged, outputs))
    for output, is_beyond, tokens in ((201, False, 301), (200, False, 0), (201, True, 0)):
        parts = {("W1", "glm"): [window_facts.Part(150, 1.0, 50), window_facts.Part(151, None, output - 50)]}
        found = window_facts.with_streams(session, parts, ["W1", "W2"], lambda _, found=is_beyond: found)
        assert found["W1", "glm"]["tokens"] == tokens
        assert (found["W1+W2", "glm"], found["W2", "glm"]) == ({"tokens": 300}, shared)
        assert found["W1", "glm"].get("cost_usd") is None
        both_full = parts | {("W2", "glm"): parts["W1", "glm"]}
        found = window_facts.with_streams(session, both_full, ["W1", "W2"], lambda _: False)
        assert (("W1+W2", "glm") in found) == (output == 200)
    # of two streams one lacks the tokens of a request: neither the other alone nor what is logged is what was used
    for output, expected in ((900, {"tokens_at_least": 909, "uncounted_requests": 1}), (100, shared)):
        parts = {("W1", "glm"): [window_facts.Part(900, 1.0, output), window_facts.Part(9, None, 9, uncounted=1)]}
        found = window_facts.with_streams(session, parts, ["W1"], lambda _: False)["W1", "glm"]
        assert found.items() >= expected.items()
        assert ("tokens" in found) == (expected is shared)


def test_a_meter_is_weighed_by_its_own_requests(home: Any, message: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """GLM's week rises by a point for ten of its requests; Claude's, which stand beside them, do not move it."""
    first = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=9)
    rows, readings, used = [], list[MeterReading](), 0
    for at, points in ((first + timedelta(days=day, hours=hour), 1 + day % 3) for day in range(7) for hour in (0, 2)):
        for when, value in ((at, used), (at + timedelta(minutes=50), used + points)):
            readings.append(MeterReading("glm", "weekly", None, "alias", when, when, value, first + timedelta(days=9)))
        used += points
        for name, count in (("glm", 10 * points), ("claude", 25)):
            times = (at + timedelta(minutes=5 + minute) for minute in range(count))
            rows += [message(f"{name}{when}", model=MODELS[name][0], timestamp=when.isoformat()) for when in times]
    (home.projects / "s1.jsonl").write_text("".join(rows))
    ask = Registry.first
    monkeypatch.setattr(
        Registry,
        "first",
        lambda self, hook, **given: readings if hook == "meter_readings" else ask(self, hook, **given),
    )
    done = home.run("--json", "meters", "calibrate", "--provider", "glm", "--meter", "weekly")
    [found] = json.loads(done.stdout)
    cost = home.usage("--provider", "glm")["totals"]
    assert found["why_not"] == []
    assert found["points_per"]["dollars"] == pytest.approx([cost["requests"] / 10 / cost["cost_usd"]] * 3)


def test_the_log_of_a_source_that_reads_no_lines_is_left_alone() -> None:
    """A provider's plugin may list all origins that its vendor has."""
    log = LogOrigin(name="log", title="Log", folder="~/.toy", pattern="*.jsonl")
    meters = (Meter(key="weekly", title="Weekly"),)
    pane = StatusSource(contract="1.2", name="toy", title="Toy", meters=meters, origins=(log,)).as_source()
    lines = TelemetrySource(contract="1.2", name="toy-log", title="Toy", stream="toy_log", origins=(log,)).as_source()
    registry = SimpleNamespace(sources={one.name: one for one in (pane, lines)})
    assert log_sources(cast(Session, SimpleNamespace(registry=registry))) == [lines]
