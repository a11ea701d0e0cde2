"""SciPy's own tests of logsumexp, softmax and log_softmax, as its wheel ships them, on csoftmax."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SUITE = "scipy.special.tests.test_logsumexp"

# Which tests are expected to fail, with what, and why. All others pass.
EXPECTED = [
    (
        r"complex|[\df]j\)?[-\]]|small_imaginary",
        r"TypeError: [ab] has dtype complex(64|128): wanted real numbers",
        "csoftmax has real numbers only, and says so",
    ),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Run the suite in an interpreter of its own, for SciPy's conftest changes settings of it."""
    if find_spec(SUITE) is None:
        pytest.skip("this SciPy comes without its tests")
    folder = tmp_path_factory.mktemp("scipy")
    clean = {name: value for name, value in os.environ.items() if name != "SCIPY_ARRAY_API"}
    path = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "pytest", "-p", "scipy_names", "--pyargs", SUITE),
            *("-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"),
            *("-q", "--tb=native"),  # the long tracebacks take a minute
        ],
        env=clean
        | {
            "PYTHONPATH": os.pathsep.join(path),
            "CSOFTMAX_OUTCOMES": str(folder / "outcomes.json"),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return json.loads((folder / "outcomes.json").read_text())


def expectation(name):
    """The row of the table that a test falls under."""
    return next((row for row in EXPECTED if re.search(row[0], name)), None)


def test_the_suite_passes_but_for_the_table(outcomes):
    assert len(outcomes) > 100
    wrong = {
        name: message or "passed, which the table does not expect"
        for name, message in outcomes.items()
        if not (
            re.match(row[1], message) if (row := expectation(name)) is not None else message == ""
        )
    }
    assert wrong == {}


def test_every_row_of_the_table_has_tests(outcomes):
    found = {row for name in outcomes if (row := expectation(name)) is not None}
    assert found == set(EXPECTED)
