"""Routes under ``/api/v1``, one module per resource; each requires an API key of some role."""
