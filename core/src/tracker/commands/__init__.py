"""One file per command, imported when it runs."""
