"""Placeholder until the parser stands."""
