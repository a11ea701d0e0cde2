/* Features (x - shift) scale, folded into the model, so that X is read as it lies. (Included once
 * per real: see kernels.h.)
 *
 *     (x - shift) scale W + bias = (x - middle) (scale W) + [(middle - shift) scale W + bias]
 *     dW = scale (sum_i g_i (x_i - middle) + (middle - shift) sum_i g_i)
 *
 * The middle of reals is the shift itself, and what is left of the bracket is the bias: as many
 * roundings as without folding. That of bytes is the whole number next to the shift, so that
 * x - middle is exact and no larger than what NumPy sums; the rest goes into the bias, in double.
 */

/* Whether numbers of this type are computed with as they are, in any layout: bytes, and reals of
   W's dtype. All else is copied as (x - shift) scale: other dtypes, and rows shorter than a vector.
 */
INLINE int FN(is_native)(const linear_job *job) {
    return job->D >= LANES &&
           (job->x_type == FROM_UINT8 || job->x_type == (IS_DOUBLE ? FROM_DOUBLE : FROM_FLOAT));
}

/* ... and so is what is far out of range for a product of two of W, scale and x; or in tiles */
INLINE int FN(kind)(const linear_job *job) {
    if (job->tiles || !FN(is_native)(job) || (job->shift && *job->strays)) return PLAIN;
    return job->x_type == FROM_UINT8 ? PIXELS : job->shift ? CENTRED : PLAIN;
}

INLINE int FN(folded)(const linear_job *job) { return job->shift && FN(kind)(job) != PLAIN; }

/* whether such numbers lie one behind the other */
INLINE int FN(in_rows)(const linear_job *job) {
    const ptrdiff_t size = job->x_type == FROM_UINT8 ? 1 : (ptrdiff_t)sizeof(real);
    return FN(is_native)(job) && job->x_stride[1] == size && job->x_stride[0] % size == 0;
}

/* columns of scores: W's, and behind them V's */
INLINE ptrdiff_t FN(columns)(const linear_job *job) { return job->v ? 2 * job->C : job->C; }

/* Whether rows that are not PLAIN become reals in scratch, once for all panels of classes: many, or
   the processor (SSE2) needs many instructions for it. */
INLINE int FN(widens)(const linear_job *job) {
    return VEC_BYTES == 16 || FN(columns)(job) > 2 * FORWARD;
}

/* whether the products read scratch, not X */
INLINE int FN(copied)(const linear_job *job) {
    const int kind = FN(kind)(job);
    return !FN(in_rows)(job) || (kind == PLAIN ? job->shift != NULL : FN(widens)(job));
}

#undef FAR
#define FAR (IS_DOUBLE ? (real)0x1p500 : (real)0x1p60)
INLINE int FN(far)(real x) { return !(x <= FAR && x >= -FAR); } /* NaN, too */

/* the rows of job->affine: middle, as `widened` wants it of bytes; middle - shift; scale; middle */
INLINE real *FN(affine)(const linear_job *job, int k) { return (real *)job->affine + k * job->ld; }

/* one piece of the features: their middles and scales; returns how many are out of range */
static ptrdiff_t FN(fold_features)(const linear_job *job, ptrdiff_t begin, ptrdiff_t end) {
    const real *shift = (const real *)job->shift, *scale = (const real *)job->scale;
    const int bytes = job->x_type == FROM_UINT8;
    real *middle = FN(affine)(job, 0), *offset = FN(affine)(job, 1), *factor = FN(affine)(job, 2);
    real *plain = FN(affine)(job, 3);
    ptrdiff_t strays = 0;
    for (ptrdiff_t d = begin; d < end; d++) {
        const real at = shift ? shift[d] : 0, by = scale ? scale[d] : 1;
        const real whole = at > 0 ? (real)(int)((at < 255 ? at : 255) + (real)0.5) : 0;
        middle[d] = bytes ? RAISED + whole : at;
        offset[d] = bytes ? whole - at : 0;
        factor[d] = by;
        plain[d] = bytes ? whole : at;
        strays += FN(far)(by) || (by != 0 && FN(far)(1 / by)) || (bytes && FN(far)(at));
    }
    for (ptrdiff_t d = end; d % LANES; d++) middle[d] = offset[d] = factor[d] = 0;
    return strays;
}

/* the same, and W and V times their scale, and what goes into biases */
static void FN(fold)(const linear_job *job, ptrdiff_t piece) {
    const ptrdiff_t begin = piece * FEATURES, end = FN(smaller)(begin + FEATURES, job->D);
    const ptrdiff_t columns = FN(columns)(job);
    const int bytes = job->x_type == FROM_UINT8;
    const real *offset = FN(affine)(job, 1), *factor = FN(affine)(job, 2);
    ptrdiff_t strays = FN(fold_features)(job, begin, end);
    for (ptrdiff_t c = 0; job->shift && c < columns; c++) {
        const real *w = (const real *)job->wt + c * job->ld;
        real *scaled = (real *)job->scaled + c * job->ld;
        double sums[LANES] = {0}, sum = 0;
        for (ptrdiff_t d = begin; d < end; d++) {
            scaled[d] = w[d] * factor[d];
            strays += FN(far)(w[d]);
        }
        for (ptrdiff_t d = end; d % LANES; d++) scaled[d] = 0;
        for (ptrdiff_t d = begin; d < end; d += LANES)
            for (int k = 0; k < LANES; k++)
                sums[k] -= (double)offset[d + k] * (double)scaled[d + k];
        for (int k = 0; k < LANES; k++) sum += sums[k];
        job->shift_sums[piece * columns + c] = bytes ? sum : 0;
    }
    job->strays[1 + piece] = strays;
}

/* The bias of the features as they are, for W and for V, which begins `ld` behind: bias - what the
   pieces came to. And whether anything is out of range. */
static void FN(fold_bias)(const linear_job *job, ptrdiff_t ld) {
    const ptrdiff_t columns = FN(columns)(job);
    const ptrdiff_t pieces = (job->D + FEATURES - 1) / FEATURES;
    const real *bias = (const real *)job->bias;
    for (ptrdiff_t k = 0; k < columns; k++) {
        double shifted = 0;
        for (ptrdiff_t piece = 0; job->shift && piece < pieces; piece++)
            shifted += job->shift_sums[piece * columns + k];
        real *folded = (real *)job->folded_bias + k / job->C * ld;
        folded[k % job->C] = (real)((bias ? (double)bias[k] : 0) - shifted);
        for (ptrdiff_t c = job->C; k % job->C == 0 && c < ld; c++) folded[c] = 0;
    }
    if (job->strays) *job->strays = 0;
    for (ptrdiff_t piece = 0; job->strays && piece < pieces; piece++)
        *job->strays += job->strays[1 + piece];
}
