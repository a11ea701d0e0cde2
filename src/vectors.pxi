# Long vectors: products and weighted sums. (Included in _kernels.pyx.)

from libc.stdlib cimport free


cdef void vectors_float(
    const void *job, int _stage, ptrdiff_t unit, char *_scratch
) noexcept nogil:
    vectors_unit_f32(<const vectors_job *> job, unit)


cdef void vectors_double(
    const void *job, int _stage, ptrdiff_t unit, char *_scratch
) noexcept nogil:
    vectors_unit_f64(<const vectors_job *> job, unit)


cdef ptrdiff_t see_vectors(object vectors, const void **to, ptrdiff_t *n) except -1:
    """The elements of contiguous arrays of one size and dtype; the size of an element."""
    cdef view seen
    cdef ptrdiff_t itemsize = 0
    assert len(vectors) <= MOST_VECTORS
    for k in range(len(vectors)):
        see(vectors[k], &seen)
        assert k == 0 or (seen.size == n[0] and seen.itemsize == itemsize)
        to[k], n[0], itemsize = seen.data, seen.size, seen.itemsize
    return itemsize


cdef int run_vectors(vectors_job *job, ptrdiff_t itemsize, int n_threads) except -1:
    return run(
        vectors_float if itemsize == sizeof(float) else vectors_double,
        job, (job.n + VECTOR_UNIT - 1) // VECTOR_UNIT, 0, n_threads,
    )


def products(
    object a,                       # IN list of contiguous arrays, at most 64
    object b,                       # IN list as a
    object out,                     # OUT (len(a), len(b)) float64
    int n_threads,
):
    """out[k, l] = the sum of all elements of a[k] b[l]."""
    cdef vectors_job job
    cdef void *base = NULL
    cdef ptrdiff_t n = 0, itemsize, size = len(a) * len(b), units, unit, k
    cdef double *total = <double *> vector(out, size, sizeof(double))
    itemsize = see_vectors(a, job.a, &job.n)
    assert itemsize == see_vectors(b, job.b, &n) and n == job.n
    job.n_a, job.n_b, job.out = len(a), len(b), NULL
    units = (n + VECTOR_UNIT - 1) // VECTOR_UNIT
    job.sums = <double *> allocate(units * size * sizeof(double), &base)
    run_vectors(&job, itemsize, n_threads)
    for k in range(size):
        total[k] = 0
        for unit in range(units):
            total[k] += job.sums[unit * size + k]
    free(base)


def weighted_sum(
    object a,                       # IN list of contiguous arrays, at most 64
    object factors,                 # IN (len(a)) float64
    object out,                     # OUT as those of a, of which it may be the first
    int n_threads,
):
    """out = sum_k factors[k] a[k]."""
    cdef vectors_job job
    cdef ptrdiff_t itemsize = see_vectors(a, job.a, &job.n)
    job.n_a, job.n_b = len(a), 0
    job.factors = <const double *> vector(factors, len(a), sizeof(double))
    job.out = vector(out, job.n, itemsize)
    run_vectors(&job, itemsize, n_threads)
