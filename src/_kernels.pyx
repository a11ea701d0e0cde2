"""Blocks and strips -> whole arrays: the loops over threads. Trusts its input (see _checks.py).

One function per pass over the data. Each fills in a job (jobs.h), plans it by its shape alone, and
hands its units of work to threads; what a unit does is plain C (kernels.h). One parallel region a
call; all memory is allocated before it; sums over units are merged in a fixed order.
"""

from cpython.buffer cimport PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cdef extern from *:
    """
    #ifdef _OPENMP
    #define CSOFTMAX_OPENMP _OPENMP
    #else
    #define CSOFTMAX_OPENMP 0
    #endif
    """
    const int CSOFTMAX_OPENMP
    const char *CSOFTMAX_ISA

cdef extern from "kernels.h" nogil:
    enum:
        SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, SOFTMAX_BACKWARD
        CROSS_ENTROPY, HINGE
        FROM_FLOAT, FROM_DOUBLE, FROM_UINT8
        FEATURES

    ctypedef struct cube:
        void *data
        ptrdiff_t stride[3]

    ctypedef struct row_job:
        int function
        ptrdiff_t outer, n, inner, units
        cube x, y, out

    ctypedef struct target_spec:
        const int64_t *index
        const void *prob
        ptrdiff_t prob_stride[2]
        const void *weight
        const void *coef
        double factor, label_smoothing, delta

    ctypedef struct loss_job:
        int loss
        ptrdiff_t rows, n, units
        cube z, g
        target_spec target
        double *losses

    ctypedef struct linear_job:
        const char *x
        int x_type
        ptrdiff_t x_stride[2]
        const int64_t *rows
        const void *shift
        const void *scale
        ptrdiff_t N, D, C
        const void *w
        ptrdiff_t w_stride[2]
        const void *bias
        int loss
        target_spec target
        void *dw
        ptrdiff_t dw_stride[2]
        double reg, normalizer
        int64_t *labels
        cube proba
        ptrdiff_t block, blocks, slots, ld
        void *wt
        void *slot_dw
        double *slot_dbias
        double *slot_loss
        double *square_sums

    size_t plan_rows_f32(row_job *job)
    size_t plan_rows_f64(row_job *job)
    void row_unit_f32(const row_job *job, ptrdiff_t unit, float *scratch)
    void row_unit_f64(const row_job *job, ptrdiff_t unit, double *scratch)
    size_t plan_losses_f32(loss_job *job)
    size_t plan_losses_f64(loss_job *job)
    void loss_unit_f32(const loss_job *job, ptrdiff_t unit, float *scratch)
    void loss_unit_f64(const loss_job *job, ptrdiff_t unit, double *scratch)
    void vector_math_f32(int log1p, const float *x, float *out, ptrdiff_t n)
    void vector_math_f64(int log1p, const double *x, double *out, ptrdiff_t n)
    size_t plan_linear_f32(linear_job *job)
    size_t plan_linear_f64(linear_job *job)
    void prepare_f32(const linear_job *job, ptrdiff_t piece)
    void prepare_f64(const linear_job *job, ptrdiff_t piece)
    void linear_slot_f32(const linear_job *job, ptrdiff_t slot, char *scratch)
    void linear_slot_f64(const linear_job *job, ptrdiff_t slot, char *scratch)
    void merge_f32(const linear_job *job, ptrdiff_t piece)
    void merge_f64(const linear_job *job, ptrdiff_t piece)
    float read_sum_f32(const float *x, ptrdiff_t n)
    double read_sum_f64(const double *x, ptrdiff_t n)
    float multiply_add_f32(float x, double flops)
    double multiply_add_f64(double x, double flops)

ctypedef fused real:
    float
    double

OPENMP = CSOFTMAX_OPENMP
ISA = CSOFTMAX_ISA.decode()
ROW_FUNCTIONS = {
    "softmax": SOFTMAX,
    "log_softmax": LOG_SOFTMAX,
    "logsumexp": LOGSUMEXP,
    "softmax_backward": SOFTMAX_BACKWARD,
}
LOSSES = {"cross_entropy": CROSS_ENTROPY, "hinge": HINGE}


cdef char *allocate(size_t size, void **base) except NULL:
    """Work space of one call, 64-byte aligned; base is what free gets."""
    base[0] = malloc(size + 64)
    if base[0] is NULL:
        raise MemoryError(f"csoftmax cannot allocate {size} bytes of work space")
    return <char *> ((<uintptr_t> base[0] + 63) & ~(<uintptr_t> 63))


cdef size_t padded(size_t size) noexcept nogil:
    return (size + 63) // 64 * 64


cdef void look(cube *to, const real[:, :, :] array):
    to.data = <void *> &array[0, 0, 0]
    for k in range(3):
        to.stride[k] = array.strides[k] // <ptrdiff_t> sizeof(real)


# The functions below fill in what there is; the rest of a job is 0.


cdef void aim(
    target_spec *to, const int64_t[::1] index, const real[:, :] prob, const real[::1] weight,
    const real[::1] coef, double factor, double label_smoothing, double delta,
):
    if index is not None:
        to.index = &index[0]
    if prob is not None:
        to.prob = &prob[0, 0]
        to.prob_stride[0] = prob.strides[0] // <ptrdiff_t> sizeof(real)
        to.prob_stride[1] = prob.strides[1] // <ptrdiff_t> sizeof(real)
    if weight is not None:
        to.weight = &weight[0]
    if coef is not None:
        to.coef = &coef[0]
    to.factor = factor
    to.label_smoothing = label_smoothing
    to.delta = delta


def bad_label(
    const int64_t[::1] index,       # IN (n_rows) class indices
    const int64_t[::1] rows,        # IN which of them, or None: all
    int64_t n_classes,
    bint may_ignore,
    int64_t ignore_index,           # this label is counted instead, if may_ignore
):
    """Row of the first label that is no class, or -1; and the number of ignored rows before it."""
    cdef ptrdiff_t i, row, bad = -1, ignored = 0
    cdef ptrdiff_t n = index.shape[0] if rows is None else rows.shape[0]
    with nogil:
        for i in range(n):
            row = i if rows is None else rows[i]
            if may_ignore and index[row] == ignore_index:
                ignored = ignored + 1
            elif index[row] < 0 or index[row] >= n_classes:
                bad = row
                break
    return bad, ignored


def row_function(
    int function,                   # one of ROW_FUNCTIONS
    const real[:, :, :] x,          # IN (outer, n, inner): the middle axis is worked on
    const real[:, :, :] y,          # IN second input of softmax_backward, or None
    real[:, :, :] out,              # OUT as x, n = 1 for logsumexp; may be x
    int n_threads,
):
    cdef row_job job
    cdef size_t scratch
    cdef void *base = NULL
    cdef char *memory
    cdef ptrdiff_t unit
    memset(&job, 0, sizeof(job))
    job.function = function
    job.outer, job.n, job.inner = x.shape[0], x.shape[1], x.shape[2]
    look[real](&job.x, x)
    look[real](&job.y, x if y is None else y)
    look[real](&job.out, out)
    if real is float:
        scratch = padded(plan_rows_f32(&job))
    else:
        scratch = padded(plan_rows_f64(&job))
    memory = allocate(scratch * n_threads, &base)
    with nogil, parallel(num_threads=n_threads):
        for unit in prange(job.units, schedule="static"):
            if real is float:
                row_unit_f32(&job, unit, <float *> (memory + scratch * threadid()))
            else:
                row_unit_f64(&job, unit, <double *> (memory + scratch * threadid()))
    free(base)


def row_losses(
    int loss,                       # one of LOSSES
    const real[:, :, :] z,          # IN (n_rows, n_classes, 1) scores
    const int64_t[::1] index,       # IN (n_rows) class indices; no class: no target; or None
    const real[:, :] prob,          # IN (n_rows, n_classes) probabilities, or None
    const real[::1] weight,         # IN (n_classes) class weights, or None
    const real[::1] coef,           # IN (n_rows) factors of the gradient's rows, or None
    double factor,                  # of the whole gradient
    double label_smoothing,
    double delta,
    real[:, :, :] g,                # OUT gradient, as z, or None; may be z
    double[::1] losses,             # OUT (n_rows), without coef and factor
    int n_threads,
):
    cdef loss_job job
    cdef size_t scratch
    cdef void *base = NULL
    cdef char *memory
    cdef ptrdiff_t unit
    memset(&job, 0, sizeof(job))
    job.loss = loss
    job.rows, job.n = z.shape[0], z.shape[1]
    look[real](&job.z, z)
    if g is not None:
        look[real](&job.g, g)
    aim[real](&job.target, index, prob, weight, coef, factor, label_smoothing, delta)
    job.losses = &losses[0]
    if real is float:
        scratch = padded(plan_losses_f32(&job))
    else:
        scratch = padded(plan_losses_f64(&job))
    memory = allocate(scratch * n_threads, &base)
    with nogil, parallel(num_threads=n_threads):
        for unit in prange(job.units, schedule="static"):
            if real is float:
                loss_unit_f32(&job, unit, <float *> (memory + scratch * threadid()))
            else:
                loss_unit_f64(&job, unit, <double *> (memory + scratch * threadid()))
    free(base)


cdef void look_at_model(
    linear_job *job, const Py_buffer *X, const real[:, :] W, const int64_t[::1] rows,
    const unsigned char[::1] shift, const unsigned char[::1] scale, const real[::1] bias,
):
    memset(job, 0, sizeof(linear_job))
    job.x = <const char *> X.buf
    job.x_type = FROM_FLOAT if X.itemsize == 4 else FROM_DOUBLE if X.itemsize == 8 else FROM_UINT8
    job.x_stride[0], job.x_stride[1] = X.strides[0], X.strides[1]
    job.N = X.shape[0]
    if rows is not None:
        job.rows = &rows[0]
        job.N = rows.shape[0]
    if shift is not None:
        job.shift = &shift[0]
        job.scale = &scale[0]
    if bias is not None:
        job.bias = &bias[0]
    job.D, job.C = W.shape[0], W.shape[1]
    job.w = &W[0, 0]
    job.w_stride[0] = W.strides[0] // <ptrdiff_t> sizeof(real)
    job.w_stride[1] = W.strides[1] // <ptrdiff_t> sizeof(real)


cdef void *run_linear(linear_job *job, const real *dtype, int n_threads) except NULL:
    """One pass. Returns its work space, which the caller frees when it has read the sums in it."""
    cdef size_t scratch, wt, dw
    cdef ptrdiff_t piece, slot, pieces = (job.D + FEATURES - 1) // FEATURES
    cdef void *base = NULL
    cdef char *memory
    cdef bint predicts
    if real is float:
        scratch = plan_linear_f32(job)
    else:
        scratch = plan_linear_f64(job)
    wt = padded(job.C * job.ld * sizeof(real))
    predicts = job.labels is not NULL or job.proba.data is not NULL
    dw = 0 if predicts else wt
    memory = allocate(
        wt + job.slots * (dw + sizeof(double) * (job.C + 1)) + pieces * sizeof(double)
        + 3 * 64 + scratch * n_threads,
        &base,
    )
    job.wt = memory
    job.slot_dw = memory + wt
    memory += wt + job.slots * dw
    job.slot_dbias = <double *> memory
    job.slot_loss = job.slot_dbias + job.slots * job.C
    job.square_sums = job.slot_loss + job.slots
    memory += padded((job.slots * (job.C + 1) + pieces) * sizeof(double))
    with nogil, parallel(num_threads=n_threads):
        for piece in prange(pieces, schedule="static"):
            if real is float:
                prepare_f32(job, piece)
            else:
                prepare_f64(job, piece)
        for slot in prange(job.slots, schedule="dynamic"):
            if real is float:
                linear_slot_f32(job, slot, memory + scratch * threadid())
            else:
                linear_slot_f64(job, slot, memory + scratch * threadid())
        if not predicts:
            for piece in prange(pieces, schedule="static"):
                if real is float:
                    merge_f32(job, piece)
                else:
                    merge_f64(job, piece)
    return base


def linear_loss_grad(
    int loss,                       # one of LOSSES
    const real[:, :] W,             # IN (n_features, n_classes)
    object X,                       # IN (n_rows, n_features) float32, float64 or uint8, any strides
    const int64_t[::1] rows,        # IN which rows, or None: all
    const unsigned char[::1] shift,  # IN (n_features) bytes of reals: double where X is, else as W
    const unsigned char[::1] scale,  # IN the same; both or neither
    const real[::1] bias,           # IN (n_classes), or None
    const int64_t[::1] index,       # IN class indices of all rows of X, or None
    const real[:, :] prob,          # IN probabilities of all rows of X, or None
    const real[::1] coef,           # IN weights of all rows of X, or None
    double label_smoothing,
    double delta,
    double reg,
    double normalizer,              # sum of the weights of the rows in use
    real[:, :] dW,                  # OUT (n_features, n_classes)
    real[::1] dbias,                # OUT (n_classes), or None
    int n_threads,
):
    """The loss, with its regulariser."""
    cdef linear_job job
    cdef Py_buffer view
    cdef void *base = NULL
    cdef double total = 0, squares = 0
    cdef ptrdiff_t i, c, step
    PyObject_GetBuffer(X, &view, PyBUF_STRIDED_RO)
    try:
        look_at_model[real](&job, &view, W, rows, shift, scale, bias)
        aim[real](&job.target, index, prob, None, coef, 1, label_smoothing, delta)
        job.loss = loss
        job.dw = &dW[0, 0]
        job.dw_stride[0] = dW.strides[0] // <ptrdiff_t> sizeof(real)
        job.dw_stride[1] = dW.strides[1] // <ptrdiff_t> sizeof(real)
        job.reg, job.normalizer = reg, normalizer
        base = run_linear[real](&job, NULL, n_threads)
    finally:
        PyBuffer_Release(&view)
    # the same tree as merge() in blocks.h
    step = 1
    while step < job.slots:
        for i in range(0, job.slots, 2 * step):
            job.slot_loss[i] += job.slot_loss[i + step]
            for c in range(job.C):
                job.slot_dbias[i * job.C + c] += job.slot_dbias[(i + step) * job.C + c]
        step *= 2
    for i in range((job.D + FEATURES - 1) // FEATURES):
        squares += job.square_sums[i]
    total = job.slot_loss[0] / normalizer + 0.5 * reg * squares
    if dbias is not None:
        for c in range(job.C):
            dbias[c] = <real> (job.slot_dbias[c] / normalizer)
    free(base)
    return total


def linear_predictions(
    const real[:, :] W,             # IN as in linear_loss_grad
    object X,
    const int64_t[::1] rows,
    const unsigned char[::1] shift,
    const unsigned char[::1] scale,
    const real[::1] bias,
    int64_t[::1] labels,            # OUT (n_rows) class of the largest score, or None
    real[:, :, :] proba,            # OUT (n_rows, n_classes, 1) softmax of the scores, or None
    int n_threads,
):
    cdef linear_job job
    cdef Py_buffer view
    PyObject_GetBuffer(X, &view, PyBUF_STRIDED_RO)
    try:
        look_at_model[real](&job, &view, W, rows, shift, scale, bias)
        if labels is not None:
            job.labels = &labels[0]
        if proba is not None:
            look[real](&job.proba, proba)
        free(run_linear[real](&job, NULL, n_threads))
    finally:
        PyBuffer_Release(&view)


def vector_math(bint log1p, const real[::1] x, real[::1] out):
    """exp(x), x <= 0, or log1p(x), x >= 0: what the kernels use, for the tests of exp.h."""
    if real is float:
        vector_math_f32(log1p, &x[0], &out[0], x.shape[0])
    else:
        vector_math_f64(log1p, &x[0], &out[0], x.shape[0])


def read_sum(const real[::1] x, int n_threads):
    """Sum of x, for the time that reading it takes; a slice of it for each thread."""
    cdef double total = 0
    cdef ptrdiff_t part, begin, n = x.shape[0]
    for part in prange(n_threads, schedule="static", num_threads=n_threads, nogil=True):
        begin = n * part // n_threads
        if real is float:
            total += read_sum_f32(&x[0] + begin, n * (part + 1) // n_threads - begin)
        else:
            total += read_sum_f64(&x[0] + begin, n * (part + 1) // n_threads - begin)
    return total


def multiply_add(real x, double flops, int n_threads):
    """So many multiplications and additions in registers, shared out to the threads.

    Returns a number that depends on all of them, so that none is optimised away.
    """
    cdef double total = 0
    cdef ptrdiff_t _part
    for _part in prange(n_threads, schedule="static", num_threads=n_threads, nogil=True):
        if real is float:
            total += multiply_add_f32(x, flops / n_threads)
        else:
            total += multiply_add_f64(x, flops / n_threads)
    return total
