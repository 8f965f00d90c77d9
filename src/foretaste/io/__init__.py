"""Readers of ratings, items and pairs from files, data frames and databases.

Every guess is logged by the logger ``foretaste``; what cannot be read raises an error that names the line.
"""

from foretaste.io.items_reader import read_items
from foretaste.io.pairs_reader import FilePairs, encode_file_pairs, read_pairs
from foretaste.io.ratings_reader import ReadReport, read_ratings, read_ratings_with_report

__all__ = [
    "FilePairs",
    "ReadReport",
    "encode_file_pairs",
    "read_items",
    "read_pairs",
    "read_ratings",
    "read_ratings_with_report",
]
