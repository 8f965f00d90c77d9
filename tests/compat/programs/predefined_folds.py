"""Predefined folds in files."""

from pathlib import Path

from surprise import SVD, Dataset, Reader, accuracy, get_dataset_dir
from surprise.model_selection import PredefinedKFold

folder = Path(get_dataset_dir()) / "ml-100k" / "ml-100k"
reader = Reader("ml-100k")
files = [(str(folder / f"u{number}.base"), str(folder / f"u{number}.test")) for number in (1, 2)]
data = Dataset.load_from_folds(files, reader=reader)
algo = SVD(n_epochs=3, random_state=0)
result = []
for trainset, testset in PredefinedKFold().split(data):
    algo.fit(trainset)
    result.append(accuracy.rmse(algo.test(testset), verbose=True))
