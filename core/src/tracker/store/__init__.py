"""The journal's files, its records, and the derived index over them."""
