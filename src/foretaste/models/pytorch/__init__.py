"""Models trained with PyTorch (``pip install "foretaste[torch]"``).

torch is imported only when a model is fitted or predicts, so the classes can be listed, constructed and tuned
over without it. ``_base`` declares the shared training parameters and the two hooks of a model, ``_trainer``
holds the training loop, ``_session`` the device, threads and random state.
"""

from foretaste.models.pytorch.autorec import AutoRec
from foretaste.models.pytorch.factorization_machine import FactorizationMachine
from foretaste.models.pytorch.matrix_factorization import TorchMF
from foretaste.models.pytorch.neural_mf import NeuralMF
from foretaste.models.pytorch.recommender import TorchRecommender
from foretaste.models.pytorch.sparse_fc import SparseFC

__all__ = ["AutoRec", "FactorizationMachine", "NeuralMF", "SparseFC", "TorchMF", "TorchRecommender"]
