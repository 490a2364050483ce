"""What is read off screens, and how everything is shown."""
