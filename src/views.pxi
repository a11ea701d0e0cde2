# Looking at arrays, and the memory of a call. (Included in _kernels.pyx.)

from cpython.buffer cimport PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset


cdef char *allocate(size_t size, void **base) except NULL:
    """Work space of one call, 64-byte aligned; base is what free gets."""
    base[0] = malloc(size + 64)
    if base[0] is NULL:
        raise MemoryError(f"csoftmax cannot allocate {size} bytes of work space")
    return <char *> ((<uintptr_t> base[0] + 63) & ~(<uintptr_t> 63))


cdef size_t padded(size_t size) noexcept nogil:
    return (size + 63) // 64 * 64


cdef size_t apart(size_t size) noexcept nogil:
    """Bytes from a thread's work space of this size to the next thread's.

    Lines that follow the last one are fetched with it by some processors, and then belong to the
    wrong core: cross_entropy of 200000 x 10 on two threads took 1.3 times as long, with 128 bytes
    between them still most of that, with 256 none (Intel Xeon with AMX, 2026).
    """
    return padded(size) + 512


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
