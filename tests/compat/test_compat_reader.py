"""Reader: every line format as in scikit-surprise, and errors that name the line."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.compat.surprise import Dataset, Reader
from foretaste.errors import ForetasteError

FORMATS = [
    " ".join(order) for n in (3, 4) for order in permutations(("user", "item", "rating", "timestamp")[:n])
]
words = st.text(
    st.characters(blacklist_categories=("Z", "C"), blacklist_characters=",;|"), min_size=1, max_size=5
)


@pytest.mark.peer
@given(
    st.sampled_from(FORMATS), st.sampled_from([None, ",", "\t", "::", ";"]), words, words, st.floats(-9, 9)
)
def test_line_is_parsed_as_by_the_peer(peer, layout, sep, user, item, rating):
    if sep == "::" and ":" in user + item:
        return
    fields = {"user": user, "item": item, "rating": repr(rating), "timestamp": "7"}
    line = (sep or " ").join(fields[name] for name in layout.split()) + "\n"
    ours, theirs = (kind(line_format=layout, sep=sep).parse_line(line) for kind in (Reader, peer.Reader))
    assert ours == theirs
    assert ours[:3] == (user, item, rating)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["ml-100k", "ml-1m", "jester"])
def test_named_readers_equal_the_peer(peer, name):
    assert vars(Reader(name)) == vars(peer.Reader(name))


@pytest.mark.peer
@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "nonsense"},
        {"line_format": "user item"},
        {"line_format": "user item rating colour"},
        {"line_format": "user,item,rating"},
        {"rating_scale": 5},
        {"rating_scale": (1, 2, 3)},
    ],
)
def test_peer_errors_are_raised_with_a_fix(peer, arguments):
    with pytest.raises((ValueError, TypeError)):
        peer.Reader(**arguments)
    with pytest.raises(ValueError, match="try: ") as caught:
        Reader(**arguments)
    assert isinstance(caught.value, ForetasteError)


def test_reversed_scale_raises():
    with pytest.raises(ValueError, match=r"rating_scale=\(1, 5\)"):
        Reader(rating_scale=(5, 1))


@pytest.mark.parametrize(
    ("line", "word"), [("a b\n", "2 fields"), ("a b c\n", "'c' is not a number"), ("\n", "0 fields")]
)
def test_invalid_line_is_named_by_file_and_number(tmp_path, line, word):
    path = tmp_path / "bad.txt"
    path.write_text("titles\nu i 3\n" + line)
    with pytest.raises(ValueError, match=word) as caught:
        Dataset.load_from_file(path, Reader(skip_lines=1))
    assert caught.value.where == f"line 3 of {path}"


def test_binary_file_raises(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"u i 3\n\xff\xfe i 3\n")
    with pytest.raises(ValueError, match="utf-8"):
        Dataset.load_from_file(path, Reader())
