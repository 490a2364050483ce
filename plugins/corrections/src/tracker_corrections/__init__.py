"""Corrections: commands and captures taken back, meter values typed by hand."""
