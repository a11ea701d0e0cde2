# How units of work are shared out to threads. (Included in _kernels.pyx.)

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t

cdef extern from "crew.h" nogil:
    int CREW_MOST
    ctypedef void (*crew_work)(void *of, ptrdiff_t unit, int thread) noexcept nogil
    int64_t crew_settings()
    void crew_run(int threads, ptrdiff_t begin, ptrdiff_t end, crew_work work, void *of)


# How a unit of a stage of a job is done: for float or double, rows, losses or a pass over X.
ctypedef void (*worker)(
    const void *job, int stage, ptrdiff_t unit, char *scratch
) noexcept nogil

ctypedef struct errand:
    worker work
    const void *job
    int stage
    char *scratch                   # of all threads
    size_t each                     # bytes of it for one
    int n_threads


cdef void one_unit(void *of, ptrdiff_t unit, int thread) noexcept nogil:
    cdef errand *what = <errand *> of
    what.work(what.job, what.stage, unit, what.scratch + what.each * thread)


cdef void share_out(errand *what, int stage, ptrdiff_t begin, ptrdiff_t end) noexcept nogil:
    """The units begin .. end - 1 of a stage, all of them before it returns."""
    cdef ptrdiff_t unit
    what.stage = stage
    if what.n_threads == 1 or end - begin < 2:
        for unit in range(begin, end):
            one_unit(what, unit, 0)
    elif CSOFTMAX_OWN_THREADS:
        crew_run(what.n_threads, begin, end, one_unit, what)
    else:  # a build that wants OpenMP: its team waits for all of its threads
        with parallel(num_threads=what.n_threads):
            for unit in prange(begin, end, schedule="dynamic"):
                one_unit(what, unit, threadid())
