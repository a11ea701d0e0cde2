/* Rows of X, whatever it is made of, as blocks of reals. (Included once per real: see kernels.h.)
 */

INLINE ptrdiff_t FN(padded)(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }

INLINE ptrdiff_t FN(row_of_x)(const linear_job *job, ptrdiff_t i) {
    return job->rows ? (ptrdiff_t)job->rows[i] : i;
}

INLINE const char *FN(source_row)(const linear_job *job, ptrdiff_t i) {
    return job->x + FN(row_of_x)(job, i) * job->x_stride[0];
}

/* Features begin..end of a row, `bytes` apart; (x - shift) scale is computed in `wide`, and rounded
   as NumPy rounds it; without scale, x - shift. A step that is the constant 1 lets the compiler use
   vectors. */
#define DEFINE_COPY(name, type, wide)                                                              \
    INLINE void FN(name##_by)(const type *x, ptrdiff_t step, ptrdiff_t begin, ptrdiff_t end,       \
                              const wide *shift, const wide *scale, real *to) {                    \
        if (scale)                                                                                 \
            for (ptrdiff_t d = begin; d < end; d++)                                                \
                to[d] = (real)(((wide)x[d * step] - shift[d]) * scale[d]);                         \
        else if (shift)                                                                            \
            for (ptrdiff_t d = begin; d < end; d++) to[d] = (real)((wide)x[d * step] - shift[d]);  \
        else                                                                                       \
            for (ptrdiff_t d = begin; d < end; d++) to[d] = (real)x[d * step];                     \
    }                                                                                              \
    INLINE void FN(name)(const char *row, ptrdiff_t bytes, ptrdiff_t begin, ptrdiff_t end,         \
                         const void *shift, const void *scale, real *to) {                         \
        const type *x = (const type *)row;                                                         \
        const ptrdiff_t step = bytes / (ptrdiff_t)sizeof(type);                                    \
        if (step == 1)                                                                             \
            FN(name##_by)(x, 1, begin, end, (const wide *)shift, (const wide *)scale, to);         \
        else                                                                                       \
            FN(name##_by)(x, step, begin, end, (const wide *)shift, (const wide *)scale, to);      \
    }
DEFINE_COPY(copy_from_float, float, real)
DEFINE_COPY(copy_from_double, double, double)
DEFINE_COPY(copy_from_uint8, uint8_t, real)
#undef DEFINE_COPY

INLINE void FN(copy_features)(const linear_job *job, const char *row, ptrdiff_t begin,
                              ptrdiff_t end, real *to) {
    const int folded = FN(folded)(job);
    const void *shift = folded ? FN(affine)(job, 3) : job->shift;
    const void *scale = folded ? NULL : job->scale;
    const ptrdiff_t bytes = job->x_stride[1];
    switch (job->x_type) {
    case FROM_FLOAT: FN(copy_from_float)(row, bytes, begin, end, shift, scale, to); break;
    case FROM_DOUBLE: FN(copy_from_double)(row, bytes, begin, end, shift, scale, to); break;
    default: FN(copy_from_uint8)(row, bytes, begin, end, shift, scale, to);
    }
}

/* the same for rows in order: all of them, less their middles */
SPECIALISED void FN(copy_rows)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows, real *to,
                               const int kind) {
    const real *middle = FN(affine)(job, 0);
    const ptrdiff_t D = job->D;
    for (ptrdiff_t i = 0; i < rows; i++, to += job->ld) {
        const char *row = FN(source_row)(job, first + i);
        ptrdiff_t d = 0;
        for (; d + 4 * V <= D; d += 4 * V) {
            vec x[4];
            UNROLLED (k, 4) x[k] = FN(numbers)(row, d + k * V, FN(load)(middle + d + k * V), kind);
            UNROLLED (k, 4) FN(store)(to + d + k * V, x[k]);
        }
        for (; d < D; d += V) {
            const ptrdiff_t at = d + V <= D ? d : D - V;
            FN(store)(to + at, FN(numbers)(row, at, FN(load)(middle + at), kind));
        }
    }
}

/* A block into scratch, as reals. Where features lie apart (Fortran order), a piece of them at a
   time for all rows of the block: the rows' neighbours share its cache lines and pages. */
#ifndef STRIDED_FEATURES
#define STRIDED_FEATURES 64
#endif
static void FN(copy_block)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows, real *to) {
    const int kind = FN(in_rows)(job) ? FN(kind)(job) : PLAIN;
    switch (kind) { /* a constant, where it is looked at for each vector */
    case PIXELS: FN(copy_rows)(job, first, rows, to, PIXELS); return;
    case CENTRED: FN(copy_rows)(job, first, rows, to, CENTRED); return;
    default: break;
    }
    const ptrdiff_t piece = job->x_stride[1] < 2 * (ptrdiff_t)sizeof(double) && job->x_stride[1] > 0
                                ? job->D
                                : STRIDED_FEATURES;
    for (ptrdiff_t d = 0; d < job->D; d += piece)
        for (ptrdiff_t i = 0; i < rows; i++)
            FN(copy_features)(job, FN(source_row)(job, first + i), d,
                              d + piece < job->D ? d + piece : job->D, to + i * job->ld);
    for (ptrdiff_t i = 0; job->D < LANES && i < rows; i++)
        for (ptrdiff_t d = job->D; d < job->ld; d++) to[i * job->ld + d] = 0;
}
