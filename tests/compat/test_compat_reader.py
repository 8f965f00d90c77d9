"""Reader: every layout of a line, as scikit-surprise reads it, and errors that say the line."""

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
def test_a_line_is_read_as_by_the_peer(peer, layout, sep, user, item, rating):
    if sep == "::" and ":" in user + item:
        return
    fields = {"user": user, "item": item, "rating": repr(rating), "timestamp": "7"}
    line = (sep or " ").join(fields[name] for name in layout.split()) + "\n"
    ours, theirs = (kind(line_format=layout, sep=sep).parse_line(line) for kind in (Reader, peer.Reader))
    assert ours == theirs
    assert ours[:3] == (user, item, rating)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["ml-100k", "ml-1m", "jester"])
def test_named_readers_are_those_of_the_peer(peer, name):
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
def test_what_the_peer_refuses_is_refused_with_a_mend(peer, arguments):
    with pytest.raises((ValueError, TypeError)):
        peer.Reader(**arguments)
    with pytest.raises(ValueError, match="try: ") as caught:
        Reader(**arguments)
    assert isinstance(caught.value, ForetasteError)


def test_a_scale_upside_down_is_refused():
    with pytest.raises(ValueError, match=r"rating_scale=\(1, 5\)"):
        Reader(rating_scale=(5, 1))


@pytest.mark.parametrize(
    ("line", "word"), [("a b\n", "2 fields"), ("a b c\n", "'c' is no number"), ("\n", "0 fields")]
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path, line, word):
    path = tmp_path / "bad.txt"
    path.write_text("titles\nu i 3\n" + line)
    with pytest.raises(ValueError, match=word) as caught:
        Dataset.load_from_file(path, Reader(skip_lines=1))
    assert caught.value.where == f"line 3 of {path}"


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"u i 3\n\xff\xfe i 3\n")
    with pytest.raises(ValueError, match="utf-8"):
        Dataset.load_from_file(path, Reader())
