"""Call the command line from a program."""

import contextlib
import io
import sys

from surprise import __main__ as command

sys.argv = ["surprise", "-algo", "SVD", "-params", "{'n_epochs': 2}", "-load-builtin", "ml-100k"]
sys.argv += ["-n-folds", "3", "-seed", "1"]
said = io.StringIO()
with contextlib.redirect_stdout(said):
    command.main()
lines = said.getvalue().splitlines()
result = [lines[0], [float(word) for line in lines[3:5] for word in line.split()[2:]]]
