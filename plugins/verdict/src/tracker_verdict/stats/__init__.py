"""The numbers: efficiency, comparison and power, as pure functions over plain values."""
