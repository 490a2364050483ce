"""A value changed in the text of a TOML file: what was meant holds, and nothing else moved."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.settings.toml_text import line_of, put

FILE = """\
# settings of the team

data_dir = "a # b"   # a comment
'timezone' = 'UTC'

[ledgers] # where they live
# the folder
# dir = "elsewhere"

[churn]
exclude = [
  "*.lock", # locks
  "docs/#x"
]  # end

[prices]
toy = { month = 20, bars = 4.3 } # as agreed
note = '''
dir = "not a setting"
[ledgers]
'''
"""


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    old, new = before.split("\n"), after.split("\n")
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return old, new


@pytest.mark.parametrize(
    ("key", "value", "went", "came"),
    [
        ("data_dir", "new", ['data_dir = "a # b"   # a comment'], ['data_dir = "new"   # a comment']),
        ("timezone", "Asia/Tokyo", ["'timezone' = 'UTC'"], ["'timezone' = \"Asia/Tokyo\""]),
        ("buffer_minutes", 3, [], ["buffer_minutes = 3"]),
        ("ledgers.dir", "L", ['# dir = "elsewhere"'], ['dir = "L"']),
        ("ledgers.other", "L", [], ['other = "L"']),
        (
            "churn.exclude",
            ["a"],
            ["exclude = [", '  "*.lock", # locks', '  "docs/#x"', "]  # end"],
            ['exclude = ["a"]  # end'],
        ),
        ("prices.other", "20/mo:1bars", [], ['other = "20/mo:1bars"']),
        (
            "prices.toy.month",
            30,
            ["toy = { month = 20, bars = 4.3 } # as agreed"],
            ["toy.month = 30 # as agreed", "toy.bars = 4.3"],
        ),
        ("handoff.file", "H.md", [], ["[handoff]", 'file = "H.md"', ""]),
    ],
)
def test_only_the_lines_of_the_setting_change(key: str, value: Any, went: list[str], came: list[str]) -> None:
    after = put(FILE, tuple(key.split(".")), value)
    assert after is not None
    old, new = changed_lines(FILE, after)
    assert ([line for line in old if line], [line for line in new if line]) == (went, [line for line in came if line])


def test_a_value_is_added_to_an_empty_file_and_under_the_title_of_one() -> None:
    assert put("", ("data_dir",), "d") == 'data_dir = "d"\n'
    assert put("# title\n\n[churn]\n", ("data_dir",), "d") == '# title\ndata_dir = "d"\n\n[churn]\n'
    assert put("# of churn\n[churn]\n", ("data_dir",), "d") == 'data_dir = "d"\n# of churn\n[churn]\n'
    assert put("", ("churn", "exclude"), ["d"]) == '[churn]\nexclude = ["d"]\n'
    assert put("a = 1", ("churn", "exclude"), ["d"]) == 'a = 1\n\n[churn]\nexclude = ["d"]\n'


def test_dotted_keys_and_line_ends_are_kept() -> None:
    assert put('ledgers.dir = "a"\n', ("ledgers", "dir"), "b") == 'ledgers.dir = "b"\n'
    assert put('ledgers.x = "a"\n', ("ledgers", "dir"), "b") == 'ledgers.x = "a"\nledgers.dir = "b"\n'
    assert put("a = 1\r\n# c\r\n", ("b",), True) == "a = 1\r\nb = true\r\n# c\r\n"


def test_what_cannot_be_set_without_losing_something_is_not() -> None:
    assert put('prices = "none"\n', ("prices", "toy"), 3) is None
    assert put("[prices.toy]\nmonth = 3\n", ("prices", "toy"), "3/mo:1bars") is None


@pytest.mark.parametrize(
    ("key", "line"),
    [("data_dir", 3), ("ledgers", 6), ("churn.exclude", 11), ("prices.toy.bars", 17), ("prices.note", 18), ("x", None)],
)
def test_the_line_of_a_setting(key: str, line: int | None) -> None:
    assert line_of(FILE, tuple(key.split("."))) == line


KEYS = st.sampled_from(
    ["data_dir", "fresh", "ledgers.dir", "churn.exclude", "churn.x", "prices.toy", "prices.a b", "n.m"]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = TEXTS | st.booleans() | st.integers(-(2**60), 2**60) | st.lists(TEXTS) | st.floats(allow_nan=False)


@settings(deadline=None)
@given(KEYS, VALUES, st.sampled_from([FILE, FILE.replace("\n", "\r\n"), "", "# only a comment", "[churn]\n[ledgers]"]))
def test_any_value_comes_back_and_every_other_stays(key: str, value: Any, text: str) -> None:
    place = tuple(key.split("."))
    after = put(text, place, value)
    assert after is not None
    expected: Any = tomllib.loads(text)
    inner = expected
    for name in place[:-1]:
        inner = inner.setdefault(name, {})
    inner[place[-1]] = value
    assert tomllib.loads(after) == expected
    for comment in (
        "# settings of the team",
        "# a comment",
        "# where they live",
        "# the folder",
        "# end",
        "# as agreed",
    ):
        assert (comment in after) == (comment in text)
    assert put(after, place, value) == after
