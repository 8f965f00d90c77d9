"""Writes a ``realRatingMatrix`` as R would: as much of R's ``save`` format as that needs."""

from __future__ import annotations

import struct

NULL = struct.pack(">i", 254)


def whole_numbers(values: list[int]) -> bytes:
    return struct.pack(">ii", 13, len(values)) + struct.pack(f">{len(values)}i", *values)


def real_numbers(values: list[float]) -> bytes:
    return struct.pack(">ii", 14, len(values)) + struct.pack(f">{len(values)}d", *values)


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">ii", 0x00040009, len(data)) + data


def texts(values: list[str]) -> bytes:
    return struct.pack(">ii", 16, len(values)) + b"".join(map(text, values))


def items(values: list[bytes]) -> bytes:
    return struct.pack(">ii", 19, len(values)) + b"".join(values)


def named(values: dict[str, bytes]) -> bytes:
    """Return a linked list with names."""
    links = (struct.pack(">ii", 0x402, 1) + text(name) + value for name, value in values.items())
    return b"".join(links) + NULL


def instance(slots: dict[str, bytes]) -> bytes:
    """Return an object of a class of R, S4."""
    return struct.pack(">i", 25 | 0x100 | 0x200) + named(slots)


def compact_sequence(count: float, first: float = 1.0, step: float = 1.0) -> bytes:
    """Return whole numbers in R's compact representation (ALTREP)."""
    kind = struct.pack(">ii", 2, 1) + text("compact_intseq") + NULL
    return struct.pack(">i", 238) + kind + real_numbers([count, first, step]) + NULL


def saved(name: str, thing: bytes) -> bytes:
    """Return an R file with one named object."""
    version = struct.pack(">iiii", 3, 0x00040300, 0x00030500, 5) + b"UTF-8"
    return b"RDX3\nX\n" + version + named({name: thing})


def rating_matrix(
    rows: list[int], starts: list[int], values: list[float], shape: tuple[int, int], names: list[bytes]
) -> bytes:
    """Return a realRatingMatrix of recommenderlab: ratings by columns, row numbers from 0."""
    matrix = instance(
        {
            "i": whole_numbers(rows),
            "p": whole_numbers(starts),
            "Dim": whole_numbers(list(shape)),
            "Dimnames": items(names),
            "x": real_numbers(values),
            "class": texts(["dgCMatrix"]),
        }
    )
    return instance({"data": matrix, "normalize": NULL, "class": texts(["realRatingMatrix"])})


SMALL = saved(
    "ratings",
    rating_matrix(
        [0, 2, 1, 0], [0, 2, 3, 4], [3.5, 2.2e-308, -1.0, 5.0], (3, 3),
        [texts(["u1", "u2", "u3"]), texts(["j1", "j2", "j3"])],
    ),
)  # fmt: skip
