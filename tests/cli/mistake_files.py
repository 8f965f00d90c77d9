"""Files for the seeded command-line mistakes: good ones, and each bad in one way."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import polars as pl

import foretaste
from foretaste.models import Bias

HEAD = "userId,itemId,rating"
EURO = "user;item;rating"


def write_all() -> None:
    """Write them into the working folder."""
    user, item = np.divmod(np.random.default_rng(0).choice(600, 300, replace=False), 20)
    rows = [(u, i, (u + i) % 5 + 1) for u, i in zip((user + 1).tolist(), (item + 1).tolist(), strict=True)]
    lines = [",".join(map(str, row)) for row in rows]
    text = "\n".join([HEAD, *lines]) + "\n"
    Path("ratings.csv").write_text(text)
    foretaste.save(Bias().fit(foretaste.read_ratings("ratings.csv")), "bias.foretaste")
    named = [f"ann{u},film{i},{r}" for u, i, r in rows]
    Path("named.csv").write_text("\n".join([HEAD, *named]) + "\n")
    foretaste.save(Bias().fit(foretaste.read_ratings("named.csv")), "named.foretaste")
    _write_texts(text, rows, lines)
    _write_others(text, rows)


def _write_texts(text: str, rows: list[tuple[int, int, int]], lines: list[str]) -> None:
    def spoilt(name: str, *more: str) -> None:
        Path(name).write_text("\n".join([HEAD, *lines, *more]) + "\n")

    spoilt("na.csv", "31,1,N/A")
    spoilt("inf.csv", "31,1,inf", "31,2,NaN")
    spoilt("twice.csv", lines[0])
    spoilt("ragged.csv", "31,1", "31,2,3,4")
    spoilt("noid.csv", ",1,3")
    spoilt("times.csv")
    dated = [f"{line},2020-01-0{place % 9 + 1}" for place, line in enumerate(lines)]
    dated[4] = f"{lines[4]},yesterday"
    Path("times.csv").write_text("\n".join([f"{HEAD},date", *dated]) + "\n")
    Path("headless.csv").write_text("\n".join(lines) + "\n")
    Path("colons.dat").write_text("\n".join("::".join(map(str, row)) for row in rows) + "\n")
    Path("bom.csv").write_text("\ufeff" + text, encoding="utf-8")
    Path("comma.csv").write_text("\n".join([EURO, *(f"{u};{i};{r},5" for u, i, r in rows)]) + "\n")
    Path("latin.csv").write_bytes(
        "\n".join([HEAD, *(f"Ren\xe9{u},{i},{r}" for u, i, r in rows)]).encode("latin-1")
    )
    Path("sixteen.csv").write_text(text, encoding="utf-16")
    Path("empty.csv").write_text("")
    Path("odd.csv").write_text("\n".join(["a,b,c,d,e", *(f"{u},{i},{r},x,y" for u, i, r in rows)]) + "\n")
    table = {row[:2]: row[2] for row in rows}
    wide = [",".join([str(u), *(str(table.get((u, i), "")) for i in range(1, 21))]) for u in range(1, 31)]
    Path("wide.csv").write_text("\n".join([",".join(["user", *map(str, range(101, 121))]), *wide]) + "\n")
    Path("wide-headless.csv").write_text("\n".join(wide) + "\n")
    Path("pairs.csv").write_text("user,item\n" + "\n".join(f"{u},{i}" for u, i, _ in rows[:5]) + "\n")
    Path("pairs-named.csv").write_text("user,item\nann1,film2\nann2,film3\n")
    both = "\n".join(f"ann{u},film{i},{u},{i}" for u, i, _ in rows[:5])
    Path("pairs-both.csv").write_text(f"user,item,user_number,item_number\n{both}\n")
    both = "\n".join(f"{u},{i},ann{u},film{i}" for u, i, _ in rows[:5])
    Path("pairs-coded.csv").write_text(f"user,item,user_name,item_name\n{both}\n")
    Path("pairs-lone.csv").write_text("userId,note,when,by,shelf\n1,a,b,c,5\n2,a,b,c,6\n")
    Path("items.csv").write_text("itemId,title\n" + "\n".join(f"{i},Film {i}" for i in range(1, 21)) + "\n")
    Path("items-twice.csv").write_text(
        "itemId,title\n" + "".join(f"{i},Film {i}\n" for i in [*range(1, 21), 3])
    )


def _write_others(text: str, rows: list[tuple[int, int, int]]) -> None:
    packed = gzip.compress(text.encode())
    Path("packed.csv").write_bytes(packed)
    Path("cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    frame = pl.DataFrame({name: [row[at] for row in rows] for at, name in enumerate(HEAD.split(","))})
    frame.write_parquet("parquet.csv")
    with zipfile.ZipFile("several.zip", "w") as archive:
        archive.writestr("ml/ratings.csv", text)
        archive.writestr("ml/movies.csv", "movieId,title\n1,Heat\n")
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Ratings"
    for line in [HEAD.split(","), *rows]:
        book.active.append(list(line))
    book.create_sheet("Notes").append(["nothing"])
    book.save("book.xlsx")
    connection = sqlite3.connect("shop.sqlite")
    connection.execute("CREATE TABLE ratings (user INTEGER, item INTEGER, rating REAL)")
    connection.execute("CREATE TABLE shelves (item INTEGER, shelf TEXT)")
    connection.executemany("INSERT INTO ratings VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    Path("folder").mkdir()
    (Path("folder") / "ratings.csv").write_text(text)
    model = Path("bias.foretaste").read_bytes()
    Path("newer.foretaste").write_bytes(model.replace(b'\\"format\\": 2', b'\\"format\\": 9'))
    Path("cut.foretaste").write_bytes(model[:-40])
