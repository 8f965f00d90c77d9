"""Whether an old workbook (.xls) can be given to its reader, which follows chains of sectors without end."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_IN_HEADER = 109  # sectors of the table of chains that the header itself lists
_SMALL = 4096  # shorter streams stand together in one
_LAST = 0xFFFFFFFA  # from here on a number is no sector: the end of a chain, a free one

Chains = npt.NDArray[np.int64]


def check_chains(data: bytes, name: str) -> None:
    """Refuse a compound file whose chains run in a circle or whose streams are longer than the file.

    Parameters
    ----------
    data : bytes
        Of any file; one of another kind passes.
    name : str
        What it is called, for the error.

    Raises
    ------
    BadData
        Saying what is damaged.
    """
    if not data.startswith(MAGIC):
        return
    try:
        _check(data)
    except (ValueError, struct.error, IndexError) as error:
        raise BadData(
            f"{name} is a workbook that is cut off or damaged ({error})",
            hint="fetch it again, or open it and save it again",
        ) from None


def _check(data: bytes) -> None:
    size = 1 << min(struct.unpack_from("<H", data, 30)[0], 20)
    if size not in (512, 4096):
        raise ValueError(f"sectors of {size} bytes")
    start, small_start, more = (struct.unpack_from("<I", data, place)[0] for place in (0x30, 0x3C, 0x44))
    listed = list(struct.unpack_from(f"<{_IN_HEADER}I", data, 0x4C))
    seen = 0
    while more < _LAST:
        *found, more = _numbers(data, more, size).tolist()
        listed += found
        seen += 1
        if seen * size > len(data):
            raise ValueError("its table of chains runs in a circle")
    sectors = [number for number in listed if number < _LAST]
    chains = _joined(data, sectors, size)
    _require_ends(chains)
    if small_start < _LAST:
        _require_ends(_joined(data, _chain(chains, small_start), size))
    for sector in _chain(chains, start):
        part = _sector(data, sector, size)
        for entry in range(0, size, 128):
            first = int.from_bytes(part[entry + 116 : entry + 120], "little")
            length = int.from_bytes(part[entry + 120 : entry + (124 if size == 512 else 128)], "little")
            if length > len(data):
                raise ValueError(f"a stream of {length:,} bytes in a file of {len(data):,}")
            if length >= _SMALL:
                _sector(data, max(_chain(chains, first), default=0), size)


def _sector(data: bytes, sector: int, size: int) -> bytes:
    start = (sector + 1) * size  # the header has one, too
    if start >= len(data) or (len(data) - start < size and size == 512):
        raise ValueError(f"it ends before sector {sector:,}")
    return data[start : start + size].ljust(size, b"\xff")  # the last of the large ones may be short


def _numbers(data: bytes, sector: int, size: int) -> Chains:
    return np.frombuffer(_sector(data, sector, size), "<u4").astype(np.int64)


def _joined(data: bytes, sectors: list[int], size: int) -> Chains:
    if len(sectors) * size > len(data) + size:
        raise ValueError("more sectors than the file has")
    return np.concatenate([np.empty(0, np.int64), *(_numbers(data, sector, size) for sector in sectors)])


def _require_ends(chains: Chains) -> None:
    """Raise ValueError if following the chains does not come to an end from everywhere."""
    end = len(chains)
    after = np.append(np.where(chains < end, chains, end), end)
    for _ in range(end.bit_length() + 1):  # each time twice as far
        after = after[after]
    if (after != end).any():
        raise ValueError("a chain of sectors runs in a circle")


def _chain(chains: Chains, sector: int) -> list[int]:
    found = []
    while sector < len(chains):
        found.append(sector)
        sector = int(chains[sector])
    return found
