"""Judging models honestly: nothing of the rows judged by is used to learn, stop or choose."""

from foretaste.evaluation.comparing import compare
from foretaste.evaluation.results import Results

__all__ = ["Results", "compare"]
