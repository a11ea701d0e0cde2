# Passes over rows of logits: row functions and losses. (Included in _kernels.pyx.)
# The functions fill in what there is; the rest of a job is 0.

from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memset


cdef void row_float(const void *job, int _stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    row_unit_f32(<const row_job *> job, unit, <float *> scratch)


cdef void row_double(const void *job, int _stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    row_unit_f64(<const row_job *> job, unit, <double *> scratch)


cdef void logsumexp_float(
    const void *job, int _stage, ptrdiff_t unit, char *scratch
) noexcept nogil:
    logsumexp_unit_f32(<const row_job *> job, unit, <float *> scratch)


cdef void logsumexp_double(
    const void *job, int _stage, ptrdiff_t unit, char *scratch
) noexcept nogil:
    logsumexp_unit_f64(<const row_job *> job, unit, <double *> scratch)


cdef void loss_float(const void *job, int _stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    loss_unit_f32(<const loss_job *> job, unit, <float *> scratch)


cdef void loss_double(const void *job, int _stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    loss_unit_f64(<const loss_job *> job, unit, <double *> scratch)


cdef int run(
    worker work, const void *job, ptrdiff_t units, size_t scratch, int n_threads
) except -1:
    """All units of a job, with `scratch` bytes for each thread."""
    cdef errand what
    cdef void *base = NULL
    what.work, what.job, what.each, what.n_threads = work, job, apart(scratch), n_threads
    what.scratch = allocate(what.each * n_threads, &base)
    with nogil:
        share_out(&what, 0, 0, units)
    free(base)
    return 0


cdef int look(
    cube *to, object array, tuple axes, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner
) except -1:
    """An array as a cube (csoftmax/_native/layout.py). Returns the size of an element."""
    cdef view seen
    cdef ptrdiff_t axis
    see(array, &seen)
    assert seen.size == outer * n * inner
    to.data = seen.data
    if axes is None:
        to.stride[0], to.stride[1], to.stride[2] = n * inner, inner, 1
    else:
        for k in range(3):
            axis = <ptrdiff_t> axes[k]
            to.stride[k] = 0 if axis < 0 else seen.stride[axis]
    return <int> seen.itemsize


def row_function(
    int function,                   # one of ROW_FUNCTIONS
    object x,                       # IN reals of any shape
    object y,                       # IN as x: second input of softmax_backward; or None
    object out,                     # OUT as x, and may be x; logsumexp: contiguous, n = 1
    tuple dims,                     # (outer, n, inner) of x as a cube: the middle axis is worked on
    tuple axes,                     # axes of x that these are (-1: none), or None: x is contiguous
    int n_threads,
):
    cdef row_job job
    cdef int itemsize
    cdef size_t scratch
    cdef bint reduces = function == LOGSUMEXP
    memset(&job, 0, sizeof(job))
    job.function = function
    job.outer, job.n, job.inner = dims
    itemsize = look(&job.x, x, axes, job.outer, job.n, job.inner)
    job.y = job.x
    if y is not None:
        look(&job.y, y, axes, job.outer, job.n, job.inner)
    look(&job.out, out, None if reduces else axes, job.outer, 1 if reduces else job.n, job.inner)
    if itemsize == sizeof(float):
        scratch = plan_rows_f32(&job)
        run(row_float, &job, job.units, scratch, n_threads)
    else:
        scratch = plan_rows_f64(&job)
        run(row_double, &job, job.units, scratch, n_threads)


def weighted_logsumexp(
    object x,                       # IN (outer, n, inner) reals of any strides
    object b,                       # IN as x: weights
    object out,                     # OUT (outer, inner) contiguous: log|sum(b exp(x))|
    object sign,                    # OUT as out: signs of the sums; None: NaN where one is negative
    int n_threads,
):
    cdef row_job job
    cdef view seen
    cdef size_t scratch
    memset(&job, 0, sizeof(job))
    job.function = LOGSUMEXP
    see(x, &seen)
    job.outer, job.n, job.inner = seen.shape[0], seen.shape[1], seen.shape[2]
    look(&job.x, x, (0, 1, 2), job.outer, job.n, job.inner)
    look(&job.y, b, (0, 1, 2), job.outer, job.n, job.inner)
    look(&job.out, out, None, job.outer, 1, job.inner)
    job.sign = vector(sign, job.outer * job.inner, seen.itemsize)
    if seen.itemsize == sizeof(float):
        scratch = plan_logsumexp_f32(&job)
        run(logsumexp_float, &job, job.units, scratch, n_threads)
    else:
        scratch = plan_logsumexp_f64(&job)
        run(logsumexp_double, &job, job.units, scratch, n_threads)


cdef int aim(
    target_spec *to, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t itemsize, object index, object prob,
    object weight, object coef, double factor, double label_smoothing, double delta,
) except -1:
    to.index = <const int64_t *> vector(index, rows, sizeof(int64_t))
    to.prob.data = matrix(prob, rows, n, itemsize, to.prob.stride)
    to.weight = vector(weight, n, itemsize)
    to.coef = vector(coef, rows, itemsize)
    to.factor = factor
    to.label_smoothing = label_smoothing
    to.delta = delta
    return 0


cdef int place(
    cube *to, object array, object layout, ptrdiff_t outer, ptrdiff_t size, ptrdiff_t itemsize
) except -1:
    """An array as a cube: strides, and the outer places or None (csoftmax/_native/layout.py)."""
    cdef view seen
    if array is None:
        return 0
    strides, places = layout
    see(array, &seen)
    assert seen.size == size and seen.itemsize == itemsize
    to.data = seen.data
    to.stride[0], to.stride[1], to.stride[2] = strides
    to.outer = <const ptrdiff_t *> vector(places, outer, sizeof(ptrdiff_t))
    return 0


def row_losses(
    int loss,                       # one of LOSSES
    object z,                       # IN (n_rows, n_classes) scores, or of the layout given
    object index,                   # IN (n_rows) int64 class indices; no class: no target; or None
    object prob,                    # IN probabilities, as z, or None
    object weight,                  # IN (n_classes) class weights, or None
    object coef,                    # IN (n_rows) factors of the gradient's rows, or None
    double factor,                  # of the whole gradient
    double label_smoothing,
    double delta,
    object g,                       # OUT gradient, as z, or None; may be z
    object losses,                  # OUT (n_rows) float64, without coef and factor
    tuple layout,                   # (outer, n_classes, inner) and z, prob, g placed; None: 2-D
    int n_threads,
):
    cdef loss_job job
    cdef view seen
    cdef size_t scratch
    cdef ptrdiff_t rows, size
    memset(&job, 0, sizeof(job))
    job.loss = loss
    see(z, &seen)
    if layout is None:
        job.outer, job.n, job.inner = seen.shape[0], seen.shape[1], 1
        job.z.data = seen.data
        job.z.stride[0], job.z.stride[1] = seen.stride[0], seen.stride[1]
        job.g.data = matrix(g, job.outer, job.n, seen.itemsize, job.g.stride)
    else:
        (job.outer, job.n, job.inner), of_z, of_prob, of_g = layout
        size = job.outer * job.n * job.inner
        place(&job.z, z, of_z, job.outer, size, seen.itemsize)
        place(&job.g, g, of_g, job.outer, size, seen.itemsize)
    rows = job.outer * job.inner
    aim(
        &job.target, rows, job.n, seen.itemsize, index, prob if layout is None else None, weight,
        coef, factor, label_smoothing, delta,
    )
    if layout is not None:
        place(&job.target.prob, prob, of_prob, job.outer, size, seen.itemsize)
    job.losses = <double *> vector(losses, rows, sizeof(double))
    if seen.itemsize == sizeof(float):
        scratch = plan_losses_f32(&job)
        run(loss_float, &job, job.units, scratch, n_threads)
    else:
        scratch = plan_losses_f64(&job)
        run(loss_double, &job, job.units, scratch, n_threads)


cdef double pairwise(const double *x, ptrdiff_t n) noexcept nogil:
    cdef double lanes[8]
    cdef ptrdiff_t i, half = n // 16 * 8
    if n > 128:
        return pairwise(x, half) + pairwise(x + half, n - half)
    memset(lanes, 0, sizeof(lanes))
    for i in range(n):
        lanes[i % 8] += x[i]
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + (
        (lanes[4] + lanes[5]) + (lanes[6] + lanes[7])
    )


def total(object x):
    """Sum of contiguous float64, by pairs as numpy.sum, one call of which costs 0.8 us."""
    cdef view seen
    cdef double result
    see(x, &seen)
    with nogil:
        result = pairwise(<const double *> seen.data, seen.size)
    return result


def vector_math(bint log1p, object x, object out):
    """exp(x), x <= 0, or log1p(x), x >= 0: what the kernels use, for the tests of exp.h."""
    cdef view seen
    see(x, &seen)
    cdef void *to = vector(out, seen.size, seen.itemsize)
    if seen.itemsize == sizeof(float):
        vector_math_f32(log1p, <const float *> seen.data, <float *> to, seen.size)
    else:
        vector_math_f64(log1p, <const double *> seen.data, <double *> to, seen.size)
