"""The operator's desk: status, doctor, export, settings, shell functions."""
