"""Training jobs of the service: the queue, the worker process and the checks before activation."""
