"""Captures and the windows that they make: taken, judged, corrected, finalized, audited."""
