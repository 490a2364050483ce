"""The numbers: efficiency, comparison, power and percentiles, as pure functions over plain values."""
