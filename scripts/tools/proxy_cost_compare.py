#!/usr/bin/env python3
"""What routing costs and saves, request by request: the same as `tracker cost-compare`."""

import sys

from tracker.cli.main import main

if __name__ == "__main__":
    main(["cost-compare", *sys.argv[1:]], prog_name="tracker")
