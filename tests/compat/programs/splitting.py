"""One train/test split."""

from surprise import SVD, Dataset, accuracy
from surprise.model_selection import train_test_split

data = Dataset.load_builtin("ml-100k")
trainset, testset = train_test_split(data, test_size=0.25, random_state=4)
algo = SVD(n_epochs=3, random_state=1)
algo.fit(trainset)
predictions = algo.test(testset)
again = SVD(n_epochs=3, random_state=1).fit(trainset).test(testset)
result = [
    accuracy.rmse(predictions),
    accuracy.mae(predictions),
    accuracy.fcp(predictions),
    accuracy.mse(again),
]
