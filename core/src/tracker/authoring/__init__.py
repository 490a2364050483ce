"""For authors of plugins: what is installed, whether it keeps the rules, and a new one to begin with."""
