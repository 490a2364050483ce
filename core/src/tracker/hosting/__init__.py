"""Plugins: found, let in, asked, and held at arm's length."""
