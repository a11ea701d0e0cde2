"""The documentation: each public name has a page and a docstring with what it needs, and pages fit.

`make docs` builds the site, where a broken link or reference is an error. This is what can be seen
without it.
"""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import csoftmax

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COURSE = "csoftmax.cs231n"

#: Modules whose names are public, and what must be installed to see them.
ROOMS = {
    "csoftmax": "sklearn",
    "csoftmax.boosting": "",
    "csoftmax.dask": "distributed",
    "csoftmax.datasets": "",
    "csoftmax.evaluation": "",
    "csoftmax.plot": "matplotlib",
    "csoftmax.prediction": "",
    "csoftmax.reference": "",
    "csoftmax.report": "jinja2",
    "csoftmax.search": "",
    "csoftmax.solvers": "",
    "csoftmax.sources": "",
    "csoftmax.tabular": "",
    "csoftmax.torch": "torch",
    f"{COURSE}.classifiers": "",
    f"{COURSE}.classifiers.fc_net": "",
    f"{COURSE}.classifiers.linear_svm": "",
    f"{COURSE}.classifiers.neural_net": "",
    f"{COURSE}.classifiers.softmax": "",
    f"{COURSE}.data_utils": "",
    f"{COURSE}.gradient_check": "",
    f"{COURSE}.layer_utils": "",
    f"{COURSE}.layers": "",
    f"{COURSE}.optim": "",
    f"{COURSE}.solver": "",
    f"{COURSE}.vis_utils": "",
}
#: Made by others here, or a part of what has an example.
WITHOUT_EXAMPLE = {"LinearClassifier", "Model", "Models", "Objective", "Progress", "Solution"}
WITHOUT_EXAMPLE |= {"Block", "Part", "Selected", "Source", "Surveyed", "Takes"}  # sources
WITHOUT_EXAMPLE |= {"Bin", "ClassScores", "Evaluation", "Example", "Weights"}  # evaluation
WITHOUT_EXAMPLE |= {"Cell", "Facts", "Gallery", "Page", "Picture", "Section", "Table", "Text"}
WITHOUT_EXAMPLE |= {"Category", "Number", "Tally", "write_all"}
#: The arithmetic of `csoftmax` itself: what NaN does, how exact, from where.
COMPUTED = set(csoftmax.functional.__all__) | set(csoftmax.linear.__all__)


@pytest.fixture(params=ROOMS)
def room(request):
    if (needed := ROOMS[request.param]) and not find_spec(needed):
        pytest.skip(f"needs {needed}")
    return importlib.import_module(request.param)


def public(room: ModuleType) -> dict[str, Any]:
    """The functions and classes of a room, but for those that it has from a room below it."""

    def home(thing: Any) -> str:
        rooms = (name for name in ROOMS if f"{thing.__module__}.".startswith(f"{name}."))
        return max(rooms, key=len)

    things = {name: getattr(room, name) for name in room.__all__}
    found = {n: t for n, t in things.items() if inspect.isfunction(t) or inspect.isclass(t)}
    return {name: thing for name, thing in found.items() if home(thing) == room.__name__}


def sections(doc: str) -> dict[str, str]:
    """Texts of a docstring's sections by their titles."""
    parts = re.split(r"^(\w[\w ]+)\n-{3,}$", inspect.cleandoc(doc), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_public_name_has_a_page(room):
    pages = "\n".join(path.read_text() for path in (DOCS / "api").glob("*.md"))
    listed = set(re.findall(r"^   ~(csoftmax\.[\w.]+)$", pages, re.MULTILINE))
    assert not {f"{room.__name__}.{name}" for name in public(room)} - listed


def needed_sections(room: ModuleType, name: str, thing: Any) -> set[str]:
    wanted = {"See Also"} | (set() if name in WITHOUT_EXAMPLE else {"Examples"})
    if room is csoftmax and name in COMPUTED:
        wanted |= {"Raises", "Notes", "References"}
    if inspect.isfunction(thing):
        signature, source = inspect.signature(thing), inspect.getsource(thing)
        wanted |= {"Parameters"} if signature.parameters else set()
        wanted |= {"Returns"} if signature.return_annotation not in ("None", None) else set()
        wanted |= {"Raises"} if re.search(r"^ +raise [A-Z]", source, re.MULTILINE) else set()
    return wanted


def test_docstrings_have_what_their_pages_need(room):
    order = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "See Also"]
    order += ["Notes", "References", "Examples"]
    missing = {}
    for name, thing in public(room).items():
        found = sections(thing.__doc__)
        if lacks := needed_sections(room, name, thing) - set(found):
            missing[name] = sorted(lacks)
        assert sorted(found, key=order.index) == list(found), f"{room.__name__}.{name}"
        if inspect.isfunction(thing) and "Parameters" in found:
            heads = re.findall(r"^(\S.*)$", found["Parameters"], re.MULTILINE)
            named = {n.strip("* ") for head in heads for n in head.split(" : ")[0].split(",")}
            assert named == set(inspect.signature(thing).parameters), f"{room.__name__}.{name}"
    assert not missing


def test_see_also_names_what_there_is(room):
    for name, thing in public(room).items():
        others = re.findall(r"^([\w.]+) : .+\.$", sections(thing.__doc__)["See Also"], re.MULTILINE)
        assert others, f"{room.__name__}.{name}"
        for other in others:
            home, _, last = other.rpartition(".")
            if other.split(".")[0] in ("scipy", "sklearn", "torch"):
                continue
            if find_spec(ROOMS.get(home) or "csoftmax"):
                assert hasattr(importlib.import_module(home or room.__name__), last), (name, other)


def markdown() -> list[Path]:
    found = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "ladder").glob("*.md")]
    return sorted(found)


def too_long(path: Path) -> list[str]:
    """Lines above 100 characters, but for tables, targets of links, pictures, programs' output."""
    long, written = [], False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        written = (written or ": begin -->" in line) and ": end -->" not in line
        bare = re.sub(r"\]\([^)]*\)", "]()", line)
        if len(bare) > 100 and not written and not line.lstrip().startswith(("|", "![")):
            long.append(f"{path.relative_to(ROOT)}:{number}")
    return long


def test_lines_are_of_at_most_100_characters():
    sources = [
        path
        for folder in ("src", "csoftmax", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".c", ".h", ".py", ".pyi", ".pyx", ".pxi")
    ]
    assert len(sources) > 200
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert not [line for path in markdown() for line in too_long(path)] + long


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    heads = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).lower() for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", markdown(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_files_lead_somewhere(path):
    text = re.sub(r"^```python.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        made = re.match(r"(tutorial|howto)/index\.rst", file)  # from examples/
        there = (path.parent / file).resolve() if file else path
        assert made or there.exists(), f"{path.name}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{path.name}: {target}"


def test_each_promise_is_held_by_a_test():
    promises = (DOCS / "numerics.md").read_text()
    held = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", promises)
    assert len(held) > 30
    for file, test in held:
        assert f"def {test}(" in (ROOT / file).read_text() if test else (ROOT / file).exists(), test


def test_drawings_are_those_of_the_floors():
    drawings = runpy.run_path(str(DOCS / "make_drawings.py"))["DRAWINGS"]
    for name, draw in drawings.items():
        assert (DOCS / "img" / name).read_text() == draw(), "python docs/make_drawings.py"


DOCSTRING = """Mean of W**2, for `coef_` and |b|.

    loss = W**2          coef_

Parameters
----------
x : (n_features_in_,) array
    Text, *so*:

        W**2
"""
TRANSLATED = r"""Mean of W\*\*2, for `coef_` and \|b\|.

.. code-block:: none

    loss = W**2          coef_

Parameters
----------
x : (n_features_in\_,) array
    Text, \*so\*:

    .. code-block:: none

        W**2
"""


def test_docstrings_are_translated():
    translated = runpy.run_path(str(DOCS / "_ext" / "plain_docstrings.py"))["translated"]
    assert translated(DOCSTRING.splitlines()) == TRANSLATED.splitlines()


def test_formulas_are_mathml():
    pytest.importorskip("sphinx", reason="the site is made by Sphinx")
    mathml = runpy.run_path(str(DOCS / "_ext" / "mathml.py"))["mathml"]

    def bare(tex: str) -> str:
        return re.sub(r"\s+(?=<|$)|<math[^>]*>|</math>", "", mathml(tex, as_block=False))

    assert bare(r"\frac12 w") == "<mfrac><mn>1</mn><mn>2</mn></mfrac><mi>w</mi>"
    assert "<mspace" in bare(r"\log p")
    assert "<mspace" not in bare(r"\log(p)")
    assert '<mi>X</mi><mi mathvariant="normal">T</mi>' in bare(r"X^\top")


def test_the_gallery_is_in_the_order_of_its_list():
    order = runpy.run_path(str(DOCS / "_ext" / "gallery_scripts.py"))["AsListed"]
    howto = ROOT / "examples" / "howto"
    pages = sorted((path.name for path in howto.glob("plot_*.py")), key=order(str(howto)))
    assert pages[:2] == ["plot_data_frame.py", "plot_evaluation.py"]
    text = (howto / "README.txt").read_text()
    assert all(page in text for page in pages)
    tutorial = order(str(ROOT / "examples" / "tutorial"))
    assert tutorial("plot_1_softmax.py") < tutorial("plot_2_loss.py")
