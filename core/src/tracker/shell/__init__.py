"""Shells: their functions and completions."""
