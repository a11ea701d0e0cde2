"""scikit-learn's own tests that name LogisticRegression, as its wheel ships them, on csoftmax."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import sklearn

HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE / "expected_sklearn.toml").read_text())
EXPECTED = [(row["test"], row["message"], row["reason"]) for row in TABLE["expected"]]
REASONS = {"wording", "internals", "liblinear", "deprecation", "digits"}

if not sklearn.__version__.startswith(TABLE["version"] + "."):
    pytest.skip(f"the table is of scikit-learn {TABLE['version']}", allow_module_level=True)

PACKAGE = Path(sklearn.__file__).parent
# Of every estimator that scikit-learn has; or of others, with LogisticRegression in a comment.
NOT_OURS = ("tests/test_common.py", "tests/test_docstring_parameters.py", "svm/tests/")


def modules():
    """The test modules that name LogisticRegression."""
    for path in sorted(PACKAGE.rglob("tests/test_*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(NOT_OURS) and "LogisticRegression" in path.read_text():
            yield str(path)


def run(folder, *arguments, **environment):
    """What came of tests, in an interpreter of its own, where the names are others."""
    path = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "pytest", "-p", "sklearn_names", *arguments),
            *("-c", os.devnull, "--rootdir", str(PACKAGE), "-p", "no:cacheprovider"),
            *("-q", "--tb=native"),
        ],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(path),
            "CSOFTMAX_OUTCOMES": str(folder / "outcomes.json"),
            "MPLBACKEND": "agg",
        }
        | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return json.loads((folder / "outcomes.json").read_text())


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Of all of them."""
    return run(tmp_path_factory.mktemp("sklearn"), *modules())


def test_tensors_of_pytorch(tmp_path):
    """Which scikit-learn skips where SciPy does not dispatch on arrays."""
    pytest.importorskip("torch")
    of_logistic = str(PACKAGE / "linear_model/tests/test_logistic.py")
    found = run(tmp_path, of_logistic, "-k", "array_api and torch-cpu", SCIPY_ARRAY_API="1")
    assert len(found) > 50
    assert not any(found.values()), found


def expectation(name):
    """The row of the table that a test falls under."""
    return next((row for row in EXPECTED if re.search(row[0], name)), None)


def test_the_suite_passes_but_for_the_table(outcomes):
    assert len(outcomes) > 1000
    wrong = {}
    for name, message in outcomes.items():
        row = expectation(name)
        if row and not message:
            if not row[2].startswith("digits"):  # those differ from one processor to another
                wrong[name] = "passed, which the table does not expect"
        elif message and not (row and re.search(row[1], message)):
            wrong[name] = message
    assert wrong == {}


def test_every_row_of_the_table_has_tests_and_a_reason(outcomes):
    found = {row for name in outcomes if (row := expectation(name)) is not None}
    assert found == set(EXPECTED)
    assert {row["reason"].split(":")[0] for row in TABLE["expected"]} <= REASONS
