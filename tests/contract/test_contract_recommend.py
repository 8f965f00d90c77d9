"""Contract: recommendations equal a full sort of the model's predictions."""

from __future__ import annotations

import numpy as np
from contract_table import each_model, make, same_bits

from foretaste.ratings import Pairs
from foretaste.recommendation import recommend


@each_model()
def test_recommendations_equal_sorted_predictions(name, ratings):
    model = make(name).fit(ratings)
    asked = [*ratings.users.ids.tolist(), 100_001]
    found = recommend(model, asked, 6, exclude=ratings, unknown_users="fallback")
    item = np.arange(len(model.items_), dtype=np.int32)
    for user, part in found:
        place = np.full(len(item), model.users_.indices_of(np.array([user]))[0])
        score = model.predict_encoded(Pairs(place, item), clip=False).value
        seen = model.items_.indices_of(ratings.item_ids[ratings.user_ids == user])
        best = [k for k in np.lexsort((item, -score)) if k not in set(seen.tolist())][:6]
        assert part.ids.tolist() == model.items_.ids[best].tolist()
        pairs = [(user, id_) for id_ in model.items_.ids[best]]
        assert same_bits(part.scores, model.predict(pairs))
    assert found.fallback.tolist() == [0] * (len(asked) - 1) + [1]
