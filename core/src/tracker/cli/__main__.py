"""`python -m tracker.cli` is `tracker`: what lies in the current folder does not count as installed."""

import sys

from tracker.cli.main import main

if not sys.flags.safe_path:
    del sys.path[0]  # where `-m` puts that folder
main(prog_name="python -m tracker.cli")
