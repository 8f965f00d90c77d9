"""The routes under ``/api/v1``, a file a subject; each needs a key whose role its file names."""
