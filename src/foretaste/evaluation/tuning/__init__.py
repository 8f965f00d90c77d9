"""Hyperparameter search: samplers, search spaces, studies and nested cross-validation."""
