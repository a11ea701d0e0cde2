# Steps of many models on the same rows. (Included in _kernels.pyx.)

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free


cdef void stack_float(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    stack_unit_f32(<stack_job *> job, stage, unit, scratch)


cdef void stack_double(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    stack_unit_f64(<stack_job *> job, stage, unit, scratch)


cdef int look_at_stack(
    stack_job *job, object X, object W, object rows, object shift, object scale, object packed,
    ptrdiff_t n_models, ptrdiff_t group,
) except -1:
    """Fill in what there is of a stack; returns the size of an element."""
    cdef int itemsize = look_at_model(&job.one, X, W, rows, shift, scale, None)
    cdef view seen
    job.models, job.group = n_models, group
    see(packed, &seen)
    job.w = seen.data
    job.squares = job.losses = NULL
    job.bias = NULL
    job.one.pieces = (job.one.D + FEATURES - 1) // FEATURES
    return itemsize


cdef size_t plan_stack(stack_job *job, int itemsize) noexcept:
    return plan_stack_f32(job) if itemsize == sizeof(float) else plan_stack_f64(job)


cdef char *arrange(stack_job *job, int itemsize, size_t more, void **base) except NULL:
    """Memory for the order of the features, and `more`, where the result points."""
    cdef size_t places = padded(job.features * sizeof(int32_t))
    cdef size_t runs = padded((job.features + 16) * sizeof(stack_run))
    cdef size_t affine = padded(4 * job.one.ld * itemsize), one = 64
    cdef char *memory = allocate(2 * places + runs + affine + one + more, base)
    job.order, memory = <int32_t *> memory, memory + places
    job.place, memory = <int32_t *> memory, memory + places
    job.runs, memory = <stack_run *> memory, memory + runs
    job.one.affine, memory = memory, memory + affine
    job.one.strays, memory = <int64_t *> memory, memory + one
    job.one.strays[0] = 0
    return memory


def linear_stack_size(
    object W,                       # IN (n_features, n_classes): the shape of a model
    object X,                       # IN as in linear_loss_grad, but for CSR
    object rows,
    object shift,
    object scale,
    Py_ssize_t group,               # models in a group
):
    """Numbers in a packed group; 0 where models of this kind are not to be packed."""
    cdef stack_job job
    cdef void *base = NULL
    cdef ptrdiff_t strays, size
    cdef bint tiles
    cdef int itemsize = look_at_stack(&job, X, W, rows, shift, scale, None, 1, group)
    plan_stack(&job, itemsize)
    arrange(&job, itemsize, 0, &base)
    if itemsize == sizeof(float):
        tiles = in_tiles_f32(&job.one)
        strays = fold_features_f32(&job.one, 0, job.one.D)
        size = packed_size_f32(&job, group)
    else:
        tiles = in_tiles_f64(&job.one)
        strays = fold_features_f64(&job.one, 0, job.one.D)
        size = packed_size_f64(&job, group)
    free(base)
    return 0 if tiles or (shift is not None and strays) else size


def linear_stack_copy(
    object W,                       # IN or OUT (n_features, n_classes): a model
    object X,                       # IN as in linear_stack_size
    object rows,
    object shift,
    object scale,
    Py_ssize_t group,
    object packed,                  # OUT or IN
    Py_ssize_t n_models,
    Py_ssize_t model,               # which of them
    bint back,
):
    """Whether the model has a number that is too large to be scaled."""
    cdef stack_job job
    cdef void *base = NULL
    cdef int itemsize = look_at_stack(&job, X, W, rows, shift, scale, packed, n_models, group)
    cdef int far
    cdef cube w
    w.data = <void *> job.one.w
    w.stride[0], w.stride[1] = job.one.w_stride[0], job.one.w_stride[1]
    plan_stack(&job, itemsize)
    arrange(&job, itemsize, 0, &base)
    if itemsize == sizeof(float):
        order_features_f32(&job)
        far = copy_model_f32(&job, model, &w, back)
    else:
        order_features_f64(&job)
        far = copy_model_f64(&job, model, &w, back)
    free(base)
    return bool(far)


def linear_stack_step(
    int loss,                       # one of LOSSES
    object W,                       # IN as in linear_stack_size
    object X,
    object rows,
    object shift,
    object scale,
    Py_ssize_t group,
    object packed,                  # IN and OUT the models
    object bias,                    # IN and OUT (n_models, n_classes), or None
    object index,                   # IN int64 class indices of all rows of X
    double delta,
    object rates,                   # IN (n_models) reals
    object regs,                    # IN (n_models) float64
    object losses,                  # OUT (n_models) float64: before the step
    object far,                     # OUT (n_models) bool: as linear_stack_copy, after it
    int n_threads,
):
    """A step of all models on the same rows."""
    cdef stack_job job
    cdef errand what
    cdef view seen
    cdef void *base = NULL
    cdef char *memory
    cdef ptrdiff_t m
    cdef int itemsize
    cdef double normalizer
    cdef size_t x, scratch
    see(regs, &seen)
    itemsize = look_at_stack(&job, X, W, rows, shift, scale, packed, seen.size, group)
    job.regs = <const double *> seen.data
    job.bias = vector(bias, job.models * job.one.C, itemsize)
    job.rates = vector(rates, job.models, itemsize)
    job.losses = <double *> vector(losses, job.models, sizeof(double))
    job.far = <uint8_t *> vector(far, job.models, 1)
    aim(&job.one.target, X.shape[0], job.one.C, itemsize, index, None, None, None, 1, 0, delta)
    normalizer = job.one.N
    job.one.loss, job.one.normalizers = loss, &normalizer
    scratch = apart(plan_stack(&job, itemsize))
    x = padded(job.strips * job.height * STACK_STRIP * itemsize)
    memory = arrange(
        &job, itemsize, x + padded(job.models * sizeof(double)) + scratch * n_threads, &base
    )
    job.x, memory = memory, memory + x
    job.squares, memory = <double *> memory, memory + padded(job.models * sizeof(double))
    what.work = stack_float if itemsize == sizeof(float) else stack_double
    what.job, what.scratch, what.each, what.n_threads = &job, memory, scratch, n_threads
    with nogil:
        share_out(&what, PREPARE, 0, job.one.pieces)
        share_out(&what, FOLD, 0, 1)
        share_out(&what, ROWS, 0, job.strips)
        share_out(&what, GRADIENT, 0, (job.models + group - 1) // group)
    for m in range(job.models):
        job.losses[m] = penalised(job.losses[m], normalizer, job.regs[m], job.squares[m])
    free(base)
