"""Precision and recall at k."""

from collections import defaultdict

from surprise import SVD, Dataset
from surprise.model_selection import KFold


def precision_recall_at_k(predictions, k=10, threshold=3.5):
    """Return precision and recall of each user."""
    by_user = defaultdict(list)
    for uid, _, true, est, _ in predictions:
        by_user[uid].append((est, true))
    precision, recall = {}, {}
    for uid, pairs in by_user.items():
        pairs.sort(key=lambda pair: pair[0], reverse=True)
        liked = sum(true >= threshold for _, true in pairs)
        named = sum(est >= threshold for est, _ in pairs[:k])
        both = sum(true >= threshold and est >= threshold for est, true in pairs[:k])
        precision[uid] = both / named if named else 0
        recall[uid] = both / liked if liked else 0
    return precision, recall


data = Dataset.load_builtin("ml-100k")
algo = SVD(n_epochs=2, random_state=0)
result = []
for trainset, testset in KFold(n_splits=2, random_state=0).split(data):
    algo.fit(trainset)
    for figures in precision_recall_at_k(algo.test(testset), k=5, threshold=4):
        result.append(sum(figures.values()) / len(figures))
