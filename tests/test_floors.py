"""Calls go down only: every import of the package, against the table of floors in CONTRIBUTING."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import csoftmax

ROOT = Path(__file__).parents[1]
PACKAGE = Path(csoftmax.__file__).parent
LONGEST = 400  # lines of a file of code, docstrings included

# Longer, and why.
LONG = {"src/sparse.h": "the stages of a CSR pass, which share their view of a row"}


def floors() -> dict[str, int]:
    """The floor of each name at the top of the package: 0 is the highest."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (table,) = re.findall(r"^\| floor \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return {
        name: level
        for level, row in enumerate(table.splitlines())
        for name in re.findall(r"`(\w+)`", row.split("|")[2])
    }


FLOORS = floors()
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
}
COMPILED = {path.name.split(".")[0] for path in PACKAGE.glob("*.so")}


def imports(module: str) -> Iterator[str]:
    """The modules of the package that a module imports, in functions too."""
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "csoftmax":
                yield defining(name.split(".")[1:])


def defining(path: list[str]) -> str:
    """The module, of those that there are, in which this name is found."""
    while path:
        name = ".".join(path)
        if name in FILES or name in COMPILED:
            return name
        if f"{name}.__init__" in FILES:
            return f"{name}.__init__"
        path = path[:-1]
    return "__init__"


def test_every_module_has_a_floor():
    variants = {name for name in COMPILED if re.fullmatch(r"_kernels_v\d", name)}
    assert {module.split(".")[0] for module in FILES} | COMPILED - variants == set(FLOORS)


# The public names' own module offers what is on all floors.
@pytest.mark.parametrize("module", sorted(set(FILES) - {"__init__"}))
def test_imports_go_down(module):
    floor = FLOORS[module.split(".")[0]]
    for used in imports(module):
        assert FLOORS[used.split(".")[0]] >= floor, f"{module} imports {used}"


def test_no_circle():
    # a package's __init__ offers its modules, which do not ask for it
    graph = {module: set(imports(module)) for module in FILES if module != "__init__"}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)


def test_a_file_is_one_idea():
    long = {
        path.relative_to(ROOT).as_posix()
        for folder in ("csoftmax", "src", "benchmarks", "examples", "ladder", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".pyx", ".pxi", ".h")
        and len(path.read_text().splitlines()) > LONGEST
    }
    assert long == set(LONG)


def test_a_star_import_offers_what_a_user_is_meant_to_see(run_python):
    names = run_python("from csoftmax import *; print(*sorted(globals()))").stdout.split()
    assert {n for n in names if not n.startswith("_")} == set(csoftmax.__all__)
    assert {"SGD", "SoftmaxClassifier", "SoftmaxClassifierCV", "softmax"} <= set(names)
    run_python(
        "import sys; sys.modules['sklearn'] = None\n"
        "from csoftmax import *\n"
        "assert softmax and 'SoftmaxClassifier' not in globals()"
    )


def test_dir_offers_names_that_are_there_and_nothing_else():
    found = dir(csoftmax)
    assert {"SoftmaxClassifier", "reference", "datasets", "cs231n", "__version__"} <= set(found)
    assert not {"Any", "TYPE_CHECKING", "import_module", "annotations"} & set(found)
    for name in found:
        assert getattr(csoftmax, name) is not None


def test_signatures_name_types_by_their_short_names():
    """An alias such as ArrayLike, evaluated, is a screen of its parts in a notebook's help."""
    for module, path in FILES.items():
        text = path.read_text()
        if re.search("ArrayLike|DTypeLike", text):
            assert "\nfrom __future__ import annotations\n" in text, module


def test_dir_offers_what_is_imported_on_first_use(run_python):
    run_python(
        "import csoftmax, sys\n"
        "classifiers = csoftmax.cs231n.classifiers\n"
        "for module in (csoftmax.torch, csoftmax.dask, classifiers):\n"
        "    assert set(module.__all__) <= set(dir(module)), module\n"
        "assert 'fc_net' in dir(classifiers)\n"
        "assert not {'torch', 'dask'} & set(sys.modules)"
    )


FIRST_USE = """
import sys

def use(name):
    import csoftmax
    found = csoftmax
    for part in name.split("."):
        found = getattr(found, part)
    assert found.__name__ == f"csoftmax.{name}", found

import csoftmax
assert not {"sklearn", "scipy", "matplotlib"} & set(sys.modules)
for name in sys.argv[1:]:
    # as in a new process, but for what others take long to import, and what is compiled
    for loaded in [m for m in sys.modules if m.split(".")[0] == "csoftmax"]:
        if not loaded.startswith(("csoftmax._kernels", "csoftmax._cpu")):
            del sys.modules[loaded]
    try:
        use(name)
    except Exception as error:
        error.add_note(f"csoftmax.{name}")
        raise
"""


def test_submodules_are_there_on_first_use(run_python):
    names = {m.split(".")[0] for m in FILES if not m.startswith("_")}
    names |= {"solvers.sgd", "cs231n.classifiers", "cs231n.classifiers.fc_net", "cs231n.solver"}
    assert len(names) > 20
    run_python(FIRST_USE, *sorted(names))
