"""The contract: hooks, and the values that cross the plugin boundary."""
