"""The rate limits of other models in Codex's `/status` pane: whose a row is."""

from __future__ import annotations

import sys
from pathlib import Path

from tracker_kit.cases import together

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode imports no siblings
from panes_by_hand import boxed, pane, read, used

MAIN = "  5h limit:      [███░] 89% left (resets 08:27)", "  Weekly limit:  [███░] 36% left (resets 06:27 on 25 Nov)"
OTHER = "  5h limit:      [███░] 70% left (resets 07:27)", "  Weekly limit:  [░░░░] 0% left (resets 06:27 on 27 Nov)"


def test_a_heading_names_the_rows_below_it() -> None:
    reading = read(pane(*MAIN, "  GPT-5.3-Codex-Spark limit:", *OTHER))
    assert used(reading) == {
        "fiveh": 11,
        "weekly": 64,
        "gpt_5_3_codex_spark_fiveh": 30,
        "gpt_5_3_codex_spark_weekly": 100,
    }


@together(
    ("heading", "slug"),
    [
        (["  GPT-5.3-Codex-Spark", "  limit:"], "gpt_5_3_codex_spark"),
        (["  GPT-5.3-", "  Codex-Spark limit:"], "gpt_5_3_codex_spark"),
        (["  My own model limit:"], "my_own_model"),
        (["  My own", "  model", "  limit:"], "my_own_model"),
        (["  4o limit:"], "bucket_4o"),
        (["  模型 limit:"], "bucket"),
    ],
)
def test_headings_wrap(heading: list[str], slug: str) -> None:
    reading = read(pane(*MAIN, "  Credits:       38 credits", *heading, *OTHER))
    assert used(reading) == {"fiveh": 11, "weekly": 64, f"{slug}_fiveh": 30, f"{slug}_weekly": 100}


@together(
    "rows",
    [
        ["  zeta_model Daily limit:  [███░] 95% left (resets 07:27)"],
        ["  zeta_model Daily limit:", "  95% left", "  (resets 07:27)"],
        ["  zeta_model", "  Daily limit:", "  95% left", "  (resets 07:27)"],
        ["  zeta_model Daily", "  limit:", "  95% left", "  (resets 07:27)"],
    ],
)
def test_a_bucket_in_one_line(rows: list[str]) -> None:
    assert used(read(pane(*MAIN, *rows))) == {"fiveh": 11, "weekly": 64, "zeta_model_daily": 5}


def test_a_wrapped_name_does_not_lend_its_row_to_the_main_bucket() -> None:
    rows = ["  GPT-5.3-Codex-Spark", "  Weekly limit:  [░░░░] 7% left (resets 06:27 on 27 Nov)"]
    assert used(read(pane(MAIN[0], *rows))) == {"fiveh": 11, "gpt_5_3_codex_spark_weekly": 93}


def test_rows_whose_heading_is_lost_are_nobodys() -> None:
    assert used(read(pane(*MAIN, *OTHER))) == {"fiveh": 11, "weekly": 64}
    reading = read(pane(MAIN[1], "  Credits:       38 credits", OTHER[0]))
    assert (used(reading), reading.errors) == ({"weekly": 64}, ("heading-unknown:fiveh",))
    assert used(read(pane(MAIN[1], "  zeta_model Daily limit:  95% left", OTHER[0]))) == {
        "weekly": 64,
        "zeta_model_daily": 5,
    }


def test_rows_with_nothing_above_them_may_be_another_models() -> None:
    for rows in (OTHER, OTHER[1:], ("some words of an agent", *OTHER), (*OTHER, "  Codex Mini limit:", *OTHER)):
        assert read("\n".join(rows)).errors == ("head-missing",)
    below = ("  Credits:       38 credits", "  GPT-5.3-Codex-Spark limit:", *OTHER)
    assert (read("\n".join([*MAIN, *below])).errors, read(pane(*MAIN)).errors) == ((), ())


@together("rest", ["limit:", "imit:", "t:", ":"])
def test_rows_below_the_rest_of_a_heading_are_nobodys(rest: str) -> None:
    """Of a pane that lost its top within a heading that was wrapped."""
    reading = read("\n".join([f"  {rest}", *OTHER]))
    assert (reading.gauges, reading.errors) == (
        (),
        ("insufficient-data", "heading-unknown:fiveh", "heading-unknown:weekly"),
    )
    assert used(read("\n".join([f"  {rest}", *OTHER, "  Codex Mini limit:", *MAIN]))) == {
        "codex_mini_fiveh": 11,
        "codex_mini_weekly": 64,
    }


@together(
    "heading",
    [
        ["  GPT-5.3-Codex-Spark limits:"],
        ["  GPT-5.3-Codex-Spark:"],
        ["  GPT-5.3-Codex-Spark usage:"],
        ["  Limits for", "  GPT-5.3-Codex-Spark:"],
        ["  Spark limit (beta):"],
        ["  Additional limits:"],
        ["  O3: mini limit:"],
        ["  100% Model limit:"],
        ["  GPT-5.3-Codex-Spark, EU limit:"],
    ],
)
def test_rows_below_a_heading_of_an_unknown_form_are_nobodys(heading: list[str]) -> None:
    reading = read(pane(MAIN[1], *heading, *OTHER))
    assert used(reading) == {"weekly": 64}
    assert reading.errors == ("row-repeated:weekly", "heading-unknown:fiveh")


def test_a_reset_that_was_cut_behind_its_hour_is_no_heading() -> None:
    rows = ["  5h limit: 89% left", "    (resets 08:", "  Weekly limit: 36% left"]
    reading = read("\n".join([">_ OpenAI Codex (v0.169.0)", *rows]))
    assert reading.errors == ()
    assert used(reading)["weekly"] == 64


@together(
    "first",
    [["  zeta_model Daily limit:  95% left"], ["  zeta_model Daily limit:  95% left", "  eta Daily limit:  95% left"]],
)
def test_a_bucket_in_one_line_above_the_main_one_is_no_heading(first: list[str]) -> None:
    reading = read(pane(*first, *MAIN, "  GPT-5.3-Codex-Spark limit:", *OTHER))
    rows = {"fiveh": 11, "weekly": 64, "gpt_5_3_codex_spark_fiveh": 30, "gpt_5_3_codex_spark_weekly": 100}
    assert rows.items() <= used(reading).items()
    assert reading.errors == ()


@together("width", [18, 21, 24, 26])
def test_a_heading_that_the_box_cut_off_is_nobodys(width: int) -> None:
    """Neither the main bucket's nor one with a cut name, as panes before 0.155 print it below 28 columns."""
    rows = [
        "  Weekly limit:   ",
        "   64% used",
        "  GPT-5.3-Codex-Spark limit:",
        "  5h limit:",
        "   70% used",
        "  Weekly limit:",
    ]
    assert used(read(boxed(*rows, version="0.50.0", width=width))) == {"weekly": 64}
    assert "gpt_5_3_codex_spark_fiveh" in used(read(boxed(*rows, version="0.50.0", width=28)))


def test_the_first_row_of_a_name_stands() -> None:
    rows = (
        "  zeta_model Daily limit:  95% left",
        "  zeta_model Daily limit:  5% left",
        "  Hourly limit:  8%",
        "  Hourly limit:  9%",
    )
    assert used(read(pane(*MAIN, *rows))) == {"fiveh": 11, "weekly": 64, "zeta_model_daily": 5, "hourly": 92}


def test_a_heading_that_comes_first() -> None:
    """What stands above it belongs to the line above that, and not to its name."""
    rows = ["  Session:", "  01a201f2-1067-7ae1", "  7-3f753d076784", "  GPT-5.3-Codex-Spark limit:"]
    assert used(read(pane(*rows, *OTHER))) == {"gpt_5_3_codex_spark_fiveh": 30, "gpt_5_3_codex_spark_weekly": 100}


def test_a_bucket_never_takes_the_main_buckets_name() -> None:
    rows = "  Secondary Usage limit:  [███░] 95% left", "  Monthly credit Weekly limit:  [███░] 94% left"
    assert used(read(pane(*MAIN, *rows))) == {
        "fiveh": 11,
        "weekly": 64,
        "bucket_secondary_usage": 5,
        "monthly_credit_weekly": 6,
    }


@together("sign", ["⏳", "⏱️", "-", "*", "→"])
def test_a_sign_before_a_label_is_no_name(sign: str) -> None:
    rows = [row.replace("  ", f"{sign} ", 1) for row in (*MAIN, *OTHER)]
    for head in ("0.169.0", None):
        reading = read(pane(*rows[:2], f"{sign} GPT-5.3-Codex-Spark limit:", *rows[2:], version=head))
        assert used(reading) == {
            "fiveh": 11,
            "weekly": 64,
            "gpt_5_3_codex_spark_fiveh": 30,
            "gpt_5_3_codex_spark_weekly": 100,
        }
        assert reading.errors == ()


@together("headings", [("  GPT-6 Mini:", "  GPT-6 Sol:"), ("  Cloud tasks", "  Local tasks"), ("", "")])
def test_rows_that_come_again_below_no_known_heading_are_said(headings: tuple[str, str]) -> None:
    first, second = headings
    reading = read(pane(first, *MAIN, second, *OTHER))
    assert (reading.gauges[0].used, reading.gauges[1].used) == (11, 64)
    assert "row-repeated:weekly" in reading.errors


def test_a_name_too_long_for_a_key_is_cut_and_stays_apart() -> None:
    name = "GPT-6.1-Codex-Spark Long Context Preview for Enterprise Teams"
    both = (part for place in ("(EU)", "(US)") for part in (f"  {name} {place} limit:", *OTHER))
    found = used(read(pane(*MAIN, *both)))
    assert (found["fiveh"], found["weekly"], len(found)) == (11, 64, 6)
    assert all(key.startswith(("gpt_6_1_codex_spark", "fiveh", "weekly")) for key in found)


@together("width", [60, 100])
def test_two_panes_side_by_side_are_nobodys(width: int) -> None:
    """As `tmux` copies a window that is split: the rows of the one are no rows of the other."""
    left, right = pane(*MAIN).split("\n"), pane(*OTHER, version="0.44.0").split("\n")
    for one, other in ((left, right), (left, ["", *right]), (["", "", *left], right)):
        size = max(len(one), len(other))
        rows = ([*part, *[""] * (size - len(part))] for part in (one, other))
        reading = read("\n".join(f"{a:{width}}│{b}" for a, b in zip(*rows, strict=True)))
        assert (reading.gauges, reading.errors) == ((), ("side-by-side", "insufficient-data"))


def test_a_table_above_or_below_a_pane_is_no_pane_at_its_side() -> None:
    table = "  Table     │ Rows\n  ──────────┼──────\n  parse     │ 12\n\n"
    for text, tags in ((table + "\n".join(MAIN), ("head-missing",)), (table + pane(*MAIN) + table, ())):
        assert (used(read(text)), read(text).errors) == ({"fiveh": 11, "weekly": 64}, tags)


def test_rows_that_were_copied_twice_need_no_tag() -> None:
    assert read(pane(*MAIN, "", *MAIN)).errors == ()
    assert read("\n".join([*MAIN, "", *MAIN])).errors == ("head-missing",)


def test_the_status_of_another_program_below_is_no_pane() -> None:
    other = "\n> /status\n Settings:  Status   Config   Usage\n\n  Version: 2.1.330\n  Model: Default (sonnet)\n"
    reading = read(pane(*MAIN) + other)
    assert (used(reading), reading.errors) == ({"fiveh": 11, "weekly": 64}, ())
    assert read(other).errors == ("insufficient-data",)
