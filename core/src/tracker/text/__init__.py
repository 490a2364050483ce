"""Text for people and programs: rendering, redaction, "did you mean"."""
