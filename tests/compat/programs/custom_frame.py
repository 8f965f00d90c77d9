"""A custom data frame."""

import pandas as pd
from surprise import Dataset, NormalPredictor, Reader
from surprise.model_selection import cross_validate

ratings = {
    "itemID": [1, 1, 1, 2, 2, 3, 3, 4],
    "userID": [9, 32, 2, 45, 9, 2, 32, "user_foo"],
    "rating": [3, 2, 4, 3, 1, 5, 4, 2],
}
frame = pd.DataFrame(ratings)
data = Dataset.load_from_df(frame[["userID", "itemID", "rating"]], Reader(rating_scale=(1, 5)))
measured = cross_validate(NormalPredictor(), data, cv=2)
result = [measured["test_rmse"], measured["test_mae"]]
