"""How the documentation is built: Sphinx, MyST and the pydata theme; nothing is fetched from the network.

Every ``{code-cell}`` is executed when the pages are built, every other block by
``tests/test_documentation.py``, which also runs this file's table of parameters; so nothing heavy is imported
on top.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import foretaste
from foretaste.models import MODELS

project = "foretaste"
author = "the foretaste authors"
project_copyright = "the foretaste authors, BSD-3-Clause"
version = release = foretaste.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_build", "jupyter_execute"]

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say types and shapes
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes after ``fit``", "Attributes")]

html_theme = "pydata_sphinx_theme"
html_title = "foretaste"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["foretaste.css"]
html_math_renderer = "mathml"
html_sidebars = {"*": []}  # beside the pages of a folder stand those of the same folder
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

_MATHML = "http://www.w3.org/1998/Math/MathML"
_REMOTE = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"(?:https?:)?//[^\"]*\"[^>]*>")


def parameter_table(name: str) -> str:
    """Return the hyperparameters of a model, as it declares them, as a table in Markdown.

    Parameters
    ----------
    name : str
        One of ``foretaste.models.MODELS``.
    """
    lines = ["| parameter | default | allowed | meaning |", "|---|---|---|---|"]
    for word, spec in MODELS[name].param_specs().items():
        cells = f"`{word}`", f"`{spec.default!r}`", spec.describe(), spec.doc
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def model_table() -> str:
    """Return all models, with a link to the page of each, as a table in Markdown."""
    lines = ["| model | predicts | sample weights |", "|---|---|---|"]
    for name in MODELS.names():
        model = MODELS[name]
        weights = "yes" if "weights" in model.tags else "refused"
        extra = f" (`foretaste[{model.extra}]`)" if model.extra else ""
        lines.append(f"| [{name}]({name}.md) | {model.summary}{extra} | {weights} |")
    return "\n".join(lines)


def setup(app: Any) -> None:
    """Add the directives ``parameters`` and ``models``, formulas as MathML, and a check of the pages."""
    from sphinx.util.docutils import SphinxDirective

    class Parameters(SphinxDirective):
        required_arguments = 1

        def run(self) -> list[Any]:
            return self.parse_text_to_nodes(parameter_table(self.arguments[0]))

    class Models(SphinxDirective):
        def run(self) -> list[Any]:
            return self.parse_text_to_nodes(model_table())

    app.add_directive("parameters", Parameters)
    app.add_directive("models", Models)
    app.add_html_math_renderer(
        "mathml", inline_renderers=(_inline_math, None), block_renderers=(_display_math, None)
    )
    app.connect("build-finished", _check_offline)


def _inline_math(writer: Any, node: Any) -> None:
    """Write a formula as MathML, which browsers draw themselves: no script, no picture."""
    from docutils.nodes import SkipNode

    writer.body.append(_mathml(node, as_block=False))
    raise SkipNode


def _display_math(writer: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    writer.body.append(f'<div class="formula">{_mathml(node, as_block=True)}</div>')
    raise SkipNode


def _mathml(node: Any, *, as_block: bool) -> str:
    from docutils.utils.math.latex2mathml import tex2mathml

    text = tex2mathml(node.astext().strip(), as_block=as_block)
    text = re.sub(r"&(?!amp;|lt;|gt;|quot;|apos;)\w+;", lambda name: html.unescape(name[0]), text)
    formula = ElementTree.fromstring(text)  # noqa: S314 - docutils wrote it from our own formulas
    for both in formula.iter(f"{{{_MATHML}}}munderover"):
        if both[2].text in ("\u02c6", "\u00af"):  # an accent; the index belongs beside it, not below
            letter, index, accent = list(both)
            both.clear()
            both.tag = f"{{{_MATHML}}}msub"
            over = ElementTree.SubElement(both, f"{{{_MATHML}}}mover", accent="true")
            over.extend([letter, accent])
            both.append(index)
    ElementTree.register_namespace("", _MATHML)
    return ElementTree.tostring(formula, encoding="unicode")


def _check_offline(app: Any, problem: Exception | None) -> None:
    """Fail the build if a page would fetch anything from elsewhere when it is read."""
    from sphinx.errors import ExtensionError

    if problem is not None or app.builder.format != "html":
        return
    for page in sorted(Path(app.outdir).rglob("*.html")):
        found = _REMOTE.search(page.read_text(encoding="utf-8"))
        if found:
            raise ExtensionError(f"{page.relative_to(app.outdir)} fetches from elsewhere: {found.group()}")
