"""Texts packed as bytes and offsets round-trip or raise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste._utils.text_arrays import pack_texts, unpack_texts

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=20)


@given(TEXTS)
def test_texts_round_trip(texts):
    data, offsets = pack_texts(texts)
    assert (data.dtype, offsets.dtype, len(offsets)) == (np.uint8, np.int64, len(texts) + 1)
    assert offsets[-1] == len(data) == sum(len(text.encode()) for text in texts)
    back = unpack_texts(data, offsets)
    assert back.dtype == object
    assert back.tolist() == texts


@pytest.mark.parametrize("offsets", [[], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3], [-1, 3], [0, -5, 3]])
def test_inconsistent_offsets_raise(offsets):
    with pytest.raises(ValueError, match="offsets"):
        unpack_texts(np.frombuffer(b"abc", np.uint8), np.array(offsets, np.int64))


def test_invalid_utf8_raises():
    with pytest.raises(UnicodeDecodeError):
        unpack_texts(np.frombuffer(b"a\xff", np.uint8), np.array([0, 1, 2]))
    with pytest.raises(UnicodeDecodeError):  # a letter cut in two
        unpack_texts(np.frombuffer("ü".encode(), np.uint8), np.array([0, 1, 2]))
