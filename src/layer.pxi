# The last layer of a network, its cross-entropy and all gradients. (Included in _kernels.pyx.)

from libc.stdlib cimport free
from libc.string cimport memset


cdef void layer_float(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    layer_unit_f32(<const layer_job *> job, stage, unit, scratch)


cdef void layer_double(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    layer_unit_f64(<const layer_job *> job, stage, unit, scratch)


cdef void *rows_of(
    object array, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t itemsize, ptrdiff_t *stride
) except? NULL:
    """A matrix whose rows have their numbers side by side, or NULL for None."""
    cdef view seen
    see(array, &seen)
    assert array is None or (seen.shape[0] == rows and seen.shape[1] == columns)
    assert array is None or (seen.itemsize == itemsize and seen.stride[1] == 1)
    stride[0] = seen.stride[0]
    return seen.data


def layer_loss_grads(
    object X,                       # IN (n_rows, n_features >= 16) reals
    object W,                       # IN (n_classes, n_features)
    object bias,                    # IN (n_classes), or None
    object index,                   # IN (n_rows) int64 class indices; no class: no target; or None
    object prob,                    # IN (n_rows, n_classes) probabilities of any strides, or None
    object weight,                  # IN (n_classes) class weights, or None
    object coef,                    # IN (n_rows) factors of the rows' gradients, or None
    double factor,                  # of all gradients
    double label_smoothing,
    object dX,                      # OUT as X, or None
    object dW,                      # OUT as W, or None
    object dbias,                   # OUT (n_classes), or None
    object losses,                  # OUT (n_rows) float64, without coef and factor
    int n_threads,
):
    cdef layer_job job
    cdef view seen
    cdef errand what
    cdef void *to_bias
    cdef void *base = NULL
    cdef char *memory = NULL
    cdef double total
    cdef ptrdiff_t itemsize, shares, group, c
    cdef size_t scratch, g, dx, dw, sums
    cdef bint is_float
    memset(&job, 0, sizeof(job))
    see(X, &seen)
    itemsize, job.N, job.D = seen.itemsize, seen.shape[0], seen.shape[1]
    see(W, &seen)
    job.C = seen.shape[0]
    job.x = rows_of(X, job.N, job.D, itemsize, &job.x_stride)
    job.w = rows_of(W, job.C, job.D, itemsize, &job.w_stride)
    job.bias = vector(bias, job.C, itemsize)
    job.dx = rows_of(dX, job.N, job.D, itemsize, &job.dx_stride)
    job.dw = rows_of(dW, job.C, job.D, itemsize, &job.dw_stride)
    to_bias = vector(dbias, job.C, itemsize)
    job.losses = <double *> vector(losses, job.N, sizeof(double))
    aim(
        &job.target, job.N, job.C, itemsize, index, prob, weight, coef, factor, label_smoothing, 0
    )
    is_float = itemsize == sizeof(float)
    scratch = apart(plan_layer_f32(&job) if is_float else plan_layer_f64(&job))
    g = job.groups * job.block * job.C * itemsize
    dx = 0 if dX is None else job.groups * job.shares * job.block * job.ld * itemsize
    dw = 0 if dW is None or job.groups == 1 else job.groups * job.C * job.ld * itemsize
    sums = 0 if dbias is None else padded(job.groups * job.C * sizeof(double))
    memory = allocate(g + dx + dw + sums + scratch * n_threads, &base)
    job.g, memory = memory, memory + g
    job.dx_sums, memory = memory, memory + dx
    if dw:
        job.dw_sums, job.lddw = memory, job.ld
    else:
        job.dw_sums, job.lddw = job.dw, job.dw_stride
    memory += dw
    if sums:
        job.dbias = <double *> memory
        memset(job.dbias, 0, sums)
    what.work = layer_float if is_float else layer_double
    what.job, what.scratch, what.each, what.n_threads = &job, memory + sums, scratch, n_threads
    shares = 0 if dX is None and dW is None and dbias is None else job.shares
    with nogil:
        for job.round in range(job.rounds):
            share_out(&what, SCORES, 0, job.groups * job.tiles)
            share_out(&what, KEEP, 0, job.groups * (job.block * itemsize // 64))
            share_out(&what, GRADIENT, 0, job.groups * shares)
            share_out(&what, ROWS, 0, job.groups * job.block if dx else 0)
        share_out(&what, MERGE, 0, job.C if dw else 0)
    for c in range(job.C if sums else 0):
        total = 0
        for group in range(job.groups):
            total += job.dbias[group * job.C + c]
        if is_float:
            (<float *> to_bias)[c] = <float> total
        else:
            (<double *> to_bias)[c] = total
    free(base)
