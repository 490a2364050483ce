"""Where texts come from: files, programs, servers and status lines that plugins declare; captures without pasting."""
