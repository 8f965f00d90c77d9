"""Progress: none, lines or bars, always on standard error."""

from __future__ import annotations

import io
import re
import sys
from contextlib import contextmanager
from threading import Event

import pytest

from foretaste._utils import progress
from foretaste._utils.progress import (
    LineProgress,
    Progress,
    ProgressTask,
    RichProgress,
    StoppableProgress,
    get_progress,
)
from foretaste.models import Bias


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_off_by_default(ratings, capsys):
    Bias().fit(ratings)
    Bias().fit(ratings, progress=False)
    assert capsys.readouterr() == ("", "")


def test_pipe_gets_one_line_per_finished_task(ratings, capsys):
    Bias().fit(ratings, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"Bias  \d+\.\d s\n", err)


def test_lines_end_with_the_last_note():
    stream = io.StringIO()
    with LineProgress(stream).start_task("SVD", 3) as task:
        task.step(note="RMSE 1.0")
        task.step(note="RMSE 0.9")
        task.step()
    assert re.fullmatch(r"SVD  0\.\d s  RMSE 0\.9\n", stream.getvalue())


def test_failed_tasks_print_no_line():
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), LineProgress(stream).start_task("SVD", 3):
        raise KeyboardInterrupt
    assert stream.getvalue() == ""


def test_terminal_gets_transient_bars(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    bar = get_progress(progress=True)
    assert isinstance(bar, RichProgress)
    with bar.start_task("compare [b]", 2) as outer:
        with bar.start_task("fold", 3) as inner:
            inner.step(2, note="RMSE 0.9")
            bar.bars.refresh()
            assert [t.description for t in bar.bars.tasks] == ["compare [b]", "fold"]
            assert bar.bars.tasks[1].completed == 2
        assert [t.description for t in bar.bars.tasks] == ["compare [b]"]
        outer.step()
    assert bar.bars is None
    shown = stream.getvalue()
    assert "compare [b]" in shown  # not taken for markup
    assert "2 of 3" in shown
    assert "RMSE 0.9" in shown
    left = shown.rpartition("\x1b[2K")[2]  # the last thing is to wipe the lines
    assert "\n" not in left
    assert "━" not in left


def test_byte_tasks_show_sizes(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    bar = RichProgress()
    with (
        bar.start_task("known", 4_900_000, unit="bytes") as known,
        bar.start_task("unknown", 0, unit="bytes") as unknown,
    ):
        known.step(1_200_000)
        unknown.step(300)
        known.step(300_000)
        bar.bars.refresh()
        assert [t.fields["done"] for t in bar.bars.tasks] == ["1.5 MB of 4.9 MB", "300 bytes"]
        assert bar.bars.tasks[1].total is None
    assert "1.5 MB of 4.9 MB" in stream.getvalue()


def test_bars_vanish_on_interrupt(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = RichProgress()
    with pytest.raises(KeyboardInterrupt), bar.start_task("SVD", 3):
        raise KeyboardInterrupt
    assert bar.bars is None
    with bar.start_task("again", 1) as task:
        task.step()


def test_custom_progress_receives_every_task_and_step(ratings):
    class RecordingProgress(Progress):
        def __init__(self):
            self.tasks = []
            self.steps = 0

        @contextmanager
        def start_task(self, label, total):
            self.tasks.append((label, total))
            yield ProgressTask(self.add_steps)

        def add_steps(self, n, note):
            self.steps += n

    recording = RecordingProgress()
    assert get_progress(recording) is recording
    Bias(epochs=7).fit(ratings, progress=recording)
    assert recording.tasks == [("Bias", 7)]
    assert 0 < recording.steps <= 7


def test_task_counts_steps_and_keeps_the_last_note():
    task = ProgressTask()
    task.step(2, note="RMSE 0.9")
    task.step()
    assert (task.completed, task.note) == (3, "RMSE 0.9")


def test_items_have_a_line_of_their_own_only_in_lines():
    stream = io.StringIO()
    lines, silent = LineProgress(stream), Progress()
    with lines.start_task("compare", 1), lines.start_item("Bias") as item:
        with lines.inside_item().start_task("fit", 3):
            pass
        item.step(note="RMSE 0.9")
    assert re.fullmatch(r"Bias  0\.\d s  RMSE 0\.9\ncompare  0\.\d s\n", stream.getvalue())
    assert silent.inside_item() is silent
    with silent.start_item("Bias") as item:
        item.step()


def test_stoppable_progress_forwards_until_it_interrupts():
    stop, stream = Event(), io.StringIO()
    progress = StoppableProgress(LineProgress(stream), stop)
    with progress.start_task("fold", 2) as task:
        task.step(note="RMSE 0.9")
    assert re.fullmatch(r"fold  0\.\d s  RMSE 0\.9\n", stream.getvalue())
    stop.set()
    with pytest.raises(KeyboardInterrupt), progress.start_task("fold", 2) as task:
        task.step()


def test_get_progress_selects_the_output(monkeypatch):
    assert type(get_progress(progress=False)) is Progress
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(get_progress(progress=True)) is LineProgress
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(get_progress(progress=True)) is RichProgress
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    assert type(get_progress(progress=True)) is RichProgress


def test_notebook_is_detected_by_its_kernel(monkeypatch):
    class Shell:
        kernel = None

    class Module:
        shell: object = None

        @classmethod
        def get_ipython(cls):
            return cls.shell

    monkeypatch.setitem(sys.modules, "IPython", Module)
    assert not progress.in_notebook()
    Module.shell = object()  # IPython in a terminal
    assert not progress.in_notebook()
    Module.shell = Shell()
    assert progress.in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not progress.in_notebook()
