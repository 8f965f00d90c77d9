"""A custom file, and biases by both methods."""

from pathlib import Path

from surprise import BaselineOnly, Dataset, Reader, get_dataset_dir
from surprise.model_selection import KFold, cross_validate

path = Path(get_dataset_dir()) / "ml-100k" / "ml-100k" / "u.data"
reader = Reader(line_format="user item rating timestamp", sep="\t")
data = Dataset.load_from_file(str(path), reader=reader)
result = []
for options in ({"method": "als", "n_epochs": 5, "reg_u": 12, "reg_i": 5}, {"method": "sgd", "n_epochs": 5}):
    algo = BaselineOnly(bsl_options=options, verbose=False)
    result.append(cross_validate(algo, data, cv=KFold(4, random_state=0))["test_rmse"])
