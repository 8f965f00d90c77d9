"""Matrix factorization as taught with PyTorch: single ratings collated into batches of 512, 100 factors.

The tests of the PyTorch models check ``TorchMF.vanilla()`` against this loop, step by step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset

from foretaste import Ratings


class RatingsDataset(Dataset):
    """Ratings one by one."""

    def __init__(self, ratings: Ratings) -> None:
        self.users, self.items, self.ratings = ratings.user, ratings.item, ratings.value

    def __len__(self) -> int:
        return len(self.ratings)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {
            "user": torch.tensor(self.users[row], dtype=torch.long),
            "item": torch.tensor(self.items[row], dtype=torch.long),
            "rating": torch.tensor(self.ratings[row], dtype=torch.float),
        }


class FactorModel(nn.Module):
    """Embeddings and their dot product."""

    def __init__(self, users: int, items: int, size: int = 100) -> None:
        super().__init__()
        self.user = nn.Embedding(users, size)
        self.item = nn.Embedding(items, size)
        self.user.weight.data.uniform_(0, 0.05)
        self.item.weight.data.uniform_(0, 0.05)

    def forward(self, user: Any, item: Any) -> Any:
        return (self.user(user) * self.item(item)).sum(1)


def step(
    model: FactorModel, optimizer: Any, user: Any, item: Any, rating: Any, strength: float = 0.001
) -> float:
    """Take one step; return the loss without regularization."""
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(user, item), rating)
    norms = strength * model.user.weight.norm(2) + strength * model.item.weight.norm(2)
    (loss + norms).backward()
    optimizer.step()
    return loss.item()


class Taught:
    """A model in the taught loop."""

    def __init__(self, ratings: Ratings, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = FactorModel(len(ratings.users), len(ratings.items))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.001)
        self.batches = DataLoader(RatingsDataset(ratings), batch_size=512, shuffle=True)

    def epoch(self) -> None:
        """Go through all ratings once."""
        for batch in self.batches:
            step(self.model, self.optimizer, batch["user"], batch["item"], batch["rating"])

    def predict(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Predict pairs of known indices."""
        with torch.no_grad():
            return self.model(torch.from_numpy(user).long(), torch.from_numpy(item).long()).numpy()
