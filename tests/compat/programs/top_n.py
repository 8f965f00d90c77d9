"""Top-N items of each user among all unrated ones."""

from collections import defaultdict

from surprise import SVD, Dataset


def top(predictions, n):
    """Return the n best items of each user with their predictions."""
    found = defaultdict(list)
    for uid, iid, _, est, _ in predictions:
        found[uid].append((iid, est))
    for uid, items in found.items():
        found[uid] = sorted(items, key=lambda pair: pair[1], reverse=True)[:n]
    return found


trainset = Dataset.load_builtin("ml-100k").build_full_trainset()
algo = SVD(n_epochs=2, random_state=0)
algo.fit(trainset)
pairs = trainset.build_anti_testset()
chosen = {uid for uid, _, _ in pairs[:: len(pairs) // 5]}
best = top(algo.test([pair for pair in pairs if pair[0] in chosen]), n=10)
result = [len(pairs), {uid: [list(pair) for pair in items] for uid, items in best.items()}]
