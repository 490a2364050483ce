"""Plugins: found, admitted, asked and guarded."""
