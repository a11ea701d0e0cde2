# Indices that a kernel follows: labels, rows of X, entries of CSR. (Included in _kernels.pyx.)

from libc.stdint cimport INT32_MAX, int32_t, int64_t


ctypedef fused integer:
    int32_t
    int64_t


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
