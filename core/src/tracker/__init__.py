"""What coding subscriptions are worth, measured. Plugin authors import from `tracker.api`."""

__version__ = "0.1.0"
