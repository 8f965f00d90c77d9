"""Nearest neighbors of an item, by title."""

from pathlib import Path

from surprise import Dataset, KNNBaseline, get_dataset_dir

titles, numbers = {}, {}
path = Path(get_dataset_dir()) / "ml-100k" / "ml-100k" / "u.item"
for line in path.read_text(encoding="latin-1").splitlines():
    number, title = line.split("|")[:2]
    titles[number], numbers[title] = title, number
trainset = Dataset.load_builtin("ml-100k").build_full_trainset()
algo = KNNBaseline(sim_options={"name": "pearson_baseline", "user_based": False}, verbose=True)
algo.fit(trainset)
known = [trainset.to_raw_iid(inner) for inner in trainset.all_items()]
item = trainset.to_inner_iid(numbers[titles[known[0]]])
near = algo.get_neighbors(item, k=10)
result = [[trainset.to_raw_iid(inner) for inner in near], [float(algo.sim[item, other]) for other in near]]
