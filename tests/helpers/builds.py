"""What this build and this system can do, as marks of the tests that need it."""

import os

import pytest

from csoftmax._native import dispatch

needs_threads = pytest.mark.skipif(not dispatch.parallel(), reason="this build is serial")
own_threads = pytest.mark.skipif(
    not dispatch.kernels.OWN_THREADS, reason="OpenMP decides what its threads do"
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
