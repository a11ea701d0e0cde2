# Passes over rows of X: losses, Hessian products and predictions of linear models.
# (Included in _kernels.pyx.)

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free
from libc.string cimport memset


cdef int type_of_x(ptrdiff_t itemsize) noexcept:
    return FROM_FLOAT if itemsize == 4 else FROM_DOUBLE if itemsize == 8 else FROM_UINT8


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
    job.x_type = type_of_x(seen.itemsize)
    job.shift, job.scale = vector(shift, job.D, wide), vector(scale, job.D, wide)
    job.bias = vector(bias, job.C, itemsize)
    if rows is not None:
        see(rows, &seen)
        job.rows = <const int64_t *> seen.data
        job.N = seen.size
    return <int> itemsize


cdef void linear_float(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    linear_unit_f32(<const linear_job *> job, stage, unit, scratch)


cdef void linear_double(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    linear_unit_f64(<const linear_job *> job, stage, unit, scratch)


cdef void sparse_float(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    sparse_unit_f32(<const linear_job *> job, stage, unit, scratch)


cdef void sparse_double(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    sparse_unit_f64(<const linear_job *> job, stage, unit, scratch)


cdef void tiles_float(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    tiles_unit_f32(<const linear_job *> job, stage, unit, scratch)


cdef void tiles_double(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    tiles_unit_f64(<const linear_job *> job, stage, unit, scratch)


cdef void *run_linear(linear_job *job, int itemsize, int n_threads) except NULL:
    """One pass. Returns its work space, which the caller frees when it has read the sums in it."""
    cdef bint is_float = itemsize == sizeof(float)
    cdef errand what
    cdef size_t scratch = apart(plan_linear_f32(job) if is_float else plan_linear_f64(job))
    cdef bint predicts = job.labels is not NULL or job.proba.data is not NULL
    cdef ptrdiff_t pieces = job.pieces
    cdef ptrdiff_t merges = 0 if predicts else pieces
    cdef ptrdiff_t columns = job.C if job.v is NULL else 2 * job.C
    cdef size_t row = padded(job.ld * itemsize), wt = columns * row, affine = 4 * row
    cdef size_t scaled = 0 if job.shift is NULL else wt, biases = padded(columns * itemsize)
    cdef size_t dw = 0 if predicts else job.slots * job.C * row
    # what there is a number of for each slot or piece, in double or int64_t
    cdef size_t numbers = job.slots * (job.C + job.models) + pieces * (columns + 2) + 1
    cdef void *base = NULL
    cdef char *memory = NULL
    memory = allocate(
        wt + scaled + affine + biases + dw + padded(numbers * sizeof(double)) + scratch * n_threads,
        &base,
    )
    job.wt, memory = memory, memory + wt
    job.scaled, memory = memory, memory + scaled
    job.affine, memory = memory, memory + affine
    job.folded_bias, memory = memory, memory + biases
    job.slot_dw, memory = memory, memory + dw
    job.slot_dbias = <double *> memory
    job.slot_loss = job.slot_dbias + job.slots * job.C
    job.square_sums = job.slot_loss + job.slots * job.models
    job.shift_sums = job.square_sums + pieces
    job.strays = <int64_t *> (job.shift_sums + pieces * columns)
    job.strays[0] = 0
    memory += padded(numbers * sizeof(double))
    what.work = linear_float if is_float else linear_double
    what.job, what.scratch, what.each, what.n_threads = job, memory, scratch, n_threads
    with nogil:
        share_out(&what, PREPARE, 0, pieces)
        share_out(&what, FOLD, 0, 0 if job.shift is NULL else 1)
        share_out(&what, BLOCKS, 0, job.slots)
        share_out(&what, MERGE, 0, merges)
    return base


cdef void *run_sparse(linear_job *job, object X, int itemsize, int n_threads) except NULL:
    """As run_linear, for CSR rows."""
    cdef bint predicts = job.labels is not NULL or job.proba.data is not NULL
    cdef ptrdiff_t round = 0, pieces = job.pieces
    cdef ptrdiff_t gradients = 0 if predicts else n_threads, merges = 0 if predicts else pieces
    cdef bint is_float = itemsize == sizeof(float)
    cdef errand what
    cdef size_t scratch = apart(plan_sparse_f32(job) if is_float else plan_sparse_f64(job))
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
    what.work = sparse_float if is_float else sparse_double
    what.job, what.scratch, what.each, what.n_threads = job, memory, scratch, n_threads
    with nogil:
        share_out(&what, PREPARE, 0, pieces)
        share_out(&what, FOLD, 0, 1)
        for round in range(rounds):
            share_out(&what, BLOCKS, round * job.round, (round + 1) * job.round)
            share_out(&what, GRADIENT, round * gradients, (round + 1) * gradients)
        share_out(&what, MERGE, 0, merges)
    return base


cdef void *run_tiles(linear_job *job, int itemsize, int n_threads) except NULL:
    """As run_linear, for many classes."""
    cdef bint is_float = itemsize == sizeof(float)
    cdef errand what
    cdef size_t scratch = apart(plan_tiles_f32(job) if is_float else plan_tiles_f64(job))
    cdef ptrdiff_t b, strips = job.block * itemsize // 64, copies = job.tiles
    cdef ptrdiff_t gradients = 0 if job.dw is NULL else job.tiles
    cdef size_t wt = 0 if job.wt is not NULL else job.D * padded(job.C * itemsize)
    cdef size_t dw = 0 if job.dw is NULL or job.slot_dw is not NULL else (
        job.D * padded(job.C * itemsize)
    )
    cdef size_t x = job.block * job.ld * itemsize, g = job.block * job.lds * itemsize
    cdef size_t turned = 0 if job.dw is NULL else job.D * job.block * itemsize
    cdef size_t doubles = padded(
        (job.models + job.C + job.tiles + job.block * job.models) * sizeof(double)
    )
    cdef void *base = NULL
    cdef char *memory = NULL
    memory = allocate(wt + dw + x + turned + g + doubles + scratch * n_threads, &base)
    if wt:
        job.wt, memory = memory, memory + wt
    else:
        copies = 0
    if dw:
        job.slot_dw, memory = memory, memory + dw
    job.x_rows, memory = memory, memory + x
    job.x_turned, memory = memory, memory + turned
    job.g, memory = memory, memory + g
    job.slot_loss = <double *> memory
    job.slot_dbias = job.slot_loss + job.models
    job.square_sums = job.slot_dbias + job.C
    job.block_loss = job.square_sums + job.tiles
    memory += doubles
    memset(job.slot_loss, 0, job.models * sizeof(double))
    what.work = tiles_float if is_float else tiles_double
    what.job, what.scratch, what.each, what.n_threads = job, memory, scratch, n_threads
    with nogil:
        share_out(&what, PREPARE, 0, copies)
        for b in range(job.blocks):
            share_out(&what, ROWS, b * strips, (b + 1) * strips)
            share_out(&what, SCORES, b * job.tiles, (b + 1) * job.tiles)
            share_out(&what, KEEP, b * job.block, (b + 1) * job.block)
            share_out(&what, GRADIENT, b * gradients, (b + 1) * gradients)
    return base


cdef void *run_pass(linear_job *job, object X, int itemsize, int n_threads) except NULL:
    job.pieces = (job.D + FEATURES - 1) // FEATURES
    if isinstance(X, tuple):
        return run_sparse(job, X, itemsize, n_threads)
    if in_tiles_f32(job) if itemsize == sizeof(float) else in_tiles_f64(job):
        return run_tiles(job, itemsize, n_threads)
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


cdef double penalised(double loss, double normalizer, double reg, double squares) noexcept nogil:
    """A mean loss and its penalty: of one function, since compilers fuse products as they like."""
    return loss / normalizer + 0.5 * reg * squares


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
    cdef double total, squares = 0
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
    for i in range(job.pieces):
        squares += job.square_sums[i]
    total = penalised(job.slot_loss[0], normalizer, reg, squares)
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
    object best,                    # OUT (n_rows, k) probabilities of labels (n_rows, k), or None
    object proba,                   # OUT (n_rows, n_classes) softmax of the scores, or None
    int n_threads,
):
    cdef linear_job job
    cdef view seen
    cdef int itemsize = look_at_model(&job, X, W, rows, shift, scale, bias)
    see(best, &seen)
    job.k, job.best = seen.shape[1], seen.data
    job.labels = <int64_t *> vector(labels, job.N * max(job.k, 1), sizeof(int64_t))
    job.proba.data = matrix(proba, job.N, job.C, itemsize, job.proba.stride)
    free(run_pass(&job, X, itemsize, n_threads))
