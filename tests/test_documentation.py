"""Documentation: code blocks run, shown figures are met, every public name is documented."""

from __future__ import annotations

import inspect
import logging
import re
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
from documents import (
    DOCS,
    PAGES,
    ROOT,
    Block,
    blocks,
    blocks_to_run,
    commands,
    compare_output,
    run_page,
    same_line,
    tables,
)
from real_data import VARIABLE, data_file

import foretaste
from foretaste.cli import cli
from foretaste.datasets import load
from foretaste.models import MODELS

TUTORIAL = DOCS / "tutorial.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder that holds ``ratings.csv``, without real data; loggers are as before afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    ratings = load("sample")
    rows = zip(ratings.user_ids, ratings.item_ids, ratings.value, ratings.timestamp, strict=True)
    lines = ["userId,jokeId,rating,timestamp", *(f"{u},{i},{v:g},{t}" for u, i, v, t in rows)]
    Path("ratings.csv").write_text("\n".join(lines) + "\n")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # One page puts foretaste's modules in the place of scikit-surprise's; later tests mean the peer itself.
    peers = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "surprise"
    }
    yield tmp_path
    root.handlers[:], root.level = handlers, level
    for name in [name for name in sys.modules if name.partition(".")[0] == "surprise"]:
        del sys.modules[name]
    sys.modules.update(peers)


@pytest.fixture(scope="module")
def conf():
    return runpy.run_path(str(DOCS / "conf.py"))


TORCH = find_spec("torch") is not None


def uses_torch(block: Block) -> bool:
    """Whether a block needs PyTorch."""
    names = r"\bTorch|\btorch\b|AutoRec|SparseFC|FactorizationMachine|NeuralMF"
    return block.language in ("python", "console") and re.search(names, block.text) is not None


SLOW_PAGES = ("README.md", "docs/command-line.md", "docs/serving.md")


def page_case(page: Path) -> Any:
    """Return a page as a case that skips without PyTorch, if its blocks use it, and is nightly if slow."""
    name = str(page.relative_to(ROOT))
    marks = [pytest.mark.nightly] if name in SLOW_PAGES else []
    if any(map(uses_torch, blocks_to_run(page))):
        skip = pytest.mark.skipif(not TORCH, reason='needs PyTorch: pip install "foretaste[torch]"')
        marks += [pytest.mark.torch, skip]
    return pytest.param(page, id=name, marks=marks)


@pytest.mark.parametrize("page", [page_case(page) for page in PAGES if blocks_to_run(page)])
def test_every_block_that_is_no_cell_runs(page, folder):
    run_page(page, blocks_to_run(page))


def test_every_cell_runs_when_the_pages_are_built(conf):
    assert conf["source_suffix"][".md"] == "myst-nb"
    assert conf["nb_execution_mode"] == "force"
    assert conf["nb_execution_raise_on_error"]
    pages = [page for page in PAGES if any(block.is_cell for block in blocks(page))]
    assert len(pages) > 30
    for page in pages:
        assert "file_format: mystnb" in page.read_text(encoding="utf-8").split("---")[1], page
        assert page.is_relative_to(DOCS)
        assert all(block.language == "python" for block in blocks(page) if block.is_cell), page
    assert re.search("^make docs", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_cells_are_run_here_only_where_other_python_needs_them(folder):
    page = folder / "page.md"
    page.write_text("```{code-cell} python\nx = 1\n```\n")
    assert blocks_to_run(page) == []
    page.write_text("```{code-cell} python\nx = 1\n```\n```console\n$ foretaste models\n```\n")
    assert [block.is_cell for block in blocks_to_run(page)] == [False]
    page.write_text("```{code-cell} python\nx = 1\n```\n```python\nx + 1\n```\n")
    assert [block.is_cell for block in blocks_to_run(page)] == [True, False]


def test_the_tutorial_runs_without_torch_but_for_its_section(folder, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    found = run_page(TUTORIAL, [block for block in blocks(TUTORIAL) if not uses_torch(block)])
    assert "model" in found
    assert "TorchMF" not in found["scores"]
    assert sum(map(uses_torch, blocks(TUTORIAL))) == 4
    assert not any("orch" in block.text for block in blocks(TUTORIAL) if block.is_cell)  # built without it


# The tutorial on real ratings ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lecture(tmp_path_factory):
    """Run the tutorial on the real file once; return what it defined."""
    data_file("jester2/jester_ratings_users_1_to_4000.csv.gz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("lecture"))
        return run_page(TUTORIAL, [block for block in blocks(TUTORIAL) if TORCH or not uses_torch(block)])


@pytest.mark.dataset
def test_tutorial_reads_the_ratings_of_the_lecture(lecture):
    assert lecture["real"]
    facts = lecture["ratings"].describe()
    assert (facts["ratings"], facts["users"], facts["items"]) == (141_359, 3_632, 140)
    assert facts["mean"] == pytest.approx(1.200, abs=0.0005)
    assert facts["density"] == pytest.approx(0.278, abs=0.0005)
    assert len(lecture["train"]) + len(lecture["valid"]) == 141_359
    shown = {row[0]: float(row[2].replace(",", "")) for row in tables(TUTORIAL)[1][1:]}
    assert shown == {name: pytest.approx(facts[name], abs=0.0005) for name in shown}
    assert len(shown) == 5


@pytest.mark.dataset
@pytest.mark.parametrize(
    ("model", "train", "valid", "tolerance"),
    [
        ("GlobalMean", 5.75, 5.77, 0.005),
        ("UserMean", 4.73, 4.90, 0.005),
        ("ItemMean", 5.50, 5.53, 0.005),
        ("UserItemMean", 4.81, 4.90, 0.005),
        ("KNNImputation", 0.00, 4.78, 0.02),
    ],
)
def test_tutorial_reproduces_the_lecture_figures(lecture, model, train, valid, tolerance):
    assert lecture["scores"][model] == pytest.approx((train, valid), abs=tolerance)


@pytest.mark.dataset
def test_tutorial_svd_beats_the_lecture(lecture):
    assert lecture["scores"]["SVD"][1] <= 4.44
    assert lecture["results"].best_row["model"] == "SVD"


@pytest.mark.dataset
def test_tutorial_output_equals_its_text(lecture):
    shown = {}
    for step, _, ours in tables(TUTORIAL)[0][1:]:
        names = re.findall(r"`(\w+)`", step)
        if names:
            shown[names[0]] = tuple(float(figure) for figure in ours.split(" / "))
    assert set(shown) == set(lecture["scores"]) | {"TorchMF"}
    for name, figures in shown.items():  # as rounded, and a little for other processors
        if name == "TorchMF" and not TORCH:
            continue
        assert lecture["scores"][name] == pytest.approx(figures, abs=0.0075), name


@pytest.mark.dataset
@pytest.mark.torch
@pytest.mark.skipif(not TORCH, reason='needs PyTorch: pip install "foretaste[torch]"')
def test_tutorial_custom_loss_on_the_lecture_ratings(lecture):
    assert lecture["scores"]["TorchMF"][1] <= 4.50
    loved, others = zip(lecture["errors"]["squared"], lecture["errors"]["loved first"], strict=True)
    assert loved[1] < 0.8 * loved[0]
    assert others[1] > others[0]  # which is the price
    assert foretaste.rmse(lecture["valid"].value, lecture["plain"].predict(lecture["valid"])) <= 4.53


@pytest.mark.dataset
def test_tutorial_cross_validation_equals_its_text(lecture):
    (shown,) = [ours for step, _, ours in tables(TUTORIAL)[0] if step.startswith("5-fold")]
    error, spread, other = (float(figure) for figure in re.findall(r"[\d.]+", shown))
    validated = lecture["validated"]
    assert validated.mean["rmse"] == pytest.approx(error, abs=0.005)
    assert validated.std["rmse"] == pytest.approx(spread, abs=0.003)
    assert validated.mean["mae"] == pytest.approx(other, abs=0.005)
    assert validated.mean["rmse"] <= 4.45
    assert lecture["search"].best_params_["factors"] == 64
    assert -lecture["search"].best_score_ <= 4.5


@pytest.mark.dataset
def test_tutorial_similar_items_equal_scikit_learn(lecture):
    neighbors = pytest.importorskip("sklearn.neighbors", reason='needs pip install "foretaste[test]"')
    items = lecture["ratings"].items
    assert lecture["train"].items == items
    columns = lecture["imputation"].predict_matrix(**lecture["whole"]).T  # (items, users)
    search = neighbors.NearestNeighbors(metric="cosine", n_neighbors=5).fit(columns)
    distance, place = search.kneighbors(columns[[8]])
    assert place[0, 0] == 8
    assert lecture["similar"].ids.tolist() == items.ids[place[0, 1:]].tolist()
    assert lecture["similar"].similarity == pytest.approx(1 - distance[0, 1:], abs=0.001)
    assert lecture["similar"].titles is None


# Completeness --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS.names())
def test_every_model_has_a_page_with_all_its_parameters(name, conf):
    page = DOCS / "models" / f"{name}.md"
    assert page.exists(), f"{name} needs a page: {page.relative_to(ROOT)}"
    found = blocks(page)
    assert [b.language for b in found].count("{parameters} " + name) == 1
    assert any("load_dataset" in b.text for b in found if b.language == "python")
    rows = conf["parameter_table"](name).splitlines()[2:]
    declared = MODELS[name].param_specs()
    assert [row.split("|")[1].strip() for row in rows] == [f"`{word}`" for word in declared]
    for row, declaration in zip(rows, declared.values(), strict=True):
        assert declaration.doc in row
        assert f"`{declaration.default!r}`" in row
    text = page.read_text()
    for part in (f"# {name}\n", "$$", "**Use it**", "**Do not use it**", "**Unknown"):
        assert part in text, f"{page.name} lacks {part!r}"


def test_every_model_is_in_the_overview(conf):
    index = DOCS / "models" / "index.md"
    toctree = next(b.text for b in blocks(index) if b.language == "{toctree}")
    assert set(MODELS.names()) <= set(toctree.split())
    assert all(f"[{name}]({name}.md)" in conf["model_table"]() for name in MODELS.names())


PUBLIC = [name for name in foretaste.__all__ if name != "__version__"]


def test_every_public_name_is_on_the_page_of_public_names():
    text = (DOCS / "api.md").read_text()
    documented = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)$", text, re.MULTILINE)
    assert sorted(documented) == sorted(PUBLIC)
    assert all(text.count(f"   {name}\n") == 1 for name in PUBLIC if name != "ForetasteError")


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_documents_its_parameters(name):
    thing = getattr(foretaste, name)
    text = inspect.getdoc(thing)
    assert text
    parameters = list(inspect.signature(thing).parameters.values())
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", text + "\n", re.DOTALL | re.MULTILINE
    )
    documented = _names(section[1]) if section else set()
    assert {parameter.name for parameter in parameters} <= documented


def _names(section: str) -> set[str]:
    """Return the names that a numpydoc section is about: ``user, item : array`` is two."""
    heads = re.findall(r"^([*\w, ]+?)(?: *:.*)?$", section, re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.split(",")}


def test_every_command_has_an_example():
    shown = {c.words[0] for b in blocks(DOCS / "command-line.md") for c in commands(b) if c.words}
    assert set(cli.list_commands(click.Context(cli))) <= shown


def test_every_page_can_be_reached():
    listed = set()
    for page in DOCS.rglob("*.md"):
        for block in blocks(page):
            if block.language == "{toctree}":
                lines = [line for line in block.text.splitlines() if line and not line.startswith(":")]
                names = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
                listed |= {(page.parent / n).relative_to(DOCS).as_posix() for n in names}
    pages = {p.relative_to(DOCS).with_suffix("").as_posix() for p in PAGES if p.is_relative_to(DOCS)}
    assert {p for p in pages if not p.startswith("decisions/")} - {"index"} <= listed
    assert "decisions/*" in listed


# The tools of this test ----------------------------------------------------------------------------------


def test_lines_are_compared_by_words_and_numbers():
    assert same_line("SVD  2.590  ...   1,190", "SVD   2.592  0.04  1,190")
    assert same_line("----  ---", "------ -----")
    assert not same_line("SVD  2.590", "SVD  2.690")
    assert not same_line("SVD  2.590", "Bias  2.590")
    assert not same_line("SVD  2.590", "SVD  2.590  0.04")
    assert not same_line("(2.590).", "(2.590)")
    assert same_line("1,5,9.431,", "1,5,9.43135,")
    assert not same_line("1,5,9.431,", "1,5,9.93135,")
    assert not same_line("1,190 rows", "1,290 rows")


def test_shown_output_must_be_printed_in_order():
    compare_output(["one", "", "three"], ["one", "two", "three"], "here")
    with pytest.raises(AssertionError, match="shows\nthree"):
        compare_output(["three", "three"], ["one", "three"], "here")


def test_a_block_that_fails_fails_the_page_with_its_line(folder):
    page = folder / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        run_page(page)
    assert caught.traceback[-1].lineno + 1 == 5
    page.write_text("```console\n$ foretaste models\nno such line\n```\n")
    with pytest.raises(AssertionError, match="no such line"):
        run_page(page)
    page.write_text("```console\n$ foretaste show missing.foretaste\n```\n")
    with pytest.raises(AssertionError, match="there is no file"):
        run_page(page)


def test_a_block_with_a_file_name_becomes_that_file(folder):
    page = folder / "page.md"
    page.write_text("```{code-block} text\n:caption: some.csv\n\na,b\n1,2\n```\n")
    run_page(page)
    assert Path("some.csv").read_text() == "a,b\n1,2\n"
