"""HTTP service for ratings and recommendations; requires the extra ``serve``.

``predictor`` computes predictions for one user; ``db`` is the database; ``api``, ``web`` and ``middleware``
are the HTTP interface (``app`` puts them together); ``training`` runs background training jobs.
"""
