"""Models that learn with PyTorch (``pip install "foretaste[torch]"``).

Nothing here imports torch before a model learns, so these classes can be named, shown and tuned over without
it. ``running`` is where torch is asked for, ``learning`` the loop that all of them share, ``base`` what a
model of this room is: parameters of the loop, and two hooks.
"""

from foretaste.backends.pytorch.autorec import AutoRec
from foretaste.backends.pytorch.fm import FactorizationMachine
from foretaste.backends.pytorch.mf import TorchMF
from foretaste.backends.pytorch.neural_mf import NeuralMF
from foretaste.backends.pytorch.recommender import TorchRecommender
from foretaste.backends.pytorch.sparse_fc import SparseFC

__all__ = ["AutoRec", "FactorizationMachine", "NeuralMF", "SparseFC", "TorchMF", "TorchRecommender"]
