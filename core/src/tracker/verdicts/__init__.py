"""What the records amount to: comparison, scoreboard, decision card, plan."""
