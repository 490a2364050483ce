"""What people look at and pass on: the report and the board."""
