# What the machine can do at most, for the benchmarks. (Included in _kernels.pyx.)

from cython.parallel cimport prange


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
