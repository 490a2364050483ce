"""The command line."""

import gc
import sys
from importlib import import_module

# Before click is imported: cycles are few, and the search for them takes a tenth of a start, and of a large stream.
gc.set_threshold(200_000, 20, 20)
try:
    import_module("tracker.cli.main")
except KeyboardInterrupt:  # while it is imported, which takes the most of a start: there is nothing to say
    sys.exit(130)
