"""Blocks and strips -> whole arrays: the loops over threads. Trusts its input (see _checks.py).

One function per pass over the data. Each fills in a job (jobs.h), plans it by its shape alone, and
hands its units of work to threads; what a unit does is plain C (kernels.h). One parallel region a
call; all memory is allocated before it; sums over units are merged in a fixed order.

Arrays come as objects, whose dtype float32 or float64 is told by the size of an element. Typed
memoryviews would cost a call of a few rows more than its work does: 0.13 us for each array, 0.3 us
for the choice by their type (Zen 5). What is asserted are errors in csoftmax, never in its input.
"""

from cpython.buffer cimport PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uintptr_t
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

include "kernels.pxi"

ctypedef fused integer:
    int32_t
    int64_t

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


# What the kernels use of an array.
ctypedef struct view:
    void *data                      # NULL: None
    ptrdiff_t itemsize, size        # bytes of an element, number of elements
    ptrdiff_t shape[3]              # 0 where there are more or fewer axes
    ptrdiff_t stride[3]             # in elements


cdef int see(object array, view *to) except -1:
    """Copied from the buffer and given back at once: the caller holds the array during the call."""
    cdef Py_buffer buffer
    memset(to, 0, sizeof(view))
    if array is None:
        return 0
    PyObject_GetBuffer(array, &buffer, PyBUF_STRIDED_RO)
    to.data = buffer.buf
    to.itemsize, to.size = buffer.itemsize, buffer.len // buffer.itemsize
    if buffer.ndim <= 3:
        for k in range(buffer.ndim):
            to.shape[k] = buffer.shape[k]
            to.stride[k] = buffer.strides[k] // buffer.itemsize
    PyBuffer_Release(&buffer)
    return 0


cdef void *vector(object array, ptrdiff_t size, ptrdiff_t itemsize) except? NULL:
    """The elements of a contiguous array, or NULL for None."""
    cdef view seen
    see(array, &seen)
    assert array is None or (seen.size == size and seen.itemsize == itemsize)
    return seen.data


cdef void *matrix(
    object array, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t itemsize, ptrdiff_t *stride
) except? NULL:
    """The elements of an array of any strides, or NULL for None."""
    cdef view seen
    see(array, &seen)
    assert array is None or (seen.shape[0] == rows and seen.shape[1] == columns)
    assert array is None or seen.itemsize == itemsize
    stride[0], stride[1] = seen.stride[0], seen.stride[1]
    return seen.data


# How units of work are done: for float or double, rows or losses.
ctypedef void (*worker)(const void *job, ptrdiff_t unit, void *scratch) noexcept nogil


cdef void row_float(const void *job, ptrdiff_t unit, void *scratch) noexcept nogil:
    row_unit_f32(<const row_job *> job, unit, <float *> scratch)


cdef void row_double(const void *job, ptrdiff_t unit, void *scratch) noexcept nogil:
    row_unit_f64(<const row_job *> job, unit, <double *> scratch)


cdef void loss_float(const void *job, ptrdiff_t unit, void *scratch) noexcept nogil:
    loss_unit_f32(<const loss_job *> job, unit, <float *> scratch)


cdef void loss_double(const void *job, ptrdiff_t unit, void *scratch) noexcept nogil:
    loss_unit_f64(<const loss_job *> job, unit, <double *> scratch)


cdef int run(
    worker work, const void *job, ptrdiff_t units, size_t scratch, int n_threads
) except -1:
    """All units of a job, with `scratch` bytes for each thread."""
    cdef size_t each = padded(scratch)
    cdef void *base = NULL
    cdef char *memory = allocate(each * n_threads, &base)
    cdef ptrdiff_t unit
    if n_threads == 1:  # a parallel region of one thread costs 0.6 us (libgomp)
        with nogil:
            for unit in range(units):
                work(job, unit, memory)
    else:
        with nogil, parallel(num_threads=n_threads):
            for unit in prange(units, schedule="static"):
                work(job, unit, memory + each * threadid())
    free(base)
    return 0


# The functions below fill in what there is; the rest of a job is 0.


cdef int aim(
    target_spec *to, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t itemsize, object index, object prob,
    object weight, object coef, double factor, double label_smoothing, double delta,
) except -1:
    to.index = <const int64_t *> vector(index, rows, sizeof(int64_t))
    to.prob = matrix(prob, rows, n, itemsize, to.prob_stride)
    to.weight = vector(weight, n, itemsize)
    to.coef = vector(coef, rows, itemsize)
    to.factor = factor
    to.label_smoothing = label_smoothing
    to.delta = delta
    return 0


def bad_label(
    object index,                   # IN (n_rows) int64: class indices
    object rows,                    # IN int64: which of them, or None: all
    int64_t n_classes,
    bint may_ignore,
    int64_t ignore_index,           # this label is counted instead, if may_ignore
):
    """Row of the first label that is no class, or -1; and the number of ignored rows before it."""
    cdef view of_index, of_rows
    cdef ptrdiff_t i, row, n, bad = -1, ignored = 0
    see(index, &of_index)
    see(rows, &of_rows)
    cdef const int64_t *labels = <const int64_t *> of_index.data
    cdef const int64_t *chosen = <const int64_t *> of_rows.data
    n = of_index.size if chosen is NULL else of_rows.size
    with nogil:
        for i in range(n):
            row = i if chosen is NULL else chosen[i]
            if may_ignore and labels[row] == ignore_index:
                ignored = ignored + 1
            elif labels[row] < 0 or labels[row] >= n_classes:
                bad = row
                break
    return bad, ignored


cdef ptrdiff_t first_outside(
    const integer *index, ptrdiff_t begin, ptrdiff_t end, integer last, bint *is_sorted
) noexcept nogil:
    """The first of these indices that is not in 0..last, or -1; and whether they are sorted."""
    cdef integer bad = 0, falls = 0
    cdef ptrdiff_t k
    for k in range(begin, end):  # without a way out, so that the compiler uses vectors
        bad |= (index[k] < 0) | (index[k] > last)
    for k in range(begin + 1, end):
        falls |= index[k] < index[k - 1]
    is_sorted[0] = is_sorted[0] and not falls
    if bad:
        for k in range(begin, end):
            if index[k] < 0 or index[k] > last:
                return k
    return -1


def bad_entry(
    object indptr,                  # IN (n_rows + 1) int32 or int64, of a CSR matrix
    object indices,                 # IN as indptr
    object rows,                    # IN int64: which of its rows, or None: all
    int64_t n_features,
):
    """Row of the first entry that is out of range, and this entry; of wrong bounds: the row, -1.

    (-1, -1) if there is none; and whether the indices of each row are sorted.
    """
    cdef view of_start, of_index, of_rows
    cdef ptrdiff_t i, row = -1, n, begin, end, bad = -1
    cdef bint is_sorted = True, wide
    see(indptr, &of_start)
    see(indices, &of_index)
    see(rows, &of_rows)
    wide = of_index.itemsize == sizeof(int64_t)
    cdef const int64_t *chosen = <const int64_t *> of_rows.data
    cdef const int64_t *start64 = <const int64_t *> of_start.data
    cdef const int64_t *index64 = <const int64_t *> of_index.data
    cdef const int32_t *start32 = <const int32_t *> of_start.data
    cdef const int32_t *index32 = <const int32_t *> of_index.data
    cdef int32_t last32 = <int32_t> min(n_features - 1, <int64_t> INT32_MAX)
    n = of_start.size - 1 if chosen is NULL else of_rows.size
    with nogil:
        for i in range(n):
            row = i if chosen is NULL else chosen[i]
            begin = start64[row] if wide else start32[row]
            end = start64[row + 1] if wide else start32[row + 1]
            if begin < 0 or end < begin or end > of_index.size:
                break
            if wide:
                bad = first_outside(index64, begin, end, n_features - 1, &is_sorted)
            else:
                bad = first_outside(index32, begin, end, last32, &is_sorted)
            if bad >= 0:
                break
        else:
            row = -1
    return row, bad, is_sorted


cdef int look(
    cube *to, object array, tuple axes, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner
) except -1:
    """An array as a cube (csoftmax/_layout.py). Returns the size of an element."""
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


def row_losses(
    int loss,                       # one of LOSSES
    object z,                       # IN (n_rows, n_classes) scores
    object index,                   # IN (n_rows) int64 class indices; no class: no target; or None
    object prob,                    # IN (n_rows, n_classes) probabilities, or None
    object weight,                  # IN (n_classes) class weights, or None
    object coef,                    # IN (n_rows) factors of the gradient's rows, or None
    double factor,                  # of the whole gradient
    double label_smoothing,
    double delta,
    object g,                       # OUT gradient, as z, or None; may be z
    object losses,                  # OUT (n_rows) float64, without coef and factor
    int n_threads,
):
    cdef loss_job job
    cdef view seen
    cdef size_t scratch
    memset(&job, 0, sizeof(job))
    job.loss = loss
    see(z, &seen)
    job.z.data = seen.data
    job.z.stride[0], job.z.stride[1] = seen.stride[0], seen.stride[1]
    job.rows, job.n = seen.shape[0], seen.shape[1]
    job.g.data = matrix(g, job.rows, job.n, seen.itemsize, job.g.stride)
    aim(
        &job.target, job.rows, job.n, seen.itemsize, index, prob, weight, coef, factor,
        label_smoothing, delta,
    )
    job.losses = <double *> vector(losses, job.rows, sizeof(double))
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


cdef int look_at_model(
    linear_job *job, object X, object W, object rows, object shift, object scale, object bias
) except -1:
    """Returns the size of an element of W."""
    cdef view seen
    cdef ptrdiff_t itemsize, wide
    memset(job, 0, sizeof(linear_job))
    see(W, &seen)
    itemsize = seen.itemsize
    job.D, job.C, job.models = seen.shape[0], seen.shape[1], 1
    job.w = seen.data
    job.w_stride[0], job.w_stride[1] = seen.stride[0], seen.stride[1]
    if isinstance(X, tuple):
        see(X.indices, &seen)
        job.csr.index, job.csr.entries = seen.data, seen.size
        job.csr.wide = seen.itemsize == sizeof(int64_t)
        job.csr.start = vector(X.indptr, X.shape[0] + 1, seen.itemsize)
        job.N = X.shape[0]
        see(X.data, &seen)
        assert seen.size == job.csr.entries
        job.csr.value = seen.data
        wide = sizeof(double)
    else:
        see(X, &seen)
        assert seen.shape[1] == job.D
        job.x = <const char *> seen.data
        for k in range(2):
            job.x_stride[k] = seen.stride[k] * seen.itemsize
        job.N = seen.shape[0]
        wide = max(itemsize, seen.itemsize)
    job.x_type = FROM_FLOAT if seen.itemsize == 4 else FROM_DOUBLE if seen.itemsize == 8 else \
        FROM_UINT8
    job.shift, job.scale = vector(shift, job.D, wide), vector(scale, job.D, wide)
    job.bias = vector(bias, job.C, itemsize)
    if rows is not None:
        see(rows, &seen)
        job.rows = <const int64_t *> seen.data
        job.N = seen.size
    return <int> itemsize


# A unit of a stage of a pass over X, for float or double, dense or CSR rows.
ctypedef void (*stage_worker)(
    const linear_job *job, int stage, ptrdiff_t unit, char *scratch
) noexcept nogil


cdef void *run_linear(linear_job *job, int itemsize, int n_threads) except NULL:
    """One pass. Returns its work space, which the caller frees when it has read the sums in it."""
    cdef bint is_float = itemsize == sizeof(float)
    cdef stage_worker work = linear_unit_f32 if is_float else linear_unit_f64
    cdef size_t scratch = plan_linear_f32(job) if is_float else plan_linear_f64(job)
    cdef bint predicts = job.labels is not NULL or job.proba.data is not NULL
    cdef size_t wt = padded(job.C * job.ld * itemsize), dw = 0 if predicts else wt
    cdef ptrdiff_t unit = 0, pieces = (job.D + FEATURES - 1) // FEATURES
    cdef ptrdiff_t merges = 0 if predicts else pieces
    cdef void *base = NULL
    cdef char *memory = NULL
    if job.v is not NULL:
        wt *= 2
    memory = allocate(
        wt + job.slots * (dw + sizeof(double) * (job.C + job.models)) + pieces * sizeof(double)
        + 3 * 64 + scratch * n_threads,
        &base,
    )
    job.wt = memory
    job.slot_dw = memory + wt
    memory += wt + job.slots * dw
    job.slot_dbias = <double *> memory
    job.slot_loss = job.slot_dbias + job.slots * job.C
    job.square_sums = job.slot_loss + job.slots * job.models
    memory += padded((job.slots * (job.C + job.models) + pieces) * sizeof(double))
    if n_threads == 1:  # a parallel region of one thread costs 1.1 us (libgomp)
        with nogil:
            for unit in range(pieces):
                work(job, PREPARE, unit, NULL)
            for unit in range(job.slots):
                work(job, BLOCKS, unit, memory)
            for unit in range(merges):
                work(job, MERGE, unit, NULL)
        return base
    with nogil, parallel(num_threads=n_threads):
        for unit in prange(pieces, schedule="static"):
            work(job, PREPARE, unit, NULL)
        for unit in prange(job.slots, schedule="dynamic"):
            work(job, BLOCKS, unit, memory + scratch * threadid())
        for unit in prange(merges, schedule="static"):
            work(job, MERGE, unit, NULL)
    return base


cdef void *run_sparse(linear_job *job, object X, int itemsize, int n_threads) except NULL:
    """As run_linear, for CSR rows."""
    cdef bint predicts = job.labels is not NULL or job.proba.data is not NULL
    cdef ptrdiff_t unit = 0, round = 0, pieces = (job.D + FEATURES - 1) // FEATURES
    cdef ptrdiff_t gradients = 0 if predicts else n_threads, merges = 0 if predicts else pieces
    cdef bint is_float = itemsize == sizeof(float)
    cdef stage_worker work = sparse_unit_f32 if is_float else sparse_unit_f64
    cdef size_t scratch = plan_sparse_f32(job) if is_float else plan_sparse_f64(job)
    cdef ptrdiff_t rounds = (job.blocks + job.round - 1) // job.round
    cdef size_t matrix = padded(job.D * job.row_length * itemsize)
    cdef size_t models = 1 if job.v is NULL else 2
    cdef size_t wt = 0 if job.wt is not NULL else models * matrix
    cdef size_t dw = 0 if job.slot_dw is not NULL or predicts else matrix
    cdef size_t row = job.ld * itemsize, g = job.round * job.block * row, biases = models * row
    cdef size_t doubles = padded((
        1 + job.C + job.round + pieces * (1 if job.shift is NULL else 1 + models * job.C)
    ) * sizeof(double))
    cdef void *base = NULL
    cdef char *memory = NULL
    parts = X.parts(n_threads)
    job.n_parts = n_threads
    job.parts = <const int64_t *> vector(parts, n_threads + 1, sizeof(int64_t))
    memory = allocate(wt + dw + biases + g + doubles + scratch * n_threads, &base)
    if wt:
        job.wt = memory
    if dw:
        job.slot_dw = memory + wt
    job.folded_bias = memory + wt + dw
    job.g = memory + wt + dw + biases
    job.slot_loss = <double *> (memory + wt + dw + biases + g)
    job.slot_dbias = job.slot_loss + 1
    job.block_loss = job.slot_dbias + job.C
    job.square_sums = job.block_loss + job.round
    job.shift_sums = job.square_sums + pieces
    memory += wt + dw + biases + g + doubles
    memset(job.slot_loss, 0, (1 + job.C) * sizeof(double))
    with nogil, parallel(num_threads=n_threads):
        for unit in prange(pieces, schedule="static"):
            work(job, PREPARE, unit, NULL)
        for unit in prange(1):
            work(job, FOLD, unit, NULL)
        for round in range(rounds):
            for unit in prange(round * job.round, (round + 1) * job.round, schedule="dynamic"):
                work(job, BLOCKS, unit, memory + scratch * threadid())
            for unit in prange(round * gradients, (round + 1) * gradients, schedule="static"):
                work(job, GRADIENT, unit, NULL)
        for unit in prange(merges, schedule="static"):
            work(job, MERGE, unit, NULL)
    return base


cdef void *run_pass(linear_job *job, object X, int itemsize, int n_threads) except NULL:
    if isinstance(X, tuple):
        return run_sparse(job, X, itemsize, n_threads)
    return run_linear(job, itemsize, n_threads)


cdef void add_slots(linear_job *job, ptrdiff_t itemsize, void *dbias) noexcept:
    """Losses and dbias of all slots, by the same tree as merge() in blocks.h."""
    cdef ptrdiff_t i, c, k, step = 1, classes = job.C // job.models
    while step < job.slots:
        for i in range(0, job.slots, 2 * step):
            for k in range(job.models):
                job.slot_loss[i * job.models + k] += job.slot_loss[(i + step) * job.models + k]
            for c in range(job.C):
                job.slot_dbias[i * job.C + c] += job.slot_dbias[(i + step) * job.C + c]
        step *= 2
    for c in range(job.C if dbias else 0):
        if itemsize == sizeof(float):
            (<float *> dbias)[c] = <float> (job.slot_dbias[c] / job.normalizers[c // classes])
        else:
            (<double *> dbias)[c] = job.slot_dbias[c] / job.normalizers[c // classes]


def linear_loss_grad(
    int loss,                       # one of LOSSES
    object W,                       # IN (n_features, n_classes) reals
    object X,                       # IN (n_rows, n_features) float32, float64 or uint8, any strides
    object rows,                    # IN int64: which rows, or None: all
    object shift,                   # IN (n_features) reals: double where X is, else as W; or None
    object scale,                   # IN the same; both or neither
    object bias,                    # IN (n_classes), or None
    object index,                   # IN int64 class indices of all rows of X, or None
    object prob,                    # IN probabilities of all rows of X, or None
    object coef,                    # IN weights of all rows of X, or None
    double label_smoothing,
    double delta,
    double reg,
    double normalizer,              # sum of the weights of the rows in use
    object dW,                      # OUT (n_features, n_classes)
    object dbias,                   # OUT (n_classes), or None
    int n_threads,
):
    """The loss, with its regulariser."""
    cdef linear_job job
    cdef void *base = NULL
    cdef void *to_bias
    cdef double total = 0, squares = 0
    cdef ptrdiff_t i
    cdef int itemsize = look_at_model(&job, X, W, rows, shift, scale, bias)
    aim(
        &job.target, X.shape[0], job.C, itemsize, index, prob, None, coef, 1, label_smoothing, delta
    )
    job.loss = loss
    job.dw = matrix(dW, job.D, job.C, itemsize, job.dw_stride)
    to_bias = vector(dbias, job.C, itemsize)
    job.reg, job.normalizers = reg, &normalizer
    base = run_pass(&job, X, itemsize, n_threads)
    add_slots(&job, itemsize, to_bias)
    for i in range((job.D + FEATURES - 1) // FEATURES):
        squares += job.square_sums[i]
    total = job.slot_loss[0] / normalizer + 0.5 * reg * squares
    free(base)
    return total


def linear_stack_loss_grad(
    object W,                       # IN (n_features, n_models * n_classes) reals, side by side
    object X,                       # IN as in linear_loss_grad
    object rows,
    object shift,
    object scale,
    object bias,                    # IN (n_models * n_classes), or None
    object index,
    object prob,
    object coef,
    object mask,                    # IN (n_masks, rows of X) uint8: 1 for those that count; or None
    object mask_of_model,           # IN (n_models) int64; or None
    double label_smoothing,
    object normalizers,             # IN (n_models) float64: sums of the weights of each one's rows
    object losses,                  # OUT (n_models) float64
    object dW,                      # OUT as W
    object dbias,                   # OUT as bias
    int n_threads,
):
    """Cross-entropies of models that share X and targets, and their gradients."""
    cdef linear_job job
    cdef view seen
    cdef void *base = NULL
    cdef void *to_bias
    cdef double *of_model
    cdef ptrdiff_t k
    cdef int itemsize = look_at_model(&job, X, W, rows, shift, scale, bias)
    see(normalizers, &seen)
    job.models, job.normalizers = seen.size, <const double *> seen.data
    assert job.C % job.models == 0
    of_model = <double *> vector(losses, job.models, sizeof(double))
    see(mask, &seen)
    assert mask is None or (seen.shape[1] == len(X) and seen.stride[1] == 1)
    job.mask, job.mask_stride = <const uint8_t *> seen.data, seen.stride[0]
    job.mask_of_model = <const int64_t *> vector(mask_of_model, job.models, sizeof(int64_t))
    aim(
        &job.target, len(X), job.C // job.models, itemsize, index, prob, None, coef, 1,
        label_smoothing, 0,
    )
    job.loss = CROSS_ENTROPY
    job.dw = matrix(dW, job.D, job.C, itemsize, job.dw_stride)
    to_bias = vector(dbias, job.C, itemsize)
    base = run_pass(&job, X, itemsize, n_threads)
    add_slots(&job, itemsize, to_bias)
    for k in range(job.models):
        of_model[k] = job.slot_loss[k] / job.normalizers[k]
    free(base)


def linear_hvp(
    object W,                       # IN as in linear_loss_grad
    object X,
    object rows,
    object shift,
    object scale,
    object V,                       # IN (n_features, n_classes): the direction
    object bias,                    # IN (2 * n_classes): the bias and its direction; or None
    object coef,
    double reg,
    double normalizer,
    object HV,                      # OUT as W
    object Hvbias,                  # OUT (n_classes), or None
    int n_threads,
):
    """Hessian of the cross-entropy, and of its regulariser, times V."""
    cdef linear_job job
    cdef void *to_bias
    cdef void *base = NULL
    cdef int itemsize = look_at_model(&job, X, W, rows, shift, scale, None)
    job.v = matrix(V, job.D, job.C, itemsize, job.v_stride)
    job.bias = vector(bias, 2 * job.C, itemsize)
    aim(&job.target, X.shape[0], job.C, itemsize, None, None, None, coef, 1, 0, 0)
    job.dw = matrix(HV, job.D, job.C, itemsize, job.dw_stride)
    to_bias = vector(Hvbias, job.C, itemsize)
    job.reg, job.normalizers = reg, &normalizer
    base = run_pass(&job, X, itemsize, n_threads)
    add_slots(&job, itemsize, to_bias)
    free(base)


def linear_predictions(
    object W,                       # IN as in linear_loss_grad
    object X,
    object rows,
    object shift,
    object scale,
    object bias,
    object labels,                  # OUT (n_rows) int64: class of the largest score; or None
    object proba,                   # OUT (n_rows, n_classes) softmax of the scores, or None
    int n_threads,
):
    cdef linear_job job
    cdef int itemsize = look_at_model(&job, X, W, rows, shift, scale, bias)
    job.labels = <int64_t *> vector(labels, job.N, sizeof(int64_t))
    job.proba.data = matrix(proba, job.N, job.C, itemsize, job.proba.stride)
    free(run_pass(&job, X, itemsize, n_threads))


def vector_math(bint log1p, object x, object out):
    """exp(x), x <= 0, or log1p(x), x >= 0: what the kernels use, for the tests of exp.h."""
    cdef view seen
    see(x, &seen)
    cdef void *to = vector(out, seen.size, seen.itemsize)
    if seen.itemsize == sizeof(float):
        vector_math_f32(log1p, <const float *> seen.data, <float *> to, seen.size)
    else:
        vector_math_f64(log1p, <const double *> seen.data, <double *> to, seen.size)


def read_sum(object x, int n_threads):
    """Sum of contiguous x, for the time that reading it takes; a slice of it for each thread."""
    cdef view seen
    cdef double total = 0
    cdef ptrdiff_t part, begin, end
    see(x, &seen)
    for part in prange(n_threads, schedule="static", num_threads=n_threads, nogil=True):
        begin, end = seen.size * part // n_threads, seen.size * (part + 1) // n_threads
        if seen.itemsize == sizeof(float):
            total += read_sum_f32(<const float *> seen.data + begin, end - begin)
        else:
            total += read_sum_f64(<const double *> seen.data + begin, end - begin)
    return total


def multiply_add(int itemsize, double flops, int n_threads):
    """So many multiplications and additions in registers, shared out to the threads.

    Returns a number that depends on all of them, so that none is optimised away.
    """
    cdef double total = 0
    cdef ptrdiff_t _part
    for _part in prange(n_threads, schedule="static", num_threads=n_threads, nogil=True):
        if itemsize == sizeof(float):
            total += multiply_add_f32(0.5, flops / n_threads)
        else:
            total += multiply_add_f64(0.5, flops / n_threads)
    return total
