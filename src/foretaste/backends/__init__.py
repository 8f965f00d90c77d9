"""Models on other engines; each needs an extra, and is found by its name all the same."""
