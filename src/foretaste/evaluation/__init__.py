"""Judging models honestly: nothing of the rows judged by is used to learn, stop or choose."""

from foretaste.evaluation.comparing import compare
from foretaste.evaluation.results import Results
from foretaste.evaluation.spaces import default_space
from foretaste.evaluation.tuned import Tuned
from foretaste.evaluation.tuning import tune

__all__ = ["Results", "Tuned", "compare", "default_space", "tune"]
