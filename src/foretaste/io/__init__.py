"""Reading ratings, items and pairs from text files and data frames.

What is guessed is said aloud on the logger ``foretaste``; what cannot be used is refused with its line.
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
