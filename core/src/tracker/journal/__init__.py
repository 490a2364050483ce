"""The journal: append-only streams, their lock, and the derived index over them."""
