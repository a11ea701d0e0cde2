"""A pytest plugin for SciPy's own tests: the functions that they name become csoftmax's.

The outcomes are written as JSON to the file that CSOFTMAX_OUTCOMES names: for each test, without
its module, "" where it passed, and else the first line of what went wrong.
"""

import json
import os
from pathlib import Path

import scipy.special

import csoftmax

NAMES = ("log_softmax", "logsumexp", "softmax")
outcomes = {}


def pytest_collection_modifyitems(items):
    # The tests look the names up in their module when they run. Their decorators have looked at
    # SciPy's own functions by then, whose capabilities SciPy keeps in a table.
    for module in {item.module for item in items}:
        for name in NAMES:
            assert getattr(module, name) is getattr(scipy.special, name)
            setattr(module, name, getattr(csoftmax, name))


def pytest_runtest_logreport(report):
    if report.when == "call" or not report.passed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = crash.message if crash else str(report.longrepr)
        name = report.nodeid.split("::", 1)[1]
        outcomes[name] = "" if report.passed else message.splitlines()[0]


def pytest_sessionfinish():
    Path(os.environ["CSOFTMAX_OUTCOMES"]).write_text(json.dumps(outcomes))
