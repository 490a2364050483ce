"""What the index knows of telemetry: lines that were seen, and events by column."""
