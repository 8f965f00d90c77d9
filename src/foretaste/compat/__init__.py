"""Doors for programs that were written for other libraries: the same names, numbers like theirs."""
