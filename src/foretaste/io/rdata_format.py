"""Parser of R's serialization format (``save``, ``saveRDS``), as far as rating matrices need it.

Format: "Serialization Formats" in R Internals (R Core Team). Every length is checked against the remaining
bytes before memory is allocated, so that a damaged file raises an error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste.io.archive import CorruptFileError

MAGIC = (b"RDX2\n", b"RDX3\n", b"X\n")  # .rda of versions 2 and 3, .rds
_MAX_DEPTH = 100

# SEXP types and special codes.
_SYMBOL, _PAIRLISTS, _ENVIRONMENT, _CHAR, _VECTOR_LISTS, _S4 = 1, (2, 3, 5, 6, 17), 4, 9, (19, 20), 25
_NUMBERS = {10: ">i4", 13: ">i4", 14: ">f8", 15: ">c16", 24: "u1"}
_STRINGS, _REFERENCE, _NAMESPACES, _ALTREP = 16, 255, (247, 248, 249), 238
_NULLS = (254, 253, 252, 251, 250, 242, 241)


@dataclass
class RObject:
    """An R object.

    Parameters
    ----------
    value : object
        A numeric array, a list of strings or of objects, a string, or None.
    slots : dict of str to Thing
        Its attributes; of an object, its slots.
    """

    value: Any = None
    slots: dict[str, RObject] = field(default_factory=dict)


def parse_rdata(data: bytes) -> dict[str, RObject]:
    """Return the objects of a file by name; the object of an .rds has an empty name.

    Raises
    ------
    Damaged
        If the file is damaged or unsupported.
    """
    is_rda = data.startswith(MAGIC[:2])
    reader = _Reader(data[5:] if is_rda else data)
    obj = reader.read_file()
    return obj.slots if is_rda else {"": obj}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._offset = data, 0
        self._sequence_budget = len(data)  # elements; a file that needs more of them is hostile
        self._references: list[RObject] = []
        self._depth = 0

    def read_file(self) -> RObject:
        if self._read_bytes(2) != b"X\n":
            raise CorruptFileError("it is not in R's binary (XDR) format")
        version, _, _ = self._read_int(), self._read_int(), self._read_int()
        if version not in (2, 3):
            raise CorruptFileError(f"version {version} of the format is not supported")
        if version == 3:
            self._read_bytes(self._read_length(1))  # the native encoding of the writer
        return self._read_object()

    def _read_bytes(self, size: int) -> bytes:
        chunk = self._data[self._offset : self._offset + size]
        if size < 0 or len(chunk) < size:
            raise CorruptFileError("unexpected end of file")
        self._offset += size
        return chunk

    def _read_int(self) -> int:
        number: int = struct.unpack(">i", self._read_bytes(4))[0]
        return number

    def _read_length(self, size: int) -> int:
        """Read the number of elements, of at least ``size`` bytes each, that follow."""
        length = self._read_int()
        if length < 0 or length * size > len(self._data) - self._offset:
            raise CorruptFileError(f"a length of {length} exceeds the file")
        return length

    def _read_object(self, flags: int | None = None) -> RObject:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise CorruptFileError("objects are nested too deeply")
        flags = self._read_int() & 0xFFFFFFFF if flags is None else flags
        kind, has_slots, has_name = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        if kind in _PAIRLISTS:
            obj = self._read_pairlist(has_slots, has_name)
        elif kind == _REFERENCE:
            obj = self._resolve_reference(flags >> 8)
        else:
            obj = self._read_value(kind)
            if has_slots and kind != _CHAR:
                obj.slots = self._read_object().slots
        self._depth -= 1
        return obj

    def _read_value(self, kind: int) -> RObject:
        if kind in _NULLS:
            return RObject()
        if kind == _CHAR:
            length = self._read_int()
            return RObject(None if length == -1 else self._read_bytes(length).decode("utf-8", "replace"))
        if kind in _NUMBERS:
            dtype = np.dtype(_NUMBERS[kind])
            return RObject(
                np.frombuffer(self._read_bytes(self._read_length(dtype.itemsize) * dtype.itemsize), dtype)
            )
        if kind == _STRINGS:
            return RObject([self._read_object().value for _ in range(self._read_length(4))])
        if kind in _VECTOR_LISTS:
            return RObject([self._read_object() for _ in range(self._read_length(4))])
        if kind == _S4:
            return RObject()
        if kind in (_SYMBOL, _ENVIRONMENT, *_NAMESPACES):
            return self._read_referable(kind)
        if kind == _ALTREP:
            return self._read_altrep()
        raise CorruptFileError(f"R type {kind} is not supported")

    def _read_referable(self, kind: int) -> RObject:
        """Read an object that later ones may refer to."""
        obj = RObject()
        if kind == _SYMBOL:
            obj.value = self._read_object().value
            self._references.append(obj)
        elif kind == _ENVIRONMENT:
            self._read_int()
            self._references.append(obj)
            for _ in range(4):
                self._read_object()
        else:
            self._read_int()
            obj.value = [self._read_object().value for _ in range(self._read_length(4))]
            self._references.append(obj)
        return obj

    def _resolve_reference(self, number: int) -> RObject:
        number = number or self._read_int()
        if not 1 <= number <= len(self._references):
            raise CorruptFileError("invalid reference")
        return self._references[number - 1]

    def _read_pairlist(self, has_slots: bool, has_name: bool) -> RObject:
        """Read a pairlist: values by name, those without a name by position."""
        obj = RObject([])
        while True:
            if has_slots:
                self._read_object()
            name = self._read_object().value if has_name else None
            value = self._read_object()
            obj.value.append(value)
            obj.slots[str(len(obj.value) - 1 if name is None else name)] = value
            flags = self._read_int() & 0xFFFFFFFF
            kind, has_slots, has_name = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
            if kind not in _PAIRLISTS:
                if kind not in _NULLS:  # the tail of a dotted pair
                    obj.value.append(self._read_object(flags))
                return obj

    def _read_altrep(self) -> RObject:
        """Read a vector in a compact (ALTREP) representation."""
        class_info, state, slots = self._read_object(), self._read_object(), self._read_object()
        name = class_info.value[0].value if isinstance(class_info.value, list) and class_info.value else None
        decoders: dict[Any, Callable[[], Any]] = {
            "compact_intseq": lambda: self._expand_sequence(state.value),
            "compact_realseq": lambda: self._expand_sequence(state.value),
            "wrap_integer": lambda: state.value[0].value,
            "wrap_real": lambda: state.value[0].value,
            "wrap_string": lambda: state.value[0].value,
        }
        if name not in decoders:
            raise CorruptFileError("this ALTREP class is not supported; save it with version = 2")
        try:
            return RObject(decoders[name](), slots.slots)
        except (TypeError, IndexError, AttributeError):
            raise CorruptFileError("invalid ALTREP vector") from None

    def _expand_sequence(self, state: Any) -> Any:
        """Expand ``first, first + step, ...``; all sequences together are no longer than the file."""
        count, first, step = (float(number) for number in state[:3])
        if not (0 <= count <= self._sequence_budget and np.isfinite([first, step]).all()):
            raise CorruptFileError("a compact sequence is too long")
        self._sequence_budget -= int(count)
        return first + step * np.arange(int(count))
