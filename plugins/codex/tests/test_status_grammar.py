"""The grammar of Codex's `/status` pane, row by row: what is read, what is left out, and what is said about it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from tracker.api import Gauge
from tracker_kit.cases import together

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode imports no siblings
from panes_by_hand import boxed, pane, read, row, used

# -- percent and word


@together(
    ("text", "version", "expected"),
    [
        ("5h limit: [██░░] 11% used (resets 08:27)", "0.44.0", 11),
        ("5h limit: [██░░] 89% left (resets 08:27)", "0.169.0", 11),
        ("5h limit: 89% left", "0.169.0", 11),
        ("5h limit: [██░░] 11% used (resets 08:27)", "0.169.0", 11),  # the word decides, whatever the version
        ("5h limit: [██░░] 110% used", "0.57.0", 110),
        ("5h limit: [░░░░] 0% left", "0.169.0", 100),
        ("5h limit: [████] 100% left", "0.169.0", 0),
        ("5h limit: [░░░░] <1% used", "0.57.0", 0),
        ("5h limit: [░░░░] <1% left", "0.169.0", 100),
        ("5h limit: [████] 89.5% left", "0.169.0", 10.5),
        ("5h limit: [██░░] 11%", "0.57.0", 11),  # the word cut off: the version decides
        ("5h limit: [██░░] 89%", "0.58.0", 11),
        ("5h limit: [██░░] 89%", "1.0.0", 11),
        ("5h limit: [██░░] 11% us", "0.169.0", 11),
        ("5h limit: [██░░] 89% l", "0.44.0", 11),
        ("5h limit: [██░░] 89% (resets 08:27)", "0.94.0", None),  # no edge cut a word off where more follows
        ("5h limit: [██░░] 11%", None, None),
        ("5h limit: [██░░] 8", "0.169.0", None),
        ("5h limit: [██", "0.169.0", None),
        ("5h limit:", "0.169.0", None),
        ("5h limit: [██░░] 89% gone", "0.169.0", None),
        ("5h limit: [██░░] -3% left", "0.169.0", None),
        ("5h limit: [██░░] 1234% used", "0.57.0", None),
        ("5h limit: 110% left", "0.169.0", None),
    ],
)
def test_percent(text: str, version: str | None, expected: float | None) -> None:
    gauge = row(f"  {text}", version=version)
    assert (gauge.meter, gauge.used) == ("fiveh", expected)


@together(
    ("label", "meter"),
    [
        ("5h limit", "fiveh"),
        ("Weekly limit", "weekly"),
        ("Daily limit", "daily"),
        ("Monthly limit", "monthly"),
        ("Annual limit", "annual"),
        ("Usage limit", "usage"),
        ("Secondary usage limit", "secondary_usage"),
        ("Monthly credit limit", "monthly_credit"),
        ("Daily", "daily"),
        ("12h limit", "bucket_12h"),  # unknown labels stay what they say
        ("Bi-Weekly limit", "bi_weekly"),
        ("SemiWeekly limit", "semiweekly"),
        ("weekly limit", "weekly_limit"),
    ],
)
def test_label(label: str, meter: str) -> None:
    expected = {meter: 11.0} if label != "weekly limit" else {"bucket_weekly": 11.0}
    assert used(read(pane(f"  {label}:   [███░] 89% left (resets 08:27)"))) == expected


@together(
    "line",
    [
        "  Context window:  100% left (1.27K used / 272K)",
        "  100% context left",
        "  5h 89% left · weekly 36% left",
        "  gpt-5 default · 5h 89% · weekly 36%",
        "⚠ Heads up, you've used over 75% of your weekly limit. Run /status for a breakdown.",
        "⚠ Heads up, you have less than 25% of your weekly limit left. Run /status for a breakdown.",
        "  34% of your usage came from subagents",
        "  Context low (8% remaining)",
        "  I have used 5% of the rate limit: 95% left",
        "  Weekly limits (all models): 3% used",
    ],
)
def test_look_alikes_are_no_meters(line: str) -> None:
    assert used(read(pane(line))) == {}
    assert used(read(line)) == {}
    assert read(pane(line)).errors == ("insufficient-data",)
    assert used(read(pane("  Weekly limit:  36% left (resets 06:27 on 25 Nov)", line))) == {"weekly": 64}


def test_plain_text_of_0_40() -> None:
    text = """/status
👤 Account
  • Login: dev@example.com
  • Plan: Pro

💻 Client
  • CLI Version: 0.40.0

⏱️ Usage Limits
  • 5h limit    : [██                  ] 11% used
  • Weekly limit: [█████████████       ] 64% used

▌ Improve documentation in @filename
"""
    reading = read(text)
    assert used(reading) == {"fiveh": 11, "weekly": 64}
    assert [gauge.resets for gauge in reading.gauges] == [None, None]
    assert reading.fields == {"version": "0.40.0", "account": "d***@example.com", "plan": "Pro"}
    assert reading.errors == ()


# -- what is missing


def test_no_value_at_all() -> None:
    reading = read(boxed("  5h limit:      [██████] 8", "  Weekly limit:  [██████]"))
    assert used(reading) == {"fiveh": None, "weekly": None}
    assert reading.errors == ("section-missing:fiveh", "section-missing:weekly", "insufficient-data")


def test_one_value_lost() -> None:
    reading = read(boxed("  5h limit:      [██████] 8", "  Weekly limit:  [██████] 36% left (resets 06:27 on 25 Nov)"))
    assert used(reading) == {"fiveh": None, "weekly": 64}
    assert reading.errors == ("section-missing:fiveh",)


@together(
    "notice",
    [
        "data not available yet",
        "refresh requested; run /status again shortly.",
        "not available for this account",
        "send a message to load usage data",
        "visit chatgpt.com/codex/settings/usage",
        "refresh requested; run\n/status\nagain shortly.",
    ],
)
def test_limits_that_are_not_there(notice: str) -> None:
    reading = read(pane(f"  Limits:   {notice}"))
    assert reading.gauges == ()
    cause = ("no-limits",) if notice.startswith("not available") else ()
    assert reading.errors == (*cause, "insufficient-data")


def test_a_notice_that_breaks_at_the_command_does_not_begin_a_pane() -> None:
    rows = ["  Warning:       limits may be stale - run", "                 /status", "                 again shortly."]
    reading = read(pane(*rows, "  5h limit:      89% left (resets 08:27)"))
    assert used(reading) == {"fiveh": 11}
    assert reading.errors == ("stale-data",)


def test_weekly_alone() -> None:
    reading = read(pane("  Weekly limit:  [███░] 36% left (resets 06:27 on 25 Nov)"))
    assert used(reading) == {"weekly": 64}
    assert reading.errors == ()


# -- credits


@together(
    ("text", "expected"),
    [("38 credits", 38), ("1,235 credits", 1235), ("0.5 credits", 0.5), ("Unlimited", "Unlimited")],
)
def test_credits(text: str, expected: float | str) -> None:
    reading = read(pane("  5h limit:  89% left", f"  Credits:   {text}"))
    assert reading.fields["credits"] == expected
    assert "credits" not in read(pane("  5h limit:  89% left")).fields


def test_credits_that_were_cut_off_are_left_out() -> None:
    assert "credits" not in read(boxed("  5h limit:   89% left", "  Credits:   38 cr", width=30)).fields


def test_monthly_credit_says_left_and_used() -> None:
    rows = (
        "  Monthly credit limit:  92% left",
        "                         (resets 06:27 on",
        "                         1 Dec)",
    )
    spent = "                         7,761 of 100,000", "                         credits used"
    [gauge] = read(pane(*rows, *spent)).gauges
    assert gauge == Gauge(
        meter="monthly_credit", used=8, resets="06:27 on 1 Dec", reset_at=datetime(2026, 12, 1, 6, 27, tzinfo=UTC)
    )


# -- panes


def test_the_last_of_several_panes_counts() -> None:
    first = pane("  5h limit:  89% left", "  Monthly limit:  10% left")
    reading = read(first + boxed("  5h limit:  [██] 50% left (resets 09:00)"))
    assert used(reading) == {"fiveh": 50}
    assert reading.errors == ("multi-pane-trimmed",)


def test_a_pane_without_its_head_stands_before_the_others() -> None:
    reading = read("5h limit: [███░] 89% left\n" + pane("  5h limit:  50% left"))
    assert used(reading) == {"fiveh": 50}
    assert reading.errors == ("multi-pane-trimmed",)


def test_a_last_pane_without_values_counts_too() -> None:
    reading = read(pane("  5h limit:  89% left") + pane("  Limits:  data not available yet"))
    assert reading.gauges == ()
    assert reading.errors == ("insufficient-data", "multi-pane-trimmed")


WELCOME = """╭─────────────────────────────────────────────────────╮
│ >_ OpenAI Codex (v0.169.0)                          │
│                                                     │
│ model:     gpt-5-codex   /model to change           │
│ directory: /home/dev/code/acme/apps                 │
╰─────────────────────────────────────────────────────╯
"""


def test_the_welcome_card_is_no_pane() -> None:
    rows = pane("  5h limit:  89% left")
    for text in (WELCOME + rows, rows + WELCOME, WELCOME + rows + WELCOME):
        assert used(read(text)) == {"fiveh": 11}
        assert read(text).errors == ()


def test_a_command_and_its_card_are_one_pane() -> None:
    text = boxed("  5h limit:  89% left")
    assert read(text).errors == ()
    assert read(text.removeprefix("/status")).errors == ()
    assert read(f"› {text}").errors == ()


def test_what_is_said_below_the_pane_is_not_read() -> None:
    said = "› my colleague's pane says\n\n  Weekly limit:  [███░] 1% left (resets 06:27 on 25 Nov)\n"
    assert used(read(pane("  5h limit:  89% left") + said)) == {"fiveh": 11}


def test_a_head_that_was_not_copied() -> None:
    assert used(read("5h limit: [██░░] 11% used (resets 08:27)\n")) == {"fiveh": 11}
    assert used(read("$ codex\n  Weekly limit:  36% left\n  (resets 06:27 on 25 Nov)")) == {"weekly": 64}


def test_a_long_history_above_a_pane_without_its_head() -> None:
    assert used(read("some words of an agent\n" * 20_000 + "  5h limit:  89% left\n")) == {"fiveh": 11}


def test_numbers_broken_by_the_panes_edge() -> None:
    """At 34 columns panes break inside words; the value column is four characters wide here."""
    rows = [
        "│  5h limit:                   89% │",
        "│                              left│",
        "│                              (res│",
        "│                              ets │",
        "│                              08:2│",
        "│                              7)  │",
        "│  Weekly limit:               3   │",
    ]
    [fiveh, weekly] = read("│  >_ OpenAI Codex (v0.155.0)      │\n" + "\n".join(rows) + "\n╰──╯\n6% left\n").gauges
    assert fiveh == Gauge(meter="fiveh", used=11, resets="08:27", reset_at=datetime(2026, 11, 22, 8, 27, tzinfo=UTC))
    assert weekly.used is None


@together(
    "after",
    ["9% left", "50%", "100% context left", "5h 12% left · weekly 44% left", "7% [====>   ]", "9%\n", "9% used by"],
)
@together("cut", ["[██", "[████] ", "[████] 8", "[████] 89", ""])
@together("version", ["0.44.0", "0.169.0"])
def test_other_output_does_not_complete_a_row(cut: str, after: str, version: str) -> None:
    head = f"/status\n\n  >_ OpenAI Codex (v{version})\n\n  Model:    gpt-5 (reasoning low, summaries auto)\n"
    [gauge] = read(f"{head}  5h limit:   {cut}\n{after}\n").gauges
    assert gauge.used is None


@together("cut", ["[██", "[████] 8", "[████████████████] 8"])
def test_a_number_does_not_go_on_in_other_output(cut: str) -> None:
    """Even where that looks like the rest of a row, and also where the row is the widest line of all."""
    [gauge] = read(f"/status\n\n  >_ OpenAI Codex (v0.169.0)\n\n  5h limit:   {cut}\n9% left (resets 09:00)\n").gauges
    assert gauge.used is None


@together(("cut", "after"), [("(resets 08:2", "7)"), ("(resets 06:27 on 2", "5 Nov)"), ("(resets 08:27", ")")])
def test_a_reset_does_not_go_on_in_other_output(cut: str, after: str) -> None:
    [gauge] = read(f"/status\n\n  >_ OpenAI Codex (v0.169.0)\n\n  5h limit:   89% left {cut}\n{after}\n").gauges
    assert (gauge.used, gauge.resets) == (11, None)


# -- fields


def test_fields() -> None:
    text = """  >_ OpenAI Codex (v0.170.0-alpha.2)

  Model:            GPT-6.1-Sol (reasoning
                    low)
  Account:          first.last@mail.example.com
                    (Pro 200)
  Session:          01a2

  Context window:   100% left (1.27K used /
                    272K)
  Weekly limit:     36% left
"""
    assert read(text).fields == {
        "version": "0.170.0-alpha.2",
        "model": "GPT-6.1-Sol",
        "account": "f***@mail.example.com",
        "plan": "Pro 200",
        "context": "100% left (1.27K used / 272K)",
    }


@together(
    ("account", "expected"),
    [
        ("Pro 200", {"plan": "Pro 200"}),
        ("API key configured (run codex login to use ChatGPT)", {}),
        ("dev@example.com (Team)", {"account": "d***@example.com", "plan": "Team"}),
        ("dev@exa", {}),
    ],
)
def test_account(account: str, expected: dict[str, str]) -> None:
    fields = read(pane(f"  Account:  {account}", "  5h limit:  89% left")).fields
    assert {name: fields[name] for name in ("account", "plan") if name in fields} == expected
