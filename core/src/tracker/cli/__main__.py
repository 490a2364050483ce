"""`python -m tracker.cli` is `tracker`: what lies in the folder in which it is typed is not installed."""

import sys

from tracker.cli.main import main

sys.path[:1] = sys.path[:1] if sys.flags.safe_path else []  # where `-m` puts that folder
main(prog_name="python -m tracker.cli")
