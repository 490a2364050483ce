"""Hours worked per window, from a CSV file: a command and a column of tracker."""
