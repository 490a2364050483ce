"""Which names of models have a list price, at which speed, and what has none is named."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tracker_telemetry import prices
from tracker_telemetry.sessions import genai, store
from tracker_telemetry.sessions.list_prices import ListPrices

Make = Callable[..., str]
AT = datetime(2026, 11, 20, tzinfo=UTC)
HOUSE = """
[[model]]
prefix = "house"
input = 1
output = 4
[[model]]
prefix = "house"
speed = "fast"
input = 3
output = 12
[[model]]
name = "claude-opus-4-8"
speed = "standard"
input = 2
output = 8
"""


def clauses(match: Any) -> Iterator[Any]:
    for clause in getattr(match, "or_", None) or getattr(match, "and_", None) or ():
        yield from clauses(clause)
    yield match


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's own prices are, once they are written there."""
    path = tmp_path / "prices.toml"
    monkeypatch.setattr(prices, "user_file", lambda: path)
    return path


def test_a_home_that_is_no_folder_has_no_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users of services have /dev/null for one."""
    monkeypatch.setattr(prices, "user_file", lambda: Path("/dev/null/.config/tracker/prices.toml"))
    assert prices.own_table() is None


@pytest.fixture(scope="module")
def spelled() -> dict[str, list[Any]]:
    """Every name that the bundled table spells out, with and without a date, and the prices of the models called so."""
    from genai_prices.data import providers

    found: dict[str, list[Any]] = defaultdict(list)
    for model in (model for provider in providers for model in provider.models):
        names = {model.id, *(clause.equals for clause in clauses(model.match) if hasattr(clause, "equals"))}
        for name in {name.lower().rpartition("/")[2] for name in names}:
            for called in {name, genai.SNAPSHOT.sub("", name)}:
                found[called].append(model.get_prices(AT))
    return found


def fits(name: str, spelled: dict[str, list[Any]]) -> bool:
    """Whether a name has no price, or that of a model that the table calls so, a snapshot's date aside."""
    found = genai.price(name, AT)
    return found is None or found.table in spelled.get(name, []) + spelled.get(genai.SNAPSHOT.sub("", name), [])


def test_names_that_the_table_spells_out_have_the_price_of_their_model(spelled: dict[str, list[Any]]) -> None:
    assert [name for name in spelled if not fits(name, spelled)] == []
    taken = {name for name in spelled if genai.price(name, AT)}
    assert len(taken) > 500  # the others are of providers that are known by an address alone
    codex = {"gpt-5-codex", "gpt-5.1-codex", "gpt-5.1-codex-max", "gpt-5.2-codex", "gpt-5.5-codex"}
    assert codex | {"claude-sonnet-4", "claude-opus-4", "claude-3-5-haiku"} <= taken


def test_a_name_that_only_begins_like_another_has_no_price(spelled: dict[str, list[Any]]) -> None:
    longer = {f"{name}{more}" for name in spelled for more in ("-house", "-mini", "x", "-2", "-20260101-house")}
    assert [name for name in sorted(longer - spelled.keys()) if genai.price(name, AT)] == []


def test_a_snapshot_has_the_price_of_its_model(spelled: dict[str, list[Any]]) -> None:
    undated = [name for name in spelled if not genai.SNAPSHOT.search(name)]
    dated = [f"{name}{date}" for name in undated for date in ("-20260101", "-2026-01-01", "@20260101")]
    assert [name for name in dated if not fits(name, spelled)] == []
    for name in ("claude-sonnet-4-20250514", "claude-opus-4-20250514", "gpt-5.5-codex-2026-05-01"):
        assert genai.price(name, AT) is not None


@pytest.mark.parametrize(
    ("model", "day", "speed", "dollars"),
    [
        ("claude-opus-4-8", 20, None, 5), ("claude-opus-4-8", 20, "fast", 10),
        ("claude-opus-4-6", 20, None, 5), ("claude-opus-4-6", 20, "fast", None),
        ("gpt-5.5", 1, None, 5), ("gpt-5.5", 1, "priority", None), ("gpt-5.5", 12, "priority", 12.5),
        ("gpt-5.5", 12, "flex", 2.5), ("gpt-5.5", 12, "slower", None),
        # of Z.ai's list, not of the Chinese one; and what only that one has
        ("glm-4.7", 20, None, 0.6), ("glm-4.6", 20, None, 0.6), ("z-ai/glm-4.5-air", 20, None, 0.2),
        ("glm-5-turbo", 20, None, 0.69),
        # which do not begin as OpenAI's models usually do
        ("codex-mini-latest", 20, None, 1.5), ("codex-mini", 20, None, 1.5), ("chatgpt-4o-latest", 20, None, 5),
        *(("claude-opus-4-6", 20, usual, 5) for usual in ("", "standard", "default", "auto")),
    ],
)  # fmt: skip
def test_a_speed_without_a_price_of_its_own_has_none(
    model: str, day: int, speed: str | None, dollars: float | None
) -> None:
    units = ListPrices(None, "").units(model, datetime(2026, 10, day, tzinfo=UTC).timestamp(), speed)
    assert units is dollars is None or (units is not None and units[0] * 1e6 == pytest.approx(dollars))


HOURS = [
    ("2026-11-20T00:20", 0.685),
    ("2026-11-20T02:00", 1.37),
    ("2026-11-20T16:25", 1.37),
    ("2026-11-20T17:00", 0.685),
]


def test_a_price_by_the_time_of_day_is_that_of_each_request() -> None:
    times = [datetime.fromisoformat(f"{text}Z").timestamp() for text, _ in HOURS]
    dollars = [pytest.approx(dollars) for _, dollars in HOURS]
    table, million = ListPrices(None, ""), [10**6] * len(HOURS)
    tokens, model = [million, *[[0] * len(HOURS)] * 3, million], "deepseek-chat"
    assert table.costs([model] * len(HOURS), times, [None] * len(HOURS), tokens) == dollars
    assert [table.cost(model, at, None, (10**6, 0, 0, 0, 10**6)) for at in times] == dollars
    assert [sum(units[::4]) * 1e6 for at in times if (units := table.units(model, at, None))] == dollars
    assert table.rates() == {}  # no price of the day


@pytest.mark.parametrize("is_read_between", [False, True])
def test_requests_of_a_day_have_the_price_of_their_hour(home: Any, message: Make, *, is_read_between: bool) -> None:
    log = home.projects / "s1.jsonl"
    usage = {"input_tokens": 10**6, "output_tokens": 10**6}
    log.write_text(message("a", model="deepseek-chat", usage=usage, timestamp="2026-11-20T02:00:00Z"))
    if is_read_between:
        home.usage()
    with log.open("a") as file:
        file.write(message("b", model="deepseek-chat", usage=usage, timestamp="2026-11-20T17:00:00Z"))
    assert home.usage()["totals"]["cost_usd"] == pytest.approx(2.055)


def test_a_price_without_a_time_is_that_of_most_hours() -> None:
    units = ListPrices(None, "").units("deepseek-chat", None)
    assert units is not None
    assert sum(units[::4]) * 1e6 == pytest.approx(1.37)


def test_prices_of_ones_own_are_for_one_speed() -> None:
    own = ListPrices(prices.parse(HOUSE, "prices.toml"), "")
    found = {
        (model, speed): units and round(units[0] * 1e6, 6)
        for model, speed in (("house", None), ("house-20260101", None), ("house-20260101", "fast"), ("house", "flex"),
            ("claude-opus-4-8", "standard"), ("claude-opus-4-8", "fast"), ("house-mini", None))
        for units in [own.units(model, AT.timestamp(), speed)]
    }  # fmt: skip
    assert [*found.values()] == [1, 1, 3, None, 2, None, None]


def test_what_has_no_price_for_its_speed_is_named(home: Any, message: Make, own_file: Path) -> None:
    lines = [
        message("a"), message("b", usage={"speed": "fast"}), message("c", model="house-2026-01-01"),
        message("d", model="claude-opus-4-8", usage={"speed": "fast"}),
        message("e", model="unknown-1", usage={"speed": "fast"}), message("f", model="unknown-1"),
    ]  # fmt: skip
    (home.projects / "s1.jsonl").write_text("".join(lines))

    def lacking() -> dict[str, int]:
        return {one["detail"]: one["count"] for one in home.usage()["missing"]}

    listed = {"claude-opus-4-6 at speed fast": 1, "unknown-1": 2}
    assert lacking() == {**listed, "house-2026-01-01": 1}
    own_file.write_text(HOUSE)
    for _ in range(2):  # also if nothing is new
        assert lacking() == {**listed, "claude-opus-4-8 at speed fast": 1}


def test_a_prefix_of_ones_own_fits_snapshots_in_streams_and_session_logs(
    home: Any, message: Make, own_file: Path
) -> None:
    own_file.write_text(HOUSE)
    own = prices.own_table()
    assert own is not None
    for name in ("house", "house-20260101", "house-2026-01-01", "house-mini"):
        assert (own.found(name) is not None) == (name != "house-mini")
    (home.projects / "s1.jsonl").write_text(message("a", model="house-20260101"))
    assert home.usage()["totals"]["cost_usd"] == pytest.approx(100e-6 + 50 * 4e-6)


@pytest.mark.parametrize(
    ("usage", "count", "what"),
    [
        ({"server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 0}}, 3, "web searches"),
        ({"inference_geo": "us"}, 1, "surcharges for inference in the US (10%)"),
    ],
)
def test_what_the_money_leaves_out_is_said_once_for_a_message(
    home: Any, message: Make, usage: dict[str, Any], count: int, what: str
) -> None:
    (home.projects / "s1.jsonl").write_text(message("a", usage=usage) + message("b"))
    said = home.run("usage").stderr
    assert f"missing: the money leaves out {count} {what} of Claude Code sessions\n" in said
    assert home.missing() == {"extras": count}
    # a resumed session and a subagent's replay show them again
    (home.projects / "s2.jsonl").write_text(message("a", usage=usage, sessionId="s2") + message("c", sessionId="s2"))
    (home.projects / "agent.jsonl").write_text(message("a", usage=usage, requestId="r", isSidechain=True))
    assert home.missing() == {"extras": count}


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_a_price_of_ones_own_counts_for_what_deleted_files_held(
    home: Any, message: Make, own_file: Path, *, is_rebuilt: bool
) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", model="house") + message("b", model="unknown-1"))
    (home.projects / "s2.jsonl").write_text(message("c", sessionId="s2"))

    def costs() -> dict[str, float | None]:
        return {row["model"]: row["cost_usd"] for row in home.usage("model")["rows"]}

    first = costs()
    assert (first["house"], first["unknown-1"]) == (None, None)
    log.unlink()
    if is_rebuilt:
        shutil.rmtree(home.data / ".index")
    assert costs() == first
    for factor in (1, 10, None, 1):  # given, changed, taken back, given again
        if factor is None:
            own_file.unlink()
        else:
            own_file.write_text(HOUSE.replace("input = 1", f"input = {factor}"))
        house = None if factor is None else pytest.approx(factor * 100e-6 + 50 * 4e-6)
        assert costs() == {**first, "house": house}
        assert costs() == {**first, "house": house}


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_a_price_of_ones_own_comes_before_what_deleted_files_were_worth(
    home: Any, message: Make, own_file: Path, *, is_rebuilt: bool
) -> None:
    """The journal keeps the money of the list, or of an earlier price of one's own."""
    log = home.projects / "s1.jsonl"
    log.write_text(message("a"))
    listed = home.usage()["totals"]["cost_usd"]
    log.unlink()
    if is_rebuilt:
        shutil.rmtree(home.data / ".index")
    for factor in (1, 10):
        own_file.write_text(HOUSE.replace("house", "claude-opus-4-6").replace("input = 1", f"input = {factor}"))
        assert home.usage()["totals"]["cost_usd"] == pytest.approx(factor * 100e-6 + 50 * 4e-6)
    own_file.unlink()
    assert home.usage()["totals"]["cost_usd"] == listed


@pytest.mark.parametrize("is_of_an_older_version", [False, True])
def test_money_that_leaves_requests_out_says_so_of_deleted_files(
    home: Any, message: Make, *, is_of_an_older_version: bool
) -> None:
    log, stream = home.projects / "s1.jsonl", home.data / "claude_sessions.jsonl"
    log.write_text(message("a") + message("b", minute=1, usage={"speed": "fast"}))
    figures = ("requests", "cost_usd", "unpriced_requests")

    def totals() -> tuple[Any, ...]:
        found = home.usage()["totals"]
        return tuple(found[name] for name in figures)

    live = totals()
    assert live[::2] == (2, 1)
    if is_of_an_older_version:
        rows = [json.loads(line) for line in stream.read_text().splitlines()]
        for row in rows:
            del row["usage"]["priced_requests"]
        stream.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    kept = log.read_text()
    log.unlink()
    shutil.rmtree(home.data / ".index")
    assert totals() == ((*live[:2], 0) if is_of_an_older_version else live)
    log.write_text(message("c", sessionId="s1", minute=2))  # adds up
    assert totals() == (3, pytest.approx(2 * live[1]), 0 if is_of_an_older_version else 1)
    log.write_text(kept + message("c", sessionId="s1", minute=2))  # comes back
    assert totals() == (3, pytest.approx(2 * live[1]), 1)


def test_a_price_of_ones_own_is_not_that_of_fast_requests_of_deleted_files(
    home: Any, message: Make, own_file: Path
) -> None:
    own_file.write_text(HOUSE)
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", model="house") + message("b", model="house", usage={"speed": "priority"}))
    live = home.usage()["totals"]
    assert (live["requests"], live["unpriced_requests"]) == (2, 1)
    log.unlink()
    for _ in range(2):
        assert home.usage()["totals"] == live
        shutil.rmtree(home.data / ".index")


@pytest.mark.parametrize("is_of_an_older_version", [False, True])
def test_a_day_of_fast_requests_alone_keeps_its_price(
    home: Any, message: Make, own_file: Path, *, is_of_an_older_version: bool
) -> None:
    """The journal says at which speed the requests of a total were made; older versions did not."""
    log, stream = home.projects / "s1.jsonl", home.data / "claude_sessions.jsonl"
    one, fast = {"input_tokens": 100, "output_tokens": 50}, {"speed": "fast"}
    models = {"claude-opus-4-8": fast, "house": fast, "house-1": fast, "claude-opus-4-6": {}}
    log.write_text("".join(message(name, model=name, usage=one | speed) for name, speed in models.items()))
    listed = {row["model"]: row["cost_usd"] for row in home.usage("model")["rows"]}
    assert (listed["claude-opus-4-8"], listed["house"]) == (pytest.approx(2 * listed["claude-opus-4-6"]), None)
    if is_of_an_older_version:
        rows = [json.loads(line) for line in stream.read_text().splitlines()]
        assert sorted(row["usage"].pop("speed") for row in rows) == ["fast", "fast", "fast", "standard"]
        stream.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    log.unlink()
    shutil.rmtree(home.data / ".index")
    own_file.write_text(HOUSE + HOUSE.replace("claude-opus-4-8", "claude-opus-4-6").replace("house", "other"))
    own = {"claude-opus-4-8": listed["claude-opus-4-8"], "house": 900e-6, "claude-opus-4-6": 600e-6, "house-1": None}
    if is_of_an_older_version:
        own |= {"claude-opus-4-8": 600e-6, "house": 300e-6}
    for _ in range(2):
        found = {row["model"]: row["cost_usd"] for row in home.usage("model")["rows"]}
        assert found == {name: usd and pytest.approx(usd) for name, usd in own.items()}


def test_what_the_journal_got_where_a_model_had_no_price_has_that_of_the_list(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine has no list prices. Of tiers, and of two speeds, it is not known which was which request's."""
    log = home.projects / "s1.jsonl"
    names = "claude-opus-4-6", "claude-opus-4-8", "claude-sonnet-4-5", "house"
    fast = message("f", model="claude-opus-4-8", usage={"speed": "fast"})
    log.write_text("".join(message(name, model=name) for name in names) + fast)
    listed = {one["model"]: one["cost_usd"] for one in home.usage("model")["rows"]}
    shutil.rmtree(home.data)
    with monkeypatch.context() as patched:
        patched.setattr(genai, "is_installed", lambda: False)
        assert home.usage()["totals"]["unpriced_requests"] == 5
    log.unlink()
    shutil.rmtree(home.data / ".index")
    found = home.usage("model")
    assert {one["model"]: one["cost_usd"] for one in found["rows"]} == {
        **dict.fromkeys(names),
        names[0]: listed[names[0]],
    }
    lacking = [one["detail"] for one in found["missing"] if one["kind"] == "unpriced"]
    assert lacking == [*(f"{name} with only daily totals left" for name in names[1:3]), "house"]


def test_no_price_is_asked_of_the_user_for_requests_without_a_model(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a", model=""))
    said = home.run("usage").stderr
    assert said == "missing: no price can be known for 1 request without a model name\n"


def test_a_request_has_the_price_of_its_length() -> None:
    """Those that cannot be long ones are not asked for one by one: the table gives the same for them."""
    from genai_prices import Usage, calc_price

    price = genai.price("gpt-5.5", AT)
    assert price is not None
    for plain in (0, 1, 100_000, 271_999, 272_000, 272_001, 1_000_000):
        usage = Usage(input_tokens=plain + 1000, cache_read_tokens=1000, output_tokens=500)
        listed = calc_price(usage, model_ref="gpt-5.5", genai_request_timestamp=AT).total_price
        assert price.of((plain, 1000, 0, 0, 500)) == pytest.approx(float(listed), rel=1e-12), plain


def test_cache_reads_of_a_long_context_have_its_rate() -> None:
    """The rest of the money was taken for fresh tokens, so that the meters found a rate of cache reads below zero."""
    table, model, at = ListPrices(None, ""), "claude-sonnet-4-5", AT.timestamp()
    for read in (100_000, 300_000):
        tokens = (0, read, 0, 0, 0)
        assert table.cached(model, at, None, tokens) == pytest.approx(table.cost(model, at, None, tokens))
    mixed = (50_000, 300_000, 0, 0, 1000)
    assert table.cached(model, at, None, mixed) == pytest.approx(table.cost(model, at, None, (0, 300_000, 0, 0, 0)))
    short, long = (table.cached(model, at, None, (0, one, 0, 0, 0)) or 0 for one in (100_000, 300_000))
    assert long == pytest.approx(6 * short)


def test_requests_that_are_known_get_the_price_that_is_found_by_other_rules(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", model="codex-mini-latest"))
    with monkeypatch.context() as older:
        older.setattr(genai, "VENDORS", {})
        older.setattr(store, "RULES", 1)
        assert home.usage()["totals"]["cost_usd"] is None
    log.unlink()
    assert home.usage()["totals"]["cost_usd"] == pytest.approx(100 * 1.5e-6 + 50 * 6e-6)
