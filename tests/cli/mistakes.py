"""Command-line mistakes, what the message must name, and the command that fixes them."""

from __future__ import annotations

from dataclasses import dataclass

FIT = "fit Bias {} -o m.foretaste"
COMPARE = "compare {} --models Bias --no-memory"


@dataclass(frozen=True)
class Mistake:
    """A command typed wrongly, or rightly about a file that is wrong.

    Parameters
    ----------
    what : str
    line : str
        What is typed after ``foretaste``.
    names : tuple of str
        What the message must name: the place, the value.
    ends : str
        What the printed command must contain to fix this mistake.
    learned : int
        Number of ratings that the printed command trains on, if it trains.
    """

    what: str
    line: str
    names: tuple[str, ...]
    ends: str
    learned: int = 300


def fit(file: str, *options: str) -> str:
    return " ".join([FIT.format(file), *options])


def compare(file: str, *options: str) -> str:
    return " ".join([COMPARE.format(file), *options])


MENDED = [
    # Columns
    Mistake(
        "a column misspelt",
        fit("ratings.csv", "--rating-column raiting"),
        ('"raiting"', "userId, itemId, rating"),
        "--rating-column rating",
    ),
    Mistake(
        "a column in a wrong role",
        fit("ratings.csv", "--user-column rating"),
        ('"rating" is taken for the user',),
        "--user-column userId",
    ),
    Mistake(
        "columns without usual names",
        fit("odd.csv"),
        ("for the user", "nor for the rating", "a, b, c, d, e"),
        "--item-column b",
    ),
    Mistake(
        "pairs without an item column",
        "predict bias.foretaste pairs-lone.csv",
        ("item", "userId, note, when"),
        "--item-column note",
    ),
    # How the text is written
    Mistake(
        "a wrong separator",
        fit("ratings.csv", "--separator ';'"),
        ("ratings.csv", "';'", "1 | userId,itemId,rating"),
        "m.foretaste",
    ),
    Mistake(
        "commas for a file with ::",
        fit("colons.dat", "--separator ,"),
        ("colons.dat", "','", "::"),
        "m.foretaste",
    ),
    Mistake(
        "decimal commas", fit("comma.csv"), ("comma.csv, line 2", '"2,5"', "decimal comma"), "--decimal ,"
    ),
    Mistake(
        "a header that is said to be none",
        fit("ratings.csv", "--no-header"),
        ("line 1", '"rating", not a number'),
        "--header",
    ),
    Mistake(
        "a header that is not there",
        fit("headless.csv", "--header"),
        ("line 1", "not a header, but a rating"),
        "--no-header",
    ),
    Mistake("latin-1", fit("latin.csv"), ("latin.csv, line 2", "0xe9"), "--encoding latin-1"),
    Mistake("utf-16", fit("sixteen.csv"), ("sixteen.csv", "UTF-16"), "--encoding utf-16"),
    Mistake(
        "utf-8 read as utf-16",
        fit("ratings.csv", "--encoding utf-16"),
        ("ratings.csv", "utf-16"),
        "--encoding utf-8",
    ),
    Mistake("an encoding misspelt", fit("ratings.csv", "--encoding utf8x"), ("'utf8x'",), "--encoding utf-8"),
    Mistake("a wide table", fit("wide.csv"), ("wide.csv has 21 columns", "user, 101, 102"), "--layout wide"),
    Mistake(
        "a wide table without names",
        fit("wide-headless.csv"),
        ("wide-headless.csv has 21 columns",),
        "--layout wide --user-column 0",
    ),
    # Cells
    Mistake("N/A", fit("na.csv"), ("na.csv, line 302", '"N/A"', "302 | 31,1,N/A"), "rating <> 'N/A'"),
    Mistake(
        "NaN and inf", fit("inf.csv"), ("inf.csv, line 302", '"inf"', "302, 303"), "NOT IN ('inf', 'NaN')"
    ),
    Mistake(
        "a pair twice", fit("twice.csv"), ("twice.csv", "user 13", "line 2", "line 302"), "--duplicates last"
    ),
    Mistake(
        "ragged lines",
        fit("ragged.csv"),
        ("ragged.csv, line 302", "2 fields", "302 | 31,1"),
        "--on-error skip",
    ),
    Mistake("ids that are missing", fit("noid.csv"), ("noid.csv, line 302", "user id"), "userId IS NOT NULL"),
    Mistake(
        "times that are none",
        fit("times.csv", "--timestamp-column date"),
        ("times.csv, line 6", '"yesterday"'),
        "--on-error skip",
        299,
    ),
    # Conditions and scales
    Mistake(
        "a condition on no column",
        fit("ratings.csv", '--where "ratting > 2"'),
        ('"ratting"', "userId, itemId, rating"),
        "rating > 2",
        184,
    ),
    Mistake(
        "text compared with a number",
        fit("ratings.csv", """--where "rating > '2'" """),
        ("rating > '2'",),
        "rating > 2",
        184,
    ),
    Mistake("half a condition", fit("ratings.csv", '--where "rating >"'), ("'rating >'",), "rating >=", 240),
    Mistake(
        "a condition that nothing fulfils",
        fit("ratings.csv", '--where "rating > 9"'),
        ("ratings.csv", "rating > 9"),
        "m.foretaste",
    ),
    Mistake(
        "a scale too narrow", fit("ratings.csv", "--scale 2,3"), ("2 to 3", "5 in line 3"), "--scale 1,5"
    ),
    Mistake("a scale upside down", fit("ratings.csv", "--scale 5,1"), ("--scale", "below"), "--scale 1,5"),
    Mistake("half a scale", compare("ratings.csv", "--scale 5"), ("--scale", "'5'"), "--scale 1,5"),
    # What is inside a file
    Mistake(
        "a zip archive of several files",
        fit("several.zip"),
        ("several.zip", "ml/movies.csv"),
        "--member ml/ratings.csv",
    ),
    Mistake(
        "a member misspelt",
        fit("several.zip", "--member rating.csv"),
        ("'rating.csv'", "ml/movies.csv"),
        "--member ml/ratings.csv",
    ),
    Mistake(
        "a sheet misspelt", fit("book.xlsx", "--sheet ratings"), ('"ratings"', '"Notes"'), "--sheet Ratings"
    ),
    Mistake(
        "a database of two tables", fit("shop.sqlite"), ("shop.sqlite", "ratings, shelves"), "--table ratings"
    ),
    Mistake(
        "a table misspelt",
        fit("shop.sqlite", "--table rating"),
        ("'rating'", "ratings, shelves"),
        "--table ratings",
    ),
    Mistake(
        "a folder for a file", fit("folder"), ("folder is a folder", "ratings.csv"), "folder/ratings.csv"
    ),
    # Models and ratings
    Mistake(
        "ids of another type: a model of numbers",
        "predict bias.foretaste pairs-both.csv",
        ("pairs-both.csv", "'ann13'", "e.g. 1, 2"),
        "--user-column user_number",
    ),
    Mistake(
        "ids of another type: a model of texts",
        "predict named.foretaste pairs-coded.csv",
        ("pairs-coded.csv", "'13'", "'ann1'"),
        "--item-column item_name",
    ),
    Mistake(
        "nobody and nothing",
        "predict bias.foretaste --user 9001 --item 9002",
        ("'9001'", "'9002'", "1 to 30"),
        "--user 30",
    ),
    Mistake(
        "an item that is unknown",
        "similar ratings.csv --item 999",
        ("'999'", "1 to 20"),
        "similar ratings.csv --item 20",
    ),
    Mistake(
        "ratings shown as a model",
        "show ratings.csv",
        ("ratings.csv is no foretaste model",),
        "audit ratings.csv",
    ),
    Mistake(
        "ratings for a model",
        "predict ratings.csv pairs.csv",
        ("ratings.csv is no foretaste model",),
        "predict ratings.foretaste pairs.csv",
    ),
    Mistake(
        "a model for ratings",
        compare("bias.foretaste"),
        ("bias.foretaste is a fitted model",),
        "show bias.foretaste",
    ),
    Mistake(
        "pairs before the model",
        "predict pairs.csv bias.foretaste",
        ("pairs.csv is no",),
        "predict bias.foretaste pairs.csv",
    ),
    Mistake(
        "ratings before the model file",
        "evaluate ratings.csv bias.foretaste",
        ("ratings.csv is no",),
        "evaluate bias.foretaste ratings.csv",
    ),
    Mistake(
        "ratings before the model's name",
        "fit ratings.csv Bias -o m.foretaste",
        ("the model comes before", "ratings.csv"),
        "fit Bias ratings.csv",
    ),
    Mistake(
        "no model at all",
        "fit ratings.csv -o m.foretaste",
        ("the model comes before", "ratings.csv"),
        "fit Bias ratings.csv",
    ),
    Mistake("no -o", "fit Bias ratings.csv", ("'-o'",), "-o bias.foretaste"),
    Mistake(
        "a folder that is not there",
        "fit Bias ratings.csv -o new/m.foretaste",
        ("new/m.foretaste", "no folder"),
        "mkdir -p new && foretaste fit",
    ),
    Mistake(
        "an item twice",
        "similar ratings.csv --item 3 --items items-twice.csv",
        ("items-twice.csv, line 4", "4 | 3,Film 3", "4, 22"),
        "similar ratings.csv --item 3",
    ),
    # Words
    Mistake(
        "a command misspelt",
        "comprae ratings.csv --models Bias --no-memory",
        ('"comprae"', '"compare"'),
        "foretaste compare",
    ),
    Mistake("an option misspelt", compare("ratings.csv", "--foldz 3"), ("'--foldz'",), "--folds 3"),
    Mistake(
        "an option's value misspelt",
        compare("ratings.csv", "--duplicates lst"),
        ("'lst'", "'last'"),
        "--duplicates last",
    ),
    Mistake("a model misspelt", "fit Bais ratings.csv -o m.foretaste", ('"Bais"',), "fit Bias"),
    Mistake(
        "one of several models misspelt",
        "compare ratings.csv --models Bias,GlobalMaen --no-memory",
        ('"GlobalMaen"',),
        "Bias,GlobalMean",
    ),
    Mistake("a metric misspelt", compare("ratings.csv", "--metrics rmsee"), ('"rmsee"',), "--metrics rmse"),
    Mistake("a data set misspelt", compare("smaple"), ("smaple", '"sample"'), "compare sample"),
    Mistake("a file misspelt", compare("ratngs.csv"), ("ratngs.csv",), "compare ratings.csv"),
    Mistake(
        "a model file misspelt",
        "predict bais.foretaste pairs.csv",
        ("bais.foretaste",),
        "predict bias.foretaste",
    ),
    Mistake(
        "a parameter out of bounds",
        fit("ratings.csv", "--user-damping=-3"),
        ("--user-damping -3.0", "at least 0"),
        "--user-damping 5.0",
    ),
    Mistake(
        "a share in percent",
        compare("ratings.csv", "--test-size 20"),
        ("--test-size 20.0", "between 0 and 1"),
        "--test-size 0.2",
    ),
    Mistake("one fold", compare("ratings.csv", "--folds 1"), ("--folds 1", "2 to 300"), "--folds 5"),
]

# No command fixes these; the message says where and what to do.
NOT_MENDED = [
    Mistake("an empty file", fit("empty.csv"), ("empty.csv is empty",), "ls -l empty.csv"),
    Mistake(
        "a packed file cut off",
        fit("cut.csv.gz"),
        ("cut.csv.gz", "truncated"),
        "download it again; test it with: gzip -t cut.csv.gz",
    ),
    Mistake(
        "a model of a newer version",
        "show newer.foretaste",
        ("newer.foretaste has format 9", "reads formats up to 2"),
        "pip install --upgrade foretaste",
    ),
    Mistake(
        "ids that no column has",
        "predict bias.foretaste pairs-named.csv",
        ("pairs-named.csv", "'ann1'", "e.g. 1, 2"),
        "--user-column user",
    ),
]
