"""Ratings in a database, a model in a file, and answers about them over HTTP; needs the extra ``serve``.

``answers`` are plain functions over a model and one user's ratings; ``store`` and the rooms ``kept_*`` are
the database; ``app`` and ``routes`` are the interface; ``training`` learns models in processes of its own.
"""
