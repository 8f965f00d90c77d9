"""Drop-in replacements for the APIs of other libraries: the same names and results."""
