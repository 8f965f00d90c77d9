"""Fuzzing: small valid text tables, and structure-aware corruptions of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

RATINGS = [
    "userId,movieId,rating,timestamp\n1,10,3.5,881250949\n2,10,4,881250950\n1,20,2.5,881250951\n3,30,5,881250952\n",
    "1\t10\t3\t881250949\n2\t10\t4\t881250950\n1\t20\t2\t881250951\n2\t20\t5\t881250952\n",
    "1::10::3::881250949\n2::10::4::881250950\n1::20::2::881250951\n",
    "user;item;rating\nann;matrix;3,5\nbob;matrix;4,0\nann;heat;2,5\n",
    'user,item,rating\n"a,b","say ""x""",1\n"two\nlines",y,2\nc,"y",3\n',
    "reviewer|title|stars|date\nå|Ä|5|2020-01-02\nß|Ä|4|2020-01-03\nå|Ö|1|2020-01-04\n",
    "1 10 3\n2 10 4\n1  20 2\n 2\t20 5\n",
    "u1, i1, 3\nu2, i1, 4\nu1, i2, 2\n",
    "rating,weight,item,user\n3,1,10,1\n4,0.5,10,2\n2,0,20,1\n",
    "user,item,rating,time\n7,1,3,2020-01-02T03:04:05Z\n8,1,4,2020-01-02T03:04:06Z\n",
    "klant,artikel,cijfer\n1,2,3\n2,2,4\n2,3,4\n",
    "user,item,rating\n1,2,3\n1,2,4\n1,3,N/A\n,3,4\n2,3\n2,2,inf\n3,3,5\n3,2,1\n4,2,1\n",
]
ITEMS = [
    "movieId,title,genres\n1,Toy Story (1995),Adventure|Animation\n2,Heat,Crime\n3,Amélie,Romance\n",
    "1|Toy Story (1995)|01-Jan-1995||\n2|GoldenEye|01-Jan-1995||\n",
    "1::Toy Story (1995)::Animation\n2::Heat::Crime\n",
    'id,text\n1,"a, b"\n2,"two\nlines"\n3,"say ""no"""\n',
    "isbn;name\n0155061224;Rites\n044657X;Help\n",
]
PAIRS = [
    "user,item\n1,10\n2,20\n9,10\n",
    "1\t10\n2\t20\n",
    "userId;movieId;timestamp\n1;10;881250949\n2;20;881250950\n",
    'user,item,note\n1,10,"x, y"\n"2",20,\n',
    *RATINGS[:4],
]
SEPARATORS = (",", "\t", "::", "|", ";", ", ", " ", "  ")
TOKENS = (
    "", " ", "\0", '"', '""', '"""', "'", "\\", "\r", "\n", "\r\n", "\n\n", "\t", ",", ";", "::",
    "|", "#", "%",
    "\ufeff", "\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\u00a0", "é", "日本", "😀", "\u0301",
    "\U000e0001", "ſ",
    "NaN", "nan", "inf", "-inf", "Infinity", "null", "NULL", "None", "N/A", "NA", "-", "--", "true", "False",
    "0", "-0", "+1", "-1", "007", "1.", ".5", "1e5", "1e400", "-1e400", "1e-400", "3,5", "1.234,5", "1,234.5",
    "1_000", "0x10", "1" * 18, "9" * 18, "9" * 19, "9" * 40, "1" * 400, "3.40282357e38", "3.5e38", "16777217",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551616", "９", "٣",
    "2020-01-02", "2020-13-45", "9999-12-31", "0000-01-01", "99999-01-01", "2020-01-02 25:00",
    "2020-01-02T03:04:05.123456789Z", "2020-01-02 04:04:05+99:99", "1577934245000", "1577934245.5",
    "-1577934245",
    "user", "item", "rating", "userId", "timestamp", "column_1", "user,item,rating", "x" * 300,
    "a\nb", "=1+1",
)  # fmt: skip

Spoil = Callable[[Random, bytes], bytes]


def _flip_bits(rng: Random, data: bytes) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if spoilt:
            spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _cut(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] if rng.random() < 0.7 else data[place:]


def _splice(rng: Random, data: bytes) -> bytes:
    other = rng.choice(rng.choice([RATINGS, ITEMS, PAIRS])).encode()
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _insert(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + _token(rng).encode() + data[place:]


def _repeat(rng: Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.randint(1, 30))
    return data[:end] + data[start:end] * rng.choice([1, 2, 50]) + data[end:]


def _raw(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.randbytes(rng.randint(1, 4)) + data[place:]


def _lines(rng: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.randrange(5)
    if what == 0:
        lines.insert(other, lines[place])
    elif what == 1:
        del lines[place]
    elif what == 2:
        lines[place], lines[other] = lines[other], lines[place]
    elif what == 3:
        lines.insert(place, rng.choice([b"", b" ", b"\t", b",", b"# a remark", b'"', b"total,3,4"]))
    else:
        lines = [lines[0]] + lines[1:] * rng.choice([2, 60])
    return b"\n".join(lines)


def _fields(rng: Random, data: bytes) -> bytes:
    """Spoil one field of one line, or one column of all lines."""
    separator = _separator_of(data)
    lines = [line.split(separator) for line in data.split(b"\n")]
    place, what, token = rng.randrange(max(map(len, lines))), rng.randrange(6), _token(rng).encode()
    chosen = lines if rng.random() < 0.3 else [rng.choice(lines)]
    if rng.random() < 0.2:
        chosen = lines[:1]  # the header, where there is one
    for line in chosen:
        at = min(place, len(line) - 1)
        if what == 0:
            line.insert(at, line[at])
        elif what == 1:
            del line[at]
        elif what == 2:
            line.reverse()
        elif what == 3:
            line[at] = b'"' + line[at] + rng.choice([b'"', b"", b'" ', b'"x'])
        elif what == 4:
            line[at] = token
        else:
            line.insert(at, token)
    return b"\n".join(separator.join(line) for line in lines)


def _respell(rng: Random, data: bytes) -> bytes:
    """Write the whole text otherwise: other separators, other line ends, another encoding."""
    what = rng.randrange(6)
    if what == 0:
        return data.replace(_separator_of(data), rng.choice(SEPARATORS).encode())
    if what == 1:
        return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\n\r", b"\r\r\n"]))
    if what == 2:
        return data.rstrip(b"\n") + rng.choice([b"", b"\n\n\n", b"\r", b"\n \n", b"\x1a", b"\n\0"])
    if what == 3:
        return b"\xef\xbb\xbf" * rng.randint(1, 2) + data
    encoding = rng.choice(["utf-16", "utf-16-le", "latin-1", "utf-32", "cp1252", "utf-7"])
    return data.decode(errors="replace").encode(encoding, errors="replace")


def _separator_of(data: bytes) -> bytes:
    return max((s.encode() for s in SEPARATORS), key=lambda s: data.count(s) * len(s))


def _token(rng: Random) -> str:
    return (
        rng.choice(TOKENS)
        if rng.random() < 0.9
        else chr(rng.choice([rng.randrange(256), rng.randrange(0xD800)]))
    )


BYTES: tuple[Spoil, ...] = (_flip_bits, _cut, _insert, _repeat, _raw)
TEXTS: tuple[Spoil, ...] = (*BYTES, _splice, _lines, _lines, _fields, _fields, _fields, _fields, _respell)


def spoilt(rng: Random, data: bytes, ways: tuple[Spoil, ...] = TEXTS, most: int = 3) -> bytes:
    """Return data spoilt in one of some ways, or in up to ``most`` of them; now and then not at all."""
    if rng.random() < 0.15:
        return data
    for _ in range(rng.randint(1, most) if rng.random() < 0.4 else 1):
        data = rng.choice(ways)(rng, data)
    return data[:20_000]


# Options -------------------------------------------------------------------------------------------------

CONDITIONS = (
    "rating > 2", "userId <= 1", "user = 'ann'", "user = 1", "item IN (10, 20)",
    "movieId LIKE '1%'", "nope > 1",
    "rating", "1 = 1", "1", "NULL", "", "rating >", "COUNT(*) > 1", "SUM(rating) > 3", "rating / 0 > 1", "*",
    "rating > (SELECT 1)", "rating IS NOT NULL", "rating <> 'N/A'", "CAST(rating AS INT) > 2",
    "NOT rating > 3",
    "rating BETWEEN 1 AND 3", "timestamp > '2020-01-01'", "LENGTH(user) > 1", "user || item = 'x'",
    "rating ~ '['",
    "rating > 1; DROP TABLE x", "CASE WHEN rating > 2 THEN true ELSE false END", "rating = rating",
    "'x' = 'x'",
    "CAST(user AS INT) > 1", "CAST(rating AS DATE) > '2020-01-01'", "user LIKE NULL",
    "rating IN ()", "-rating < 0",
    "rating % 0 = 1", "ROW_NUMBER() OVER () > 1", "user = item", "`rating` > 2", '"rating" > 2',
    "column_1 > 1",
    "RANDOM() > 0.5", "SUBSTR(user, 99999999999999999999) = 'x'",
    "rating > 99999999999999999999999999", "true",
)  # fmt: skip
_ENCODINGS = (
    "utf-8", "utf8", "UTF_8", "utf-8-sig", "latin-1", "utf-16", "utf-32", "cp1252", "shift_jis",
    "ascii", "utf-7",
    "gb18030", "idna", "punycode", "hex", "base64", "rot13", "zlib", "unicode_escape", "raw_unicode_escape",
    "undefined", "nothing", "", "utf-8\0", "cp037", "mbcs", "oem",
)  # fmt: skip
_COLUMNS = (
    0, 1, 2, 3, -1, 99, True, 1.5, "userId", "user", "item", "rating", "timestamp", "column_1", "", "nope",
)  # fmt: skip
_SCALES = (
    (1, 5),
    (0, 1),
    (-10, 10),
    (5, 1),
    (1, 1),
    ("a", 2),
    (float("nan"), 1),
    5,
    (1, 2, 3),
    "15",
    (0, 1e400),
)
_SEPARATORS = (
    *SEPARATORS,
    "whitespace",
    "",
    '"',
    "\n",
    "\r",
    "é",
    "日",
    "a",
    "1",
    ".",
    "\x1f",
    "\0",
    ",,",
    5,
    "\\",
)


def written(rng: Random) -> dict:
    """Return options on how a text is written, mostly few, sometimes foolish."""
    options: dict = {}
    if rng.random() < 0.6:
        return options
    if rng.random() < 0.2:
        options["separator"] = rng.choice(_SEPARATORS)
    if rng.random() < 0.3:
        options["header"] = rng.choice([True, False, True, False, 1, "no"])
    if rng.random() < 0.25:
        options["encoding"] = rng.choice(_ENCODINGS)
    return options


def columns(rng: Random, roles: tuple[str, ...]) -> dict:
    """Return a choice of columns, mostly none."""
    if rng.random() < 0.7:
        return {}
    return {role: rng.choice(_COLUMNS) for role in roles if rng.random() < 0.25}


def checks(rng: Random) -> dict:
    """Return options on what is refused and what is left out."""
    options: dict = {}
    if rng.random() < 0.3:
        return {"duplicates": rng.choice(["last", "first", "mean"]), "on_error": "skip"}
    if rng.random() < 0.15:
        options["scale"] = rng.choice(_SCALES)
    if rng.random() < 0.3:
        options["duplicates"] = rng.choice(
            ["raise", "last", "first", "mean", "last", "first", "mean", "all", None]
        )
    if rng.random() < 0.15:
        options["where"] = _condition(rng)
    if rng.random() < 0.1:
        options["decimal"] = rng.choice([",", ",", ".", ";", "", None])
    return options


def _condition(rng: Random) -> str:
    text = rng.choice(CONDITIONS)
    if rng.random() < 0.3:
        text = spoilt(rng, text.encode(), (_flip_bits, _cut, _insert)).decode(errors="replace")
    if rng.random() < 0.1:
        text = f"{text} {rng.choice(['AND', 'OR', '=', '+', ','])} {rng.choice(CONDITIONS)}"
    return re.sub(r"\d{30,}", lambda found: found.group()[:30], text)
