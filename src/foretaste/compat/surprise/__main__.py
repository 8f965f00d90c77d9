"""The command ``surprise``: cross-validates an algorithm.

``python -m foretaste.compat.surprise -algo SVD -params "{'n_epochs': 5}" -load-builtin ml-100k -n-folds 3``
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from foretaste.compat import surprise
from foretaste.compat.surprise.builtin_datasets import BUILTIN_DATASETS, get_dataset_dir
from foretaste.compat.surprise.dataset import Dataset
from foretaste.compat.surprise.reader import Reader
from foretaste.errors import ForetasteError, InvalidParameterError, did_you_mean

ALGORITHMS = (
    "NormalPredictor", "BaselineOnly", "KNNBasic", "KNNBaseline", "KNNWithMeans", "KNNWithZScore",
    "SVD", "SVDpp", "NMF", "SlopeOne", "CoClustering",
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Prints the help after an error, as scikit-surprise does."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"error: {message}\n")
        self.print_help()
        sys.exit(2)


def main() -> None:
    """Read the command line, cross-validate and print the table."""
    parser = _make_parser()
    args = parser.parse_args()
    if args.clean:
        folder = get_dataset_dir()
        shutil.rmtree(folder)
        print("Removed", folder)  # noqa: T201 - a command line answers
        return
    try:
        _run(parser, args)
    except (ForetasteError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code if isinstance(error, ForetasteError) else 1)


def _run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    from foretaste.compat.surprise import dump, model_selection

    random.seed(args.seed)
    np.random.seed(args.seed)
    if args.with_dump and args.seed is None:  # the dumped folds must be the evaluated ones
        args.seed = int(np.random.randint(2**31))
    if args.algo is None:
        parser.error("No algorithm was specified.")
    params = _parse_literal("-params", args.params)
    if not isinstance(params, dict):
        parser.error(f"-params {args.params} is no dictionary, as {{'n_epochs': 10}} is.")
    algo = getattr(surprise, args.algo)(**params)
    folds: Any
    data: Any
    if args.folds_files is not None and args.load_custom is None:
        files = args.folds_files.split()
        data = Dataset.load_from_folds(
            list(zip(files[::2], files[1::2], strict=False)), _parse_reader(parser, args)
        )
        folds = model_selection.PredefinedKFold()
    else:
        if args.load_custom is not None:
            data = Dataset.load_from_file(args.load_custom, _parse_reader(parser, args))
        else:
            data = Dataset.load_builtin(args.load_builtin)
        folds = model_selection.KFold(n_splits=args.n_folds, random_state=args.seed)
    model_selection.cross_validate(algo, data, cv=folds, verbose=True)
    if args.with_dump:
        _dump_folds(algo, data, folds, Path(args.dump_dir or Path(get_dataset_dir()) / "dumps"), dump)


def _dump_folds(algo: Any, data: Any, folds: Any, folder: Path, dump: Any) -> None:
    """Write, for each fold, the fitted algorithm and its predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (trainset, testset) in enumerate(folds.split(data), 1):
        predictions = algo.fit(trainset).test(testset)
        dump.dump(str(folder / f"{type(algo).__name__}-fold{number}"), predictions, algo, verbose=1)


def _parse_reader(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Reader:
    """Return the reader that ``-reader`` writes as a call; nothing is evaluated but literals."""
    if args.reader is None:
        parser.error("-reader parameter is needed.")
    try:
        call = ast.parse(args.reader.strip(), mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Reader"):
            raise ValueError("it is no call of Reader")
        positional = [ast.literal_eval(argument) for argument in call.args]
        named = {str(argument.arg): ast.literal_eval(argument.value) for argument in call.keywords}
        return Reader(*positional, **named)
    except ForetasteError:
        raise
    except (SyntaxError, ValueError, TypeError) as error:
        raise InvalidParameterError(
            f"-reader {args.reader} is not allowed: {error}",
            hint="-reader \"Reader(line_format='user item rating timestamp', sep='\\t')\"",
        ) from None


def _parse_literal(option: str, text: str) -> Any:
    """Return the value that a text writes: dicts, lists, numbers, strings; names and calls are errors."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError) as error:
        raise InvalidParameterError(
            f"{option} {text} is not allowed: {error}", hint=f"{option} \"{{'n_epochs': 10}}\""
        ) from None


def _check_algorithm_name(name: str) -> str:
    if name not in ALGORITHMS:
        raise argparse.ArgumentTypeError(
            f"invalid choice: {name!r}{did_you_mean(name, ALGORITHMS)} (choose from {', '.join(ALGORITHMS)})"
        )
    return name


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m foretaste.compat.surprise",
        description="Cross-validate an algorithm: on a published dataset, on your own file, "
        "or on files that are divided into folds already.",
        epilog="Example: -algo SVD -params \"{'n_epochs': 5, 'verbose': True}\" -load-builtin ml-100k "
        "-n-folds 3",
    )
    add = parser.add_argument
    add(
        "-algo",
        type=_check_algorithm_name,
        metavar="<prediction algorithm>",
        help="One of " + ", ".join(ALGORITHMS) + ".",
    )
    add(
        "-params", default="{}", metavar="<algorithm parameters>",
        help="Its parameters as a dictionary: \"{'n_epochs': 10}\".",
    )  # fmt: skip
    add(
        "-load-builtin", dest="load_builtin", default="ml-100k", metavar="<dataset name>",
        help=f"One of {', '.join(BUILTIN_DATASETS)}; ml-100k by default.",
    )  # fmt: skip
    add(
        "-load-custom", dest="load_custom", metavar="<file path>",
        help="A file of ratings; needs -reader; overrides -load-builtin.",
    )  # fmt: skip
    add(
        "-folds-files", dest="folds_files", metavar="<train1 test1 train2 test2... >",
        help="Training and test files, alternating; needs -reader; overridden by -load-custom.",
    )  # fmt: skip
    add(
        "-reader", metavar="<reader>",
        help="How the files are read: \"Reader(line_format='user item rating timestamp', sep='\\t')\".",
    )  # fmt: skip
    add(
        "-n-folds",
        type=int,
        dest="n_folds",
        default=5,
        metavar="<number of folds>",
        help="5 by default.",
    )
    add("-seed", type=int, metavar="<random seed>", help="Seed of all random numbers; else of the system.")
    add(
        "--with-dump", dest="with_dump", action="store_true",
        help="Fit each fold once more, and save algorithm and predictions to a file.",
    )  # fmt: skip
    add(
        "-dump-dir", dest="dump_dir", metavar="<dir>",
        help="Folder for --with-dump; dumps in the data folder by default.",
    )  # fmt: skip
    add("--clean", dest="clean", action="store_true", help="Remove the folder of built-in datasets and end.")
    add("-v", "--version", action="version", version=surprise.__version__)
    return parser


if __name__ == "__main__":
    main()
