"""What routing costs or saves: the CSV, its totals, the money and the marks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Source
from tracker.kernel import Session, TrackerError
from tracker_telemetry.costs import Costs, Side, money_line
from tracker_telemetry.prices import parse
from tracker_telemetry.sessions import genai
from tracker_telemetry.sessions.list_prices import ListPrices

ROOT = Path(__file__).parents[3]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
EVENTS = [
    {"rid": "F-1", "lane": "zai", "model": "glm-4.6", "status": 200, "input_tokens": 900, "output_tokens": 100},
    {
        "rid": "F-1",
        "lane": "base",
        "model": "claude-sonnet-4-5",
        "status": 200,
        "input_tokens": 500,
        "output_tokens": 50,
    },
    {
        "rid": "F-2",
        "lane": "base",
        "model": "claude-sonnet-4-5",
        "status": 500,
        "input_tokens": 2000,
        "output_tokens": 0,
    },
    {"rid": "=F", "lane": "zai", "model": "glm-4.6", "status": 200, "input_tokens": 20, "output_tokens": 5},
]
CSV = """\
rid,baseline_tokens,glm_tokens,delta_glm_minus_base
F-1,550,1000,450
F-2,2000,0,-2000
'=F,0,25,25
# totals baseline=2550 glm=1025 glm_share=28.7%
"""


def log(*events: dict[str, Any]) -> str:
    days = (f"2026-01-1{at % 2}T08:00:00Z" for at in range(len(events)))
    return "".join(json.dumps({"ts": day} | event) + "\n" for day, event in zip(days, events, strict=True))


@pytest.fixture
def stored(tracker_inside: Run) -> Run:
    done = tracker_inside("ingest", "proxy-telemetry", "--window", "W0-CHN", "--stdin", stdin=log(*EVENTS))
    assert done.returncode == 0, done.stderr
    return tracker_inside


def test_rids_of_both_sides_come_first_then_the_largest_difference(stored: Run) -> None:
    assert stored("cost-compare", "--window", "W0-CHN").stdout == CSV
    assert stored("cost-compare").stdout == CSV


def test_only_the_first_rows_but_the_totals_of_all(stored: Run) -> None:
    shown = stored("cost-compare", "--top", "1").stdout.splitlines()
    assert shown[1:] == [CSV.splitlines()[1], CSV.splitlines()[-1]]


@pytest.mark.parametrize("by", ["rid", "model", "lane", "day"])
def test_the_first_rows_as_json_are_those_of_all(stored: Run, by: str) -> None:
    every, first = (
        json.loads(stored("--json", "cost-compare", "--by", by, *more).stdout) for more in ((), ("--top", "1"))
    )
    assert first == every | {"rows": every["rows"][:1]}


def test_writes_that_stay_for_an_hour_cost_twice_the_input(tracker_inside: Run) -> None:
    event = {"ts": 1795331470, "rid": "F-1", "model": "claude-sonnet-4-5", "status": "ok", "input_tokens": 0}
    counts = {"output_tokens": 0, "cache_write_tokens": 100_000, "cache_write_1h_tokens": 100_000}
    tracker_inside("ingest", "proxy-telemetry", "--window", "W0-01", "--stdin", stdin=log(event | counts))
    for more, stdin in ((), ""), (("--file", "-"), log(event | counts)):
        found = json.loads(tracker_inside("--json", "cost-compare", *more, stdin=stdin).stdout)
        assert found["totals"]["baseline_usd"] == pytest.approx((3.75 + 6) / 10)


def test_a_log_that_is_not_stored(tracker_inside: Run, tmp_path: Path) -> None:
    assert tracker_inside("cost-compare", "--file", "-", stdin=log(*EVENTS) + "nonsense\n").stdout == CSV
    (tmp_path / "usage.jsonl").write_text(log(*EVENTS))
    assert tracker_inside("cost-compare", "--file", "usage.jsonl").stdout == CSV
    assert not (tmp_path / "data").exists()
    for command in (("cost-compare",), ("ingest", "proxy-telemetry", "--window", "W1")):
        for name, tool in (("usage.jsonl.1.gz", "zcat"), ("usage 2.zst", "zstdcat")):
            packed = tracker_inside(*command, "--file", name)  # whether or not it is there
            cure = f"Unpack or pipe it: `{tool} '{name}' | ...`."
            said = f"error: {name} is compressed. Expected a log as text. {cure}\n"
            assert (packed.returncode, packed.stderr) == (1, said)
    missing = tracker_inside("cost-compare", "--file", "nope.jsonl")
    assert (missing.returncode, "error: cannot read nope.jsonl" in missing.stderr) == (1, True)


def test_without_a_proxys_source_it_says_that_none_is_in_use(tracker_inside: Run) -> None:
    """Session logs are telemetry, too, and what is disabled is installed."""
    refused = tracker_inside("cost-compare", TRACKER_DISABLE_PLUGINS="tracker-proxy")
    said = "No proxy's stream is in use. Install tracker-proxy, or unset TRACKER_DISABLE_PLUGINS."
    assert (refused.returncode, said in refused.stderr) == (1, True)
    listed = tracker_inside("plugins", "list", TRACKER_DISABLE_PLUGINS="tracker-proxy")
    assert "TRACKER_DISABLE_PLUGINS leaves out proxy-telemetry (tracker-proxy)" in listed.stderr


def test_the_script_prints_the_same(stored: Run, tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "scripts" / "tools" / "proxy_cost_compare.py"), "--data-dir", "data"]
    assert subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == CSV


def test_money_at_list_prices(stored: Run) -> None:
    found = json.loads(stored("cost-compare", "--json").stdout)
    sonnet, cheap = (3.0, 15.0), (0.6, 2.2)
    first = found["rows"][0]
    assert first["side"] == "both"
    assert first["baseline_usd"] == pytest.approx((500 * sonnet[0] + 50 * sonnet[1]) / 1e6)
    assert first["glm_usd"] == pytest.approx((900 * cheap[0] + 100 * cheap[1]) / 1e6)
    assert first["saved_usd"] == pytest.approx((900 * sonnet[0] + 100 * sonnet[1]) / 1e6 - first["glm_usd"])
    assert [row["side"] for row in found["rows"]] == ["both", "baseline", "glm"]
    assert found["unpriced_models"] == []
    assert found["totals"]["saved_usd"] == pytest.approx(sum(row["saved_usd"] for row in found["rows"]))
    assert found["prices"]["as_of"]
    glm = found["totals"]["glm_usd"]
    assert 0 < glm < 0.005
    # each with the digits of the smallest
    amounts = [f"{name} ${found['totals'][f'{name}_usd']:.5f}".rstrip("0") for name in ("baseline", "glm", "saved")]
    assert ", ".join(amounts) in stored("cost-compare").stderr


def test_a_model_without_a_price_is_named_and_never_counted_as_nothing(tracker_cli: Run, tmp_path: Path) -> None:
    many = {"rid": "F-8", "lane": "zai", "model": "glm-4.6", "input_tokens": 10**7, "output_tokens": 10**6}
    text = log(
        *EVENTS, many, {"rid": "F-9", "lane": "base", "model": "house-model", "input_tokens": 7, "output_tokens": 1}
    )
    done = tracker_cli("cost-compare", "--file", "-", "--json", stdin=text)
    found = json.loads(done.stdout)
    assert found["unpriced_models"] == ["house-model"]
    assert found["totals"]["baseline_usd"] is None
    assert found["totals"]["glm_usd"] > 0
    said = tracker_cli("cost-compare", "--file", "-", stdin=text)
    totals = {name: found["totals"][f"{name}_usd"] for name in ("glm", "saved")}
    amounts = f"baseline n/a, glm ${totals['glm']:.2f}, saved ${totals['saved']:.2f}"
    assert said.stderr == f"note: at list prices of {found['prices']['as_of']}: {amounts}; no price for house-model\n"
    listed = log(
        {"rid": "F-9", "lane": "base", "model": "claude-opus-4-6", "input_tokens": 10**6, "output_tokens": 10**6}
    )
    other = json.loads(tracker_cli("cost-compare", "--file", "-", "--json", stdin=listed).stdout)
    assert other["totals"]["baseline_usd"] == pytest.approx(5 + 25)  # as genai-prices has it
    assert other["prices"] == {"as_of": genai.version(), "source": "genai-prices"}
    own = tmp_path / "config" / "tracker" / "prices.toml"
    own.parent.mkdir(parents=True)
    own.write_text('as_of = 2099-02-03\n[[model]]\nname = "house-model"\ninput = 1.0\noutput = 2.0\n')
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    priced = json.loads(tracker_cli("cost-compare", "--file", "-", "--json", stdin=text, **home).stdout)
    assert priced["unpriced_models"] == []
    bundled = found["prices"]
    for name, more in (("as_of", "2099-02-03"), ("source", "your prices.toml")):
        assert {*priced["prices"][name].split(", ")} == {*bundled[name].split(", "), more}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[model]]\nname = "house"\ninput = 1\noutput = 2\ncached_read = 0.1\n', "Did you mean cache_read?"),
        ('token = 1000\n[[model]]\nname = "house"\ninput = 1\noutput = 2\n', "Did you mean tokens?"),
    ],
)
def test_a_slip_in_a_table_of_ones_own_is_refused(text: str, said: str) -> None:
    """It was passed over, and the money was another. A third party's table may have more keys."""
    with pytest.raises(TrackerError, match=re.escape(said)):
        parse(text, "prices.toml", "your prices.toml")
    assert len(parse(text, "prices.toml of acme").entries) == 1


@pytest.mark.parametrize(("name", "saved"), [(None, None), ("house-x", None), ("claude-sonnet-4-5", 0.0045 - 0.00082)])
def test_what_was_saved_is_not_known_without_the_baselines_price(
    tracker_inside: Run, tmp_path: Path, name: str | None, saved: float | None
) -> None:
    own = {"rid": "a", "input_tokens": 1000, "output_tokens": 100}
    (tmp_path / "log.jsonl").write_text(log({**own, "model": name}, {**own, "model": "glm-4.6"}))
    totals = json.loads(tracker_inside("--json", "cost-compare", "--file", "log.jsonl").stdout)["totals"]
    assert totals["saved_usd"] == pytest.approx(saved)
    assert totals["glm_usd"] > 0


def test_the_bundled_table_may_be_ones_own() -> None:
    text = (files("tracker_proxy") / "prices.toml").read_text(encoding="utf-8")
    assert parse(text, "prices.toml", "your prices.toml") == parse(text, "prices.toml of proxy-telemetry")


def test_each_request_has_the_price_of_its_day(tracker_inside: Run) -> None:
    """That of o3 fell on 10 June 2025. What is saved follows the baseline's price from day to day, too."""
    days = ["2025-06-09T23:59:59Z", "2025-06-10T00:00:00Z", "9999-12-31T23:59:59Z"]
    requests = [{"ts": ts, "model": "o3", "input_tokens": 10**6, "output_tokens": 10**6} for ts in days]
    text = log(*(one | {"rid": "F-9", "lane": "base"} for one in requests))
    found = json.loads(tracker_inside("cost-compare", "--file", "-", "--by", "day", "--json", stdin=text).stdout)
    table = ListPrices(None, "none")
    times = [datetime.fromisoformat(day).timestamp() for day in days]
    usage = [table.cost("o3", at, None, (10**6, 0, 0, 0, 10**6)) or 0 for at in times]
    assert [row["baseline_usd"] for row in sorted(found["rows"], key=lambda row: row["day"])] == pytest.approx(usage)
    assert usage[0] > usage[1] > 0
    assert found["totals"]["baseline_usd"] == pytest.approx(sum(usage))
    assert found["totals"]["saved_usd"] == 0


def test_each_request_has_its_day_however_its_time_is_written(tracker_inside: Run, tmp_path: Path) -> None:
    times = ["2026-11-01T23:30:00.1Z", "2026-11-01 23:30:00,123", "20261101T233000Z", "2026-W44-7T23:30:00Z"]
    own = {"model": "glm-4.6", "input_tokens": 10, "output_tokens": 1}
    text = "".join(json.dumps({"ts": at, "rid": f"F-{nth}", **own}) + "\n" for nth, at in enumerate(times))
    tracker_inside("ingest", "proxy-telemetry", "--window", "W1", "--stdin", stdin=text)
    stream = tmp_path / "data" / "proxy_telemetry.jsonl"
    [first, *_] = stream.read_text().splitlines()
    old = json.loads(first) | {"ts": times[1], "record_id": "0" * 32}  # as older versions stored it
    stream.write_text(stream.read_text() + json.dumps(old) + "\n")
    [row] = json.loads(tracker_inside("--json", "cost-compare", "--by", "day").stdout)["rows"]
    assert (row["day"], row["glm_tokens"]) == ("2026-11-01", 5 * 11)


def test_each_request_has_the_price_of_its_hour(tracker_inside: Run) -> None:
    """Where the list has hours, as `usage` has it; what is saved follows the baseline's price, too."""
    hours = {"2026-01-10T02:00:00Z": 1.37, "2026-01-10T16:29:59Z": 1.37, "2026-01-10T16:30:00Z": 0.685}
    used = {"input_tokens": 10**6, "output_tokens": 10**6}
    text = log(
        *({"ts": ts, "rid": ts, "lane": "base", "model": "deepseek-chat", **used} for ts in hours),
        {"ts": "2026-01-10T23:00:00Z", "rid": "routed", "lane": "zai", "model": "glm-4.6", **used},
    )
    tracker_inside("ingest", "proxy-telemetry", "--window", "W0-01", "--stdin", stdin=text)
    for more, stdin in ((("--file", "-"), text), (("--window", "W0-01"), ""), (("--by", "day"), "")):
        found = json.loads(tracker_inside("cost-compare", "--json", *more, stdin=stdin).stdout)
        assert found["totals"]["baseline_usd"] == pytest.approx(sum(hours.values()))
        assert found["totals"]["saved_usd"] == pytest.approx(0.685 - found["totals"]["glm_usd"])
        assert sum(row["baseline_usd"] for row in found["rows"]) == pytest.approx(sum(hours.values()))
    assert genai.version() in found["prices"]["as_of"]
    undated = log({"ts": None, "rid": "F-9", "lane": "base", "model": "deepseek-chat", **used})
    found = json.loads(tracker_inside("cost-compare", "--json", "--file", "-", stdin=undated).stdout)
    assert found["totals"]["baseline_usd"] == pytest.approx(1.37)  # of noon


@pytest.mark.parametrize(
    ("by", "keys"),
    [("model", {"glm-4.6", "claude-sonnet-4-5"}), ("lane", {"zai", "base"}), ("day", {"2026-01-10", "2026-01-11"})],
)
def test_by_something_else(stored: Run, by: str, keys: set[str]) -> None:
    found = json.loads(stored("cost-compare", "--by", by, "--json").stdout)
    assert {row[by] for row in found["rows"]} == keys
    assert found["totals"]["baseline_tokens"] == 2550


def test_lines_of_another_program_are_compared_too(tracker_inside: Run) -> None:
    line = {
        "id": "x", "litellm_call_id": "c", "trace_id": "t", "call_type": "completion", "status": "success",
        "startTime": 1795331470.0, "endTime": 1795331471.0, "model": "claude-sonnet-4-5", "request_tags": ["lane:b"],
        "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
    }  # fmt: skip
    assert "t,30,0,-30" in tracker_inside("cost-compare", "--file", "-", stdin=json.dumps(line) + "\n").stdout


def test_a_mistyped_window_and_two_inputs_are_refused(stored: Run) -> None:
    wrong = stored("cost-compare", "--window", "W0-CHM")
    assert (wrong.returncode, "Did you mean W0-CHN?" in wrong.stderr) == (1, True)
    both = stored("cost-compare", "--window", "W0-CHN", "--file", "-")
    assert (both.returncode, "--window and --file exclude each other" in both.stderr) == (2, True)


def test_the_prices_on_the_page_are_read() -> None:
    page = (ROOT / "docs" / "reference" / "telemetry.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```toml\n(.*?)^```$", page, flags=re.M | re.S)
    table = parse(example, "prices.toml")
    found = table.found("house-model-20260110")
    assert found is not None
    assert found[0] == pytest.approx((1e-6, 1e-7, 1.25e-6, 2e-6, 4e-6))
    assert table.found("house-model-mini") is None


def test_without_a_stream_it_says_what_is_missing(tracker_inside: Run, tmp_path: Path) -> None:
    for make in (False, True):
        if make:
            (tmp_path / "data").mkdir()
        done = tracker_inside("cost-compare")
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(
            r"error: No events of proxy-telemetry are stored in .*\. Store a log with `tracker ingest proxy-telemetry"
            r" --window W0-01 --file PATH`, or give --file PATH here\.\n",
            done.stderr,
        )


def test_a_price_of_ones_own_means_the_same_to_streams_and_session_logs() -> None:
    """A cache write costs 1.25 times the input if the table does not say; a read costs the input."""
    table = parse('[[model]]\nname = "house"\ninput = 4\noutput = 8\n', "prices.toml")
    own = ListPrices(table, "own")
    side = Side(used={("house", None, 0): (1_000_000, 1_000_000, 1_000_000, 1_000_000, 0)})
    assert side.money(own) == pytest.approx(4 + 4 + 5 + 8)
    assert own.units("house", None) == pytest.approx((4e-6, 4e-6, 5e-6, 8e-6, 8e-6))


def test_money_is_the_same_in_whichever_order_groups_come() -> None:
    """Two runs disagreed in the last digit: 0.8641989999999999, and 0.864199."""
    sizes = (1, 2, 4)
    text = "".join(f'[[model]]\nname = "m{at}"\ninput = {at}\noutput = {at}\n' for at in sizes)
    table = ListPrices(parse(text, "here"), "")
    groups = {(f"m{at}", None, 0): (123_457, 0, 0, 0, 0) for at in sizes}
    assert {Side(used=dict(one)).money(table) for one in permutations(groups.items())} == {0.864199}


def test_a_source_that_declares_no_prices_has_those_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(contract="1.0", name="toy", title="Toy", kind="telemetry", stream="toy", routed_label="cheap")
    side = Side(used={("claude-sonnet-4-5", None, 0): (10**6, 0, 0, 0, 0)})
    for is_installed, said in ((True, rf"{genai.version()}: baseline \$3.00"), (False, "no table: baseline n/a")):
        monkeypatch.setattr(genai, "is_installed", lambda is_installed=is_installed: is_installed)
        prices = ListPrices.of_source(Session(), source)
        assert re.match(
            f"note: at list prices of {said}, ", money_line(Costs(label="cheap", sides=(side, Side()), prices=prices))
        )
        assert (prices.used()["as_of"] is None) is not is_installed


def test_the_name_of_a_model_without_a_price_stays_in_its_line() -> None:
    side = Side(used={("house\ntotals baseline=1", None, 0): (1, 0, 0, 0, 0)})
    found = money_line(Costs(label="glm", sides=(side, Side()), prices=ListPrices.of_user()))
    assert found.endswith(r"; no price for house\ntotals baseline=1")


@pytest.mark.parametrize(("model", "start"), [("claude-sonnet-4-5", 200_000), ("gpt-5.5", 272_000)])
def test_a_long_context_has_its_own_price_as_in_usage(tracker_inside: Run, model: str, start: int) -> None:
    table, day = ListPrices(None, "none"), "2026-11-20T10:00:00Z"
    at = datetime.fromisoformat(day).timestamp()
    tokens = {
        f"F-{size}-{read}": (size - read, read, 0, 0, 500)
        for size in (1000, 200_000, 200_001, 272_000, 272_001, 600_000)
        for read in (0, 900)
    }
    names = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
    text = log(
        *(
            {"ts": day, "rid": rid, "lane": "base", "model": model, **dict(zip(names, one, strict=True))}
            for rid, one in tokens.items()
        )
    )
    usage = {rid: table.cost(model, at, None, one) or 0 for rid, one in tokens.items()}
    tracker_inside("ingest", "proxy-telemetry", "--window", "W0-01", "--stdin", stdin=text)
    for more, stdin in ((("--file", "-"), text), (("--window", "W0-01"), "")):
        found = json.loads(tracker_inside("cost-compare", "--json", *more, stdin=stdin).stdout)
        assert {row["rid"]: row["baseline_usd"] for row in found["rows"]} == pytest.approx(usage)
        assert found["totals"]["baseline_usd"] == pytest.approx(sum(usage.values()))
    assert genai.version() in found["prices"]["as_of"]
    assert usage[f"F-{start + 1}-0"] > 1.5 * usage[f"F-{start}-0"]


def test_requests_without_a_count_of_tokens_are_not_free(tracker_inside: Run) -> None:
    """As where a proxy writes counts under other names: nothing that they are part of is known."""
    other = {"rid": "F-9", "lane": "zai", "model": "glm-4.6", "status": 200, "prompt_tokens": 900}
    failed = {"rid": "F-8", "lane": "base", "model": "claude-sonnet-4-5", "status": 500}
    text = log(*EVENTS, other, failed)
    done = tracker_inside("ingest", "proxy-telemetry", "--window", "W1", "--stdin", stdin=text)
    assert (
        "note: 1 new event is tagged tokens:missing (The line has no input_tokens and no output_tokens, " in done.stderr
    )
    for more, stdin in ((("--file", "-"), text), (("--window", "W1"), "")):
        found = json.loads(tracker_inside("cost-compare", "--json", *more, stdin=stdin).stdout)
        money = ("baseline_usd", "glm_usd", "saved_usd")
        assert [found["totals"][name] is None for name in money] == [False, True, True]
        assert {row["rid"]: row["glm_usd"] is None for row in found["rows"]}["F-9"]
        assert (found["uncounted_requests"], found["totals"]["glm_tokens"]) == (1, 1025)
        said = tracker_inside("cost-compare", *more, stdin=stdin).stderr
        assert said.endswith("saved n/a; 1 request succeeded without token counts, so the tokens are a minimum\n")
    report = tracker_inside("report", "--format", "md").stdout
    assert "what went to a cheaper model is not known, since 1 request succeeded without a count of tokens." in report


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_no_date_has_is_none(tracker_inside: Run, tmp_path: Path, at: str) -> None:
    """As a hand or another program may write it into the journal."""
    tracker_inside("ingest", "proxy-telemetry", "--window", "W1", "--stdin", stdin=log(*EVENTS[:2]))
    [stream] = (tmp_path / "data").glob("proxy_telemetry*.jsonl")
    stream.write_text(stream.read_text().replace("2026-01-10T08:00:00Z", at))
    for command in (("cost-compare", "--window", "W1"), ("preview",), ("windows",)):
        done = tracker_inside(*command)
        assert done.returncode == 0, done.stderr
    assert "# totals baseline=550 glm=1000" in tracker_inside("cost-compare", "--window", "W1").stdout
