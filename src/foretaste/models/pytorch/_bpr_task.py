"""Learning to rank: what a user rated so above what that user did not."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from foretaste.models._calibration import rising_line
from foretaste.models.pytorch._pair_task import PairLearning, blocks, weighted_mean
from foretaste.models.pytorch._trainer import Figures

_TRIES = 3  # items drawn for a pair until one is met that the user does not like


class RankLearning(PairLearning):
    """Liked pairs, each beside an item drawn at random that the user is not known to like."""

    liked: Any
    keys: Any

    def above(self, threshold: float, seed: int) -> Self:
        """Take ratings of at least ``threshold`` standard deviations as liked, and learn from these.

        Parameters
        ----------
        threshold : float
        seed : int
            Of the items drawn.
        """
        import torch

        user, item, value, _ = self.train_rows
        self.random = torch.Generator(self.device).manual_seed(seed)
        self.seed = seed
        self.liked = torch.nonzero(value >= threshold)[:, 0]
        if len(self.liked) == 0:  # then any order is as good as another
            self.liked = torch.arange(len(value), device=self.device)
        self.size = len(self.liked)
        rows = [(user[self.liked], item[self.liked])]
        held_user, held_item, held_value, _ = self.held_rows
        self.held_liked = torch.nonzero(held_value >= threshold)[:, 0]
        rows.append((held_user[self.held_liked], held_item[self.held_liked]))
        self.keys = torch.sort(torch.cat([self._key(*pair) for pair in rows]))[0]
        return self

    def loss(self, examples: Any) -> Any:
        """Return the mean loss of a batch of liked pairs, and what regularization adds."""
        rows = self.liked[examples]
        users, items, _, weights = self.train_rows
        user, item, weight = (
            users[rows].long(),
            items[rows].long(),
            None if weights is None else weights[rows],
        )
        other, fresh = self._others(user, self.random)
        above, penalty = self.network.scored(user, item)
        below, more = self.network.scored(user, other)
        each = self.network.loss.each(above - below, None) + penalty + more
        return weighted_mean(each, fresh if weight is None else fresh * weight) + self.regularization()

    def judge(self) -> Figures:
        """Set the line from scores to ratings; return the mean loss and the RMSE that go with it."""
        _, _, value, weight = self.judged_rows
        scores = [self.network(u.long(), i.long()) for u, i, _, _ in blocks(self.judged_rows)]
        weights = None if weight is None or not weight.any() else weight.cpu().numpy()
        score = np.concatenate([part.float().cpu().numpy() for part in scores])
        self.network.loss.calibrate(*rising_line(score, value.cpu().numpy(), weights))
        rows = self.liked[:: -(-self.size // len(value))]
        train = self._ranked(self.train_rows, rows), self._figures(self.judged_rows)[1]
        if len(self.held_rows[0]) == 0:
            return Figures(*train)
        return Figures(
            *train, self._ranked(self.held_rows, self.held_liked), self._figures(self.held_rows)[1]
        )

    def _ranked(self, columns: tuple[Any, ...], rows: Any) -> float:
        """Return the mean loss of liked rows, beside the same items each time."""
        import torch

        random = torch.Generator(self.device).manual_seed(self.seed + 1)
        losses, total = 0.0, 0.0
        for user, item, _, weight in blocks(tuple(None if c is None else c[rows] for c in columns)):
            other, fresh = self._others(user.long(), random)
            above = self.network(user.long(), item.long()) - self.network(user.long(), other)
            weights = fresh if weight is None else fresh * weight
            losses += float((weights * self.network.loss.each(above, None)).sum())
            total += float(weights.sum())
        return losses / (total or 1.0)

    def _others(self, user: Any, random: Any) -> tuple[Any, Any]:
        """Draw an item for each user; return it, and 1 where the user is not known to like it, else 0."""
        import torch

        items = self.items
        other = torch.randint(items, user.shape, generator=random, device=self.device)
        for _ in range(_TRIES - 1):
            again = torch.randint(items, user.shape, generator=random, device=self.device)
            other = torch.where(self._likes(user, other), again, other)
        return other, (~self._likes(user, other)).float()

    def _likes(self, user: Any, item: Any) -> Any:
        import torch

        key = self._key(user, item)
        place = torch.searchsorted(self.keys, key).clamp_max(len(self.keys) - 1)
        return self.keys[place] == key

    def _key(self, user: Any, item: Any) -> Any:
        return user.long() * self.items + item.long()
