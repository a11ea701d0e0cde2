# What the machine can do at most, for the benchmarks. (Included in _kernels.pyx.)

ctypedef struct peak:
    const char *data                # NULL: multiplications and additions
    ptrdiff_t size, itemsize
    double flops                    # of each unit
    double sums[256]                # of the units, of which there is one for each thread
    ptrdiff_t units


cdef void peak_unit(const void *job, int _stage, ptrdiff_t unit, char *_scratch) noexcept nogil:
    cdef peak *of = <peak *> job
    cdef ptrdiff_t begin = of.size * unit // of.units, n = of.size * (unit + 1) // of.units - begin
    cdef const char *data = of.data + begin * of.itemsize
    if of.data is NULL:
        of.sums[unit] = multiply_add_f32(0.5, of.flops) if of.itemsize == sizeof(float) else \
            multiply_add_f64(0.5, of.flops)
    else:
        of.sums[unit] = read_sum_f32(<const float *> data, n) if of.itemsize == sizeof(float) else \
            read_sum_f64(<const double *> data, n)


cdef double peak_sum(peak *of, int n_threads):
    cdef errand what
    cdef double total = 0
    of.units = min(n_threads, <int> 256)
    memset(&what, 0, sizeof(what))
    what.work, what.job, what.n_threads = peak_unit, of, n_threads
    with nogil:
        share_out(&what, 0, 0, of.units)
    for k in range(of.units):
        total += of.sums[k]
    return total


def read_sum(object x, int n_threads):
    """Sum of contiguous x, for the time that reading it takes; a slice of it for each thread."""
    cdef view seen
    cdef peak of
    see(x, &seen)
    of.data, of.size, of.itemsize = <const char *> seen.data, seen.size, seen.itemsize
    return peak_sum(&of, n_threads)


def multiply_add(int itemsize, double flops, int n_threads):
    """So many multiplications and additions in registers, shared out to the threads.

    Returns a number that depends on all of them, so that none is optimised away.
    """
    cdef peak of
    of.data, of.size, of.itemsize, of.flops = NULL, 0, itemsize, flops / n_threads
    return peak_sum(&of, n_threads)
