"""One step a file, the newest last."""
