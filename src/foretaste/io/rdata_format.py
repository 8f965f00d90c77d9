"""What R keeps with ``save`` and ``saveRDS``, as far as tables of ratings need it.

"Serialization Formats", in R Internals (R Core Team), tells the format. Every length is held against the
bytes that are left before anything is made of it, so that a damaged file is refused and not tried.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAGIC = (b"RDX2\n", b"RDX3\n", b"X\n")  # an .rda of two versions, an .rds
_DEEPEST = 100

# Types of R's things, by their numbers there.
_SYMBOL, _LINKS, _ENVIRONMENT, _TEXT, _LIST, _OBJECT = 1, (2, 3, 5, 6, 17), 4, 9, (19, 20), 25
_NUMBERS = {10: ">i4", 13: ">i4", 14: ">f8", 15: ">c16", 24: "u1"}
_STRINGS, _REFERENCE, _PLACES, _OTHER_WAY = 16, 255, (247, 248, 249), 238
_NOTHING = (254, 253, 252, 251, 250, 242, 241)


class Damaged(ValueError):
    """The bytes are not what R writes, or are written in a way that is not read here."""


@dataclass
class Thing:
    """A thing of R.

    Parameters
    ----------
    value : object
        An array of numbers, a list of texts or of things, a text, or None.
    slots : dict of str to Thing
        Its attributes; of an object, its slots.
    """

    value: Any = None
    slots: dict[str, Thing] = field(default_factory=dict)


def things(data: bytes) -> dict[str, Thing]:
    """Return what is in a file by name; of an .rds, under an empty name.

    Raises
    ------
    Damaged
        If that cannot be read.
    """
    named = data.startswith(MAGIC[:2])
    reader = _Reader(data[5:] if named else data)
    thing = reader.file()
    return thing.slots if named else {"": thing}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0
        self._seen: list[Thing] = []
        self._depth = 0

    def file(self) -> Thing:
        if self._take(2) != b"X\n":
            raise Damaged("it is not in R's binary format")
        version, _, _ = self._int(), self._int(), self._int()
        if version not in (2, 3):
            raise Damaged(f"it is of version {version} of the format")
        if version == 3:
            self._take(self._length(1))  # the encoding of the machine that wrote it
        return self._thing()

    def _take(self, size: int) -> bytes:
        part = self._data[self._place : self._place + size]
        if size < 0 or len(part) < size:
            raise Damaged("it ends too early")
        self._place += size
        return part

    def _int(self) -> int:
        number: int = struct.unpack(">i", self._take(4))[0]
        return number

    def _length(self, size: int) -> int:
        """Read how many parts of at least ``size`` bytes follow."""
        length = self._int()
        if length < 0 or length * size > len(self._data) - self._place:
            raise Damaged(f"it says that {length} parts follow where there is no room for them")
        return length

    def _thing(self, flags: int | None = None) -> Thing:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Damaged("its parts stand in one another too deep")
        flags = self._int() & 0xFFFFFFFF if flags is None else flags
        kind, has_slots, has_name = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        if kind in _LINKS:
            found = self._links(has_slots, has_name)
        elif kind == _REFERENCE:
            found = self._reference(flags >> 8)
        else:
            found = self._plain(kind)
            if has_slots and kind != _TEXT:
                found.slots = self._thing().slots
        self._depth -= 1
        return found

    def _plain(self, kind: int) -> Thing:
        if kind in _NOTHING:
            return Thing()
        if kind == _TEXT:
            length = self._int()
            return Thing(None if length == -1 else self._take(length).decode("utf-8", "replace"))
        if kind in _NUMBERS:
            dtype = np.dtype(_NUMBERS[kind])
            return Thing(np.frombuffer(self._take(self._length(dtype.itemsize) * dtype.itemsize), dtype))
        if kind == _STRINGS:
            return Thing([self._thing().value for _ in range(self._length(4))])
        if kind in _LIST:
            return Thing([self._thing() for _ in range(self._length(4))])
        if kind == _OBJECT:
            return Thing()
        if kind in (_SYMBOL, _ENVIRONMENT, *_PLACES):
            return self._kept(kind)
        if kind == _OTHER_WAY:
            return self._other_way()
        raise Damaged(f"it holds a thing of kind {kind}, which no table of ratings has")

    def _kept(self, kind: int) -> Thing:
        """Read a thing that later ones may refer to."""
        found = Thing()
        if kind == _SYMBOL:
            found.value = self._thing().value
            self._seen.append(found)
        elif kind == _ENVIRONMENT:
            self._int()
            self._seen.append(found)
            for _ in range(4):
                self._thing()
        else:
            self._int()
            found.value = [self._thing().value for _ in range(self._length(4))]
            self._seen.append(found)
        return found

    def _reference(self, number: int) -> Thing:
        number = number or self._int()
        if not 1 <= number <= len(self._seen):
            raise Damaged("it refers to what it does not hold")
        return self._seen[number - 1]

    def _links(self, has_slots: bool, has_name: bool) -> Thing:
        """Read a linked list: its values by name, those without one by their place."""
        found = Thing([])
        while True:
            if has_slots:
                self._thing()
            name = self._thing().value if has_name else None
            value = self._thing()
            found.value.append(value)
            found.slots[str(len(found.value) - 1 if name is None else name)] = value
            flags = self._int() & 0xFFFFFFFF
            kind, has_slots, has_name = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
            if kind not in _LINKS:
                if kind not in _NOTHING:  # what stands in the place of an end
                    found.value.append(self._thing(flags))
                return found

    def _other_way(self) -> Thing:
        """Read numbers that R keeps in another way than one by one."""
        how, state, slots = self._thing(), self._thing(), self._thing()
        name = how.value[0].value if isinstance(how.value, list) and how.value else None
        ways: dict[Any, Callable[[], Any]] = {
            "compact_intseq": lambda: _sequence(state.value),
            "compact_realseq": lambda: _sequence(state.value),
            "wrap_integer": lambda: state.value[0].value,
            "wrap_real": lambda: state.value[0].value,
            "wrap_string": lambda: state.value[0].value,
        }
        if name not in ways:
            raise Damaged("it is written in a way that is not read here; save it with version = 2")
        try:
            return Thing(ways[name](), slots.slots)
        except (TypeError, IndexError, AttributeError):
            raise Damaged("numbers in it are kept in a way that R does not use") from None


def _sequence(state: Any) -> Any:
    count, first, step = (float(number) for number in state[:3])
    if not (0 <= count <= 1e8 and np.isfinite([first, step]).all()):
        raise Damaged("a sequence in it is too long")
    return first + step * np.arange(int(count))
