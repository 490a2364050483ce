"""The command line."""

import gc

# Before click is imported: cycles are few, and the search for them takes a tenth of a start, and of a large stream.
gc.set_threshold(200_000, 20, 20)
