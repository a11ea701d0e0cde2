# Means of the features, and sums of squares about them. (Included in _kernels.pyx.)

from libc.stdlib cimport free
from libc.string cimport memset


cdef void moments_part(const void *job, int stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    moments_unit(<const moments_job *> job, stage, unit, scratch)


def moments(
    object X,                       # IN (n_rows, n_features) float32, float64 or uint8, any strides
    object weight,                  # IN (n_rows) float64, or None: 1
    object mean,                    # OUT (n_features) float64
    object squares,                 # OUT the same: sums of weight (x - mean)^2
    int n_threads,
):
    """The sum of the weights; if it is 0, mean and squares are, too."""
    cdef moments_job job
    cdef view seen
    cdef errand what
    cdef void *base = NULL
    cdef size_t scratch, weights, sums
    cdef double total = 0
    memset(&job, 0, sizeof(job))
    see(X, &seen)
    job.x, job.x_type = <const char *> seen.data, type_of_x(seen.itemsize)
    job.N, job.D = seen.shape[0], seen.shape[1]
    for k in range(2):
        job.x_stride[k] = seen.stride[k] * seen.itemsize
    job.weight = <const double *> vector(weight, job.N, sizeof(double))
    job.mean = <double *> vector(mean, job.D, sizeof(double))
    job.squares = <double *> vector(squares, job.D, sizeof(double))
    scratch = apart(plan_moments(&job))
    weights, sums = padded(job.slots * sizeof(double)), padded(job.D * sizeof(double))
    what.scratch = allocate(weights + (3 * job.slots + 1) * sums + scratch * n_threads, &base)
    job.weights, what.scratch = <double *> what.scratch, what.scratch + weights
    job.rest, what.scratch = <double *> what.scratch, what.scratch + sums
    job.sums, what.scratch = <double *> what.scratch, what.scratch + 3 * job.slots * sums
    what.work, what.job, what.each, what.n_threads = moments_part, &job, scratch, n_threads
    with nogil:
        share_out(&what, BLOCKS, 0, job.slots * job.pieces)
        share_out(&what, MERGE, 0, job.pieces)
    for slot in range(job.slots):
        total += job.weights[slot]
    free(base)
    return total
