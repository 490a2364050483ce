"""Windows: captures, the rules that they keep, finalize rows."""
