"""Models that learn with PyTorch (``pip install "foretaste[torch]"``).

Nothing here imports torch before a model learns, so these classes can be named, shown and tuned over without
it. ``running`` is where torch is asked for, ``learning`` the loop that all of them share, ``base`` what a
model of this room is: parameters of the loop, and two hooks.
"""

from foretaste.models.pytorch.autorec import AutoRec
from foretaste.models.pytorch.factorization_machine import FactorizationMachine
from foretaste.models.pytorch.matrix_factorization import TorchMF
from foretaste.models.pytorch.neural_mf import NeuralMF
from foretaste.models.pytorch.recommender import TorchRecommender
from foretaste.models.pytorch.sparse_fc import SparseFC

__all__ = ["AutoRec", "FactorizationMachine", "NeuralMF", "SparseFC", "TorchMF", "TorchRecommender"]
