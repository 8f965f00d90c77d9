"""The loop as it is taught: one item at a time into batches, a loss written out, an optimiser step."""

from __future__ import annotations

import numpy as np
from needs_torch import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset


class RatingsDataset(Dataset):
    """Ratings one by one."""

    def __init__(self, ratings):
        self.users, self.items, self.ratings = ratings.user, ratings.item, ratings.value

    def __len__(self):
        return len(self.ratings)

    def __getitem__(self, row):
        return {
            "user": torch.tensor(self.users[row], dtype=torch.long),
            "item": torch.tensor(self.items[row], dtype=torch.long),
            "rating": torch.tensor(self.ratings[row], dtype=torch.float),
        }


class FactorModel(nn.Module):
    """Embeddings and their dot product."""

    def __init__(self, users, items, size=100):
        super().__init__()
        self.user = nn.Embedding(users, size)
        self.item = nn.Embedding(items, size)
        self.user.weight.data.uniform_(0, 0.05)
        self.item.weight.data.uniform_(0, 0.05)

    def forward(self, user, item):
        return (self.user(user) * self.item(item)).sum(1)


def step(model, optimizer, user, item, rating, strength=0.001):
    """Take one step; return the loss without regularization."""
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(user, item), rating)
    norms = strength * model.user.weight.norm(2) + strength * model.item.weight.norm(2)
    (loss + norms).backward()
    optimizer.step()
    return loss.item()


class Taught:
    """A model in the taught loop."""

    def __init__(self, ratings, seed=0):
        torch.manual_seed(seed)
        self.model = FactorModel(len(ratings.users), len(ratings.items))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.001)
        self.batches = DataLoader(RatingsDataset(ratings), batch_size=512, shuffle=True)

    def epoch(self):
        """Go through all ratings once."""
        for batch in self.batches:
            step(self.model, self.optimizer, batch["user"], batch["item"], batch["rating"])

    def predict(self, user, item):
        """Predict pairs of indices."""
        with torch.no_grad():
            return self.model(torch.from_numpy(user).long(), torch.from_numpy(item).long()).numpy()


def rmse(true, predicted):
    """Return the root mean squared error."""
    return float(np.sqrt(np.mean((np.asarray(true, float) - np.asarray(predicted, float)) ** 2)))
