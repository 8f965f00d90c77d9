"""Learning to rank by BPR: liked items above sampled negatives."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch

from foretaste.models._calibration import fit_increasing_line
from foretaste.models.pytorch._pair_task import PairTask, iter_blocks, weighted_mean
from foretaste.models.pytorch._trainer import EpochMetrics

_MAX_TRIES = 3  # samples per pair to find an item that the user is not known to like


class BPRTask(PairTask):
    """Trains on liked pairs, each with a sampled negative: an item that the user is not known to like."""

    liked: Any
    liked_keys: Any

    def set_threshold(self, threshold: float, seed: int) -> Self:
        """Set the liked pairs: those with a standardized rating of at least ``threshold``.

        Parameters
        ----------
        threshold : float
        seed : int
            Seed of the negative samples.
        """
        user, item, value, _ = self.train_rows
        self.random = torch.Generator(self.device).manual_seed(seed)
        self.seed = seed
        self.liked = torch.nonzero(value >= threshold)[:, 0]
        if len(self.liked) == 0:  # all held out: any order of the items is as good as another
            self.liked = torch.arange(len(value), device=self.device)
        self.size = len(self.liked)
        rows = [(user[self.liked], item[self.liked])]
        valid_user, valid_item, valid_value, _ = self.valid_rows
        self.valid_liked = torch.nonzero(valid_value >= threshold)[:, 0]
        rows.append((valid_user[self.valid_liked], valid_item[self.valid_liked]))
        self.liked_keys = torch.sort(torch.cat([self._pair_key(*pair) for pair in rows]))[0]
        return self

    def loss(self, examples: Any) -> Any:
        """Return the mean loss of a batch of liked pairs plus regularization."""
        rows = self.liked[examples]
        users, items, _, weights = self.train_rows
        user, item, weight = (
            users[rows].long(),
            items[rows].long(),
            None if weights is None else weights[rows],
        )
        negative, negative_weight = self._sample_negatives(user, self.random)
        positive_score, penalty = self.network.forward_with_penalty(user, item)
        negative_score, negative_penalty = self.network.forward_with_penalty(user, negative)
        losses = self.network.loss.per_sample(positive_score - negative_score, None)
        losses = losses + penalty + negative_penalty
        weight = negative_weight if weight is None else negative_weight * weight
        return weighted_mean(losses, weight) + self.regularization()

    def evaluate(self) -> EpochMetrics:
        """Calibrate scores to ratings; return the mean loss, and the RMSE of the calibrated predictions."""
        _, _, value, weight = self.train_eval_rows
        scores = [self.network(u.long(), i.long()) for u, i, _, _ in iter_blocks(self.train_eval_rows)]
        weights = None if weight is None or not weight.any() else weight.cpu().numpy()
        score = np.concatenate([part.float().cpu().numpy() for part in scores])
        self.network.loss.calibrate(*fit_increasing_line(score, value.cpu().numpy(), weights))
        rows = self.liked[:: -(-self.size // len(value))]
        train = self._ranking_loss(self.train_rows, rows), self._metrics(self.train_eval_rows)[1]
        if len(self.valid_rows[0]) == 0:
            return EpochMetrics(*train)
        return EpochMetrics(
            *train, self._ranking_loss(self.valid_rows, self.valid_liked), self._metrics(self.valid_rows)[1]
        )

    def _ranking_loss(self, columns: tuple[Any, ...], rows: Any) -> float:
        """Return the mean loss of liked rows, with the same negatives every time."""
        random = torch.Generator(self.device).manual_seed(self.seed + 1)
        losses, total = 0.0, 0.0
        for user, item, _, weight in iter_blocks(tuple(None if c is None else c[rows] for c in columns)):
            negative, negative_weight = self._sample_negatives(user.long(), random)
            difference = self.network(user.long(), item.long()) - self.network(user.long(), negative)
            weights = negative_weight if weight is None else negative_weight * weight
            losses += float((weights * self.network.loss.per_sample(difference, None)).sum())
            total += float(weights.sum())
        return losses / (total or 1.0)

    def _sample_negatives(self, user: Any, random: Any) -> tuple[Any, Any]:
        """Sample an item for each user; return it, and 1 where the user is not known to like it, else 0."""
        items = self.n_items
        negative = torch.randint(items, user.shape, generator=random, device=self.device)
        for _ in range(_MAX_TRIES - 1):
            resampled = torch.randint(items, user.shape, generator=random, device=self.device)
            negative = torch.where(self._is_liked(user, negative), resampled, negative)
        return negative, (~self._is_liked(user, negative)).float()

    def _is_liked(self, user: Any, item: Any) -> Any:
        key = self._pair_key(user, item)
        position = torch.searchsorted(self.liked_keys, key).clamp_max(len(self.liked_keys) - 1)
        return self.liked_keys[position] == key

    def _pair_key(self, user: Any, item: Any) -> Any:
        return user.long() * self.n_items + item.long()
