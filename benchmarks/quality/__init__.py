"""Error, time and memory of every model on real ratings, beside scikit-surprise on the same folds."""
