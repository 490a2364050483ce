"""Options that several commands have."""

from __future__ import annotations

import click

price_option = click.option(
    "--price",
    "given",
    multiple=True,
    metavar="PROVIDER=200/mo:4.3bars",
    help="What a month costs and how many full meters it buys.",
)
accounts_option = click.option(
    "--account", "accounts", multiple=True, metavar="NAME", help="The account, if a provider has several."
)
