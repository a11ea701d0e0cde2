"""What mypy and pyright say of scripts that use csoftmax: what is wrong in them, and no more.

Both see the package as it is installed, and run once for all scripts: those beside this file, whose
wrong lines end with "# error", and the examples of README and docs.
"""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import json
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest

import csoftmax

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = Path(csoftmax.__file__).parent

#: Packages without types, or that take long to be looked through.
SKIPPED = ("dask", "distributed", "pandas", "polars", "pyarrow", "scipy", "sklearn", "torch")

#: Of pages, which read as a session does, without annotations; and pyright guesses the types of
#: scikit-learn, which has none.
LENIENT = """\
# mypy: no-strict-optional, disable-error-code=var-annotated
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false
"""

Errors = dict[str, dict[int, str]]  # of each script, by lines


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with all scripts."""
    for sample in HERE.glob("*.py"):
        if sample.name.startswith(("correct", "wrong")):
            shutil.copy(sample, tmp_path)
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        if script := examples(page):
            (tmp_path / f"page_{page.stem.replace('-', '_')}.py").write_text(script)
    return tmp_path


def examples(page: Path) -> str:
    """The examples of a page as a script, but for those that end in an error."""
    found = doctest.DocTestParser().get_examples(page.read_text())
    lines = [example.source for example in found if example.exc_msg is None]
    return "".join([LENIENT, *lines]) if lines else ""


def expected(folder: Path) -> dict[str, set[int]]:
    """The lines of each script that are marked."""
    return {
        script.name: {
            number
            for number, line in enumerate(script.read_text().splitlines(), 1)
            if line.endswith("# error")
        }
        for script in folder.glob("*.py")
    }


def of_mypy(folder: Path) -> Errors:
    """What mypy finds, by its defaults."""
    lines = ["[mypy]", "allow_redefinition = True", f"python_executable = {sys.executable}"]
    if "site-packages" not in PACKAGE.parts:  # a source tree on the path
        lines += [f"mypy_path = {PACKAGE.parent}", "follow_imports = silent"]
    for name in SKIPPED:
        lines += [f"[mypy-{name}.*]", "follow_imports = skip", "ignore_missing_imports = True"]
    (folder / "mypy.ini").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-error-summary"]
    names = sorted(path.name for path in folder.glob("*.py"))
    run = subprocess.run([*command, *names], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 1, run.stdout + run.stderr
    errors: Errors = {name: {} for name in names}
    for line in run.stdout.splitlines():
        name, number, kind, message = re.fullmatch(r"(.+?):(\d+): (\w+): (.*)", line).groups()
        if kind == "error":
            errors[name][int(number)] = message
    return errors


def of_pyright(folder: Path) -> Errors:
    """What pyright finds, by its defaults."""
    options = {
        "pythonVersion": f"{sys.version_info.major}.{sys.version_info.minor}",
        "extraPaths": [str(PACKAGE.parent)],
        "reportMissingImports": False,
        "reportMissingModuleSource": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(options))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 1, run.stdout + run.stderr
    errors: Errors = {path.name: {} for path in folder.glob("*.py")}
    for found in json.loads(run.stdout)["generalDiagnostics"]:
        if found["severity"] == "error":
            line = found["range"]["start"]["line"] + 1
            errors[Path(found["file"]).name][line] = found["message"]
    return errors


@pytest.mark.parametrize(("checker", "run"), [("mypy", of_mypy), ("pyright", of_pyright)])
def test_what_is_wrong_is_found_and_nothing_else(checker, run, scripts):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"needs {checker}")
    wanted, found = expected(scripts), run(scripts)
    assert len(wanted) > 10
    assert sum(map(len, wanted.values())) > 30
    wrong = [
        f"{name}:{line}: {found[name].get(line, 'no error')}"
        for name in wanted
        for line in sorted(wanted[name] ^ set(found[name]))
    ]
    assert wrong == []


# ---- at run time --------------------------------------------------------------------------------


def holds(value: Any, kind: Any) -> bool:
    """Whether a value is of this type."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is np.ndarray:
        (dtype,) = get_args(parts[1])
        return isinstance(value, np.ndarray) and dtype in (Any, value.dtype.type)
    if origin is tuple and parts[-1] is ...:
        return isinstance(value, tuple) and all(holds(each, parts[0]) for each in value)
    if origin is tuple:
        same = isinstance(value, tuple) and len(value) == len(parts)
        return same and all(map(holds, value, parts))
    if origin is list:
        return isinstance(value, list) and all(holds(each, parts[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(holds(each, parts[1]) for each in value.values())
    if origin is types.UnionType:
        return any(holds(value, each) for each in parts)
    return isinstance(value, kind)


def functions(sample: str) -> list[Any]:
    """The functions of a sample, whose `assert_type` looks."""
    spec = importlib.util.spec_from_file_location(sample, HERE / f"{sample}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def assert_type(value: Any, kind: Any) -> Any:
        assert holds(value, kind), f"{value!r} is no {kind}"
        return value

    module.assert_type = assert_type
    own = (f for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == sample)
    return [f for f in own if f is not assert_type and not f.__name__.startswith("_")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sample", ["correct", "correct_torch"])
def test_the_types_of_the_correct_samples_hold(sample, tmp_path, capsys):
    package = {"correct": "sklearn", "correct_torch": "torch"}[sample]
    pytest.importorskip(package, reason=f"{sample} needs {package}")
    found = functions(sample)
    assert found
    for function in found:
        wants_folder = "folder" in inspect.signature(function).parameters
        function(**{"folder": tmp_path} if wants_folder else {})
