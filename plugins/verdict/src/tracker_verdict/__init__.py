"""Verdicts: intervals, comparison, scoreboard, plan."""
