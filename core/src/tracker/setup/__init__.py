"""Settings shown, changed and begun."""
