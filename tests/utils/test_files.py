"""Atomic writes: a file is written completely or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from foretaste._utils.files import atomic_write
from foretaste.errors import InvalidParameterError, NotFoundError


def test_file_appears_at_the_end_of_the_block(tmp_path):
    wanted = tmp_path / "a.txt"
    with atomic_write(wanted) as partial:
        assert partial.parent == tmp_path
        partial.write_text("new")
        assert not wanted.exists()
    assert wanted.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, OSError("disk full"), MemoryError])
@pytest.mark.parametrize("older", [None, "old"])
def test_interrupted_block_keeps_the_old_file(tmp_path, stop, older):
    wanted = tmp_path / "a.txt"
    if older is not None:
        wanted.write_text(older)

    def write():
        with atomic_write(wanted) as partial:
            partial.write_text("half")
            raise stop

    with pytest.raises(stop if isinstance(stop, type) else type(stop)):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ([] if older is None else ["a.txt"])
    assert older is None or wanted.read_text() == older


def test_interrupt_while_renaming_keeps_the_old_file(tmp_path, monkeypatch):
    wanted = tmp_path / "a.txt"
    wanted.write_text("old")

    def stop(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt), atomic_write(wanted) as partial:
        partial.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert wanted.read_text() == "old"


def test_permissions_are_default_or_those_of_the_old_file(tmp_path):
    plain, made = tmp_path / "plain", tmp_path / "made"
    plain.write_text("")
    with atomic_write(made) as partial:
        partial.write_text("1")
    assert stat.S_IMODE(made.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    made.chmod(0o640)
    with atomic_write(made) as partial:
        partial.write_text("2")
    assert stat.S_IMODE(made.stat().st_mode) == 0o640


def test_symlink_is_followed(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    with atomic_write(link) as partial:
        partial.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_unwritable_paths_raise(tmp_path):
    with pytest.raises(InvalidParameterError, match="it is a folder"), atomic_write(tmp_path):
        pass
    with pytest.raises(InvalidParameterError, match="not an ordinary file"), atomic_write("/dev/null"):
        pass
    with (
        pytest.raises(NotFoundError, match="there is no folder") as missing,
        atomic_write(tmp_path / "no" / "a"),
    ):
        pass
    assert missing.value.hint == f"mkdir -p {tmp_path / 'no'}"


def test_path_without_permission_raises(tmp_path, monkeypatch):
    def refuse(self, exist_ok):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(InvalidParameterError, match="Permission denied"), atomic_write(tmp_path / "a"):
        pass


def test_a_long_name_can_be_written(tmp_path):
    wanted = tmp_path / ("a" * 250)
    with atomic_write(wanted) as partial:
        partial.write_text("x")
    assert wanted.read_text() == "x"
