"""What this build and this system can do, as marks of the tests that need it."""

import os

import numpy as np
import pytest

from csoftmax._native import dispatch

needs_threads = pytest.mark.skipif(not dispatch.parallel(), reason="this build is serial")
own_threads = pytest.mark.skipif(
    not dispatch.kernels.OWN_THREADS, reason="OpenMP decides what its threads do"
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
needs_links = pytest.mark.skipif(os.name == "nt", reason="Windows lets administrators make links")
free_files = pytest.mark.skipif(os.name == "nt", reason="Windows keeps a mapped file as it is")
needs_longdouble = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="longdouble is no wider than float64 here"
)
