"""Save an algorithm and its predictions to a file."""

import tempfile
from pathlib import Path

from surprise import SVD, Dataset, dump

trainset = Dataset.load_builtin("ml-100k").build_full_trainset()
algo = SVD(n_epochs=2, random_state=0)
algo.fit(trainset)
predictions = algo.test(trainset.build_testset()[:500])
with tempfile.TemporaryDirectory() as folder:
    path = str(Path(folder) / "dump_file")
    dump.dump(path, predictions=predictions, algo=algo)
    kept, loaded = dump.load(path)
again = loaded.test(trainset.build_testset()[:500])
result = [predictions == again, kept == predictions, [prediction.est for prediction in again]]
