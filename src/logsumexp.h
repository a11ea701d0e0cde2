/* log|sum(b exp(z))| with weights b, and the sign of the sum. (Included once per real.)
 *
 *   1. m is the maximum of the z whose weight is not 0. The others count as -inf, so that they add
 *      nothing, NaN and inf included.
 *   2. The weights at m and the b exp(z - m) elsewhere are summed apart (rows.h says why), and
 * added without rounding: sum + lost. Where they cancel, or are nearly 1, the logarithm keeps what
 *      one number would lose.
 *   3. m + log|sum + lost|. A row for which that is inf or NaN is looked at again: by what is
 *      infinite or NaN in it, which SciPy multiplies by weights of 0, too (0 inf is NaN).
 */

INLINE vec FN(weighted)(vec z, vec b) { return FN(select)(b == 0, FN(splat)(-INFINITY), z); }

/* the vector at j strides; the weights' stride may be 0: one weight for all */
INLINE vec FN(weighted_at)(const real *z, ptrdiff_t sz, const real *b, ptrdiff_t sb, ptrdiff_t j) {
    return FN(weighted)(FN(load)(z + j * sz), FN(load)(b + j * sb));
}

/* the last weights of a row */
INLINE vec FN(last_weight)(const real *b, ptrdiff_t sb, ptrdiff_t n, int across) {
    return sb ? FN(last)(b, n, across) : FN(load)(b);
}

INLINE vec FN(weighted_max)(const real *z, ptrdiff_t sz, const real *b, ptrdiff_t sb, ptrdiff_t n,
                            int across) {
    const ptrdiff_t steps = FN(steps)(n, across);
    vec m[4];
    for (int k = 0; k < 4; k++)
        m[k] = across ? FN(weighted)(FN(last)(z, n, 1), FN(last_weight)(b, sb, n, 1))
                      : FN(weighted_at)(z, sz, b, sb, 0);
    ptrdiff_t j = 0;
    for (; j + 4 <= steps; j += 4)
        for (int k = 0; k < 4; k++) m[k] = FN(larger)(m[k], FN(weighted_at)(z, sz, b, sb, j + k));
    for (; j < steps; j++) m[0] = FN(larger)(m[0], FN(weighted_at)(z, sz, b, sb, j));
    m[0] = FN(larger)(FN(larger)(m[0], m[1]), FN(larger)(m[2], m[3]));
    return across ? FN(splat)(FN(lane_max)(m[0])) : m[0];
}

/* The terms of a vector: those at m, and the others, lifted (see exp.h). What has the weight 0 may
   be NaN or inf. */
INLINE void FN(terms)(vec z, vec b, vec m, vec *tie, vec *other) {
    vec e = FN(vexp_lifted)(FN(keep)(b != 0, z - m));
    *tie = FN(keep)(z == m, b);
    *other = FN(keep)(z != m, b * e);
}

/* sum + lost = the sum of (scale b) exp(z - m) */
INLINE void FN(weighted_sum)(const real *z, ptrdiff_t sz, const real *b, ptrdiff_t sb, ptrdiff_t n,
                             vec m, real scale, Ahead next, int across, vec *sum, vec *lost) {
    const ivec fresh = FN(fresh)(n, across);
    vec tie, other;
    FN(terms)(FN(last)(z, n, across), FN(last_weight)(b, sb, n, across) * scale, m, &tie, &other);
    Sum all_ties = {FN(keep)(fresh, tie), {0}}, all_others = {FN(keep)(fresh, other), {0}};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec some_ties = {0}, some_others = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            FN(terms)(FN(load)(z + j * sz), FN(load)(b + j * sb) * scale, m, &tie, &other);
            FN(fetch)(next, j);
            some_ties += tie;
            some_others += other;
        }
        FN(add)(&all_ties, some_ties);
        FN(add)(&all_others, some_others);
    }
    vec ties = FN(whole)(all_ties, across);
    vec others = FN(lowered)(FN(whole)(all_others, across), (real)LIFT);
    vec whole = ties + others, part = whole - ties;
    *sum = whole;
    *lost = (ties - (whole - part)) + (others - part);
}

/* What is infinite or NaN in the sum of b exp(z), and 0 if nothing is: of finite weights only the
   sign counts, and finite z neither overflow nor vanish. */
INLINE vec FN(beyond)(vec z, vec b) {
    vec sign = FN(keep)(b > 0, FN(splat)(1)) - FN(keep)(b < 0, FN(splat)(1));
    vec e = FN(select)(z - z == 0, FN(splat)(1), FN(select)(z < 0, FN(splat)(0), z));
    vec term = FN(select)(b - b == 0, sign, b) * e;
    return FN(keep)(~(term - term == 0), term);
}

INLINE vec FN(all_beyond)(const real *z, ptrdiff_t sz, const real *b, ptrdiff_t sb, ptrdiff_t n,
                          int across) {
    vec sum = {0};
    if (across) sum = FN(beyond)(FN(last)(z, n, 1), FN(last_weight)(b, sb, n, 1));
    for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++)
        sum += FN(beyond)(FN(load)(z + j * sz), FN(load)(b + j * sb));
    return across ? FN(splat)(FN(lane_sum)(sum)) : sum;
}

INLINE vec FN(sign)(vec x) { /* NaN of NaN */
    vec one = FN(splat)(1), sign = FN(keep)(x > 0, one) - FN(keep)(x < 0, one);
    return FN(select)(x == x, sign, x);
}

/* Rows whose result is inf or NaN: what they are in truth. Where finite weights overflow, their sum
   is formed again of smaller ones. */
static void FN(exceptions)(const real *z, ptrdiff_t sz, const real *b, ptrdiff_t sb, ptrdiff_t n,
                           vec m, ivec odd, int across, vec *lse, vec *sum) {
    const Ahead none = {NULL, NULL, NULL};
    const vec beyond = FN(all_beyond)(z, sz, b, sb, n, across);
    const ivec plain = odd & (beyond == 0), empty = m == (real)-INFINITY;
    const ivec overflow = plain & ~empty & ~(*sum - *sum == 0);
    *lse = FN(select)(odd & ~plain, FN(size)(beyond), *lse);
    *sum = FN(select)(odd & ~plain, beyond, FN(select)(plain & empty, FN(splat)(0), *sum));
    *lse = FN(select)(plain & empty, FN(splat)(-INFINITY), *lse);
    if (!FN(any)(overflow)) return;
    vec small, lost;
    FN(weighted_sum)(z, sz, b, sb, n, m, (real)0x1p-64, none, across, &small, &lost);
    vec log = FN(vlog)(small, lost) + (real)(64 * 0.6931471805599453);
    *lse = FN(select)(overflow, m + log, *lse);
    *sum = FN(select)(overflow, small, *sum);
}

/* of a strip; sign NULL: a negative sum has no logarithm */
INLINE vec FN(weighted_logsumexp)(const real *z, ptrdiff_t sz, const real *b, ptrdiff_t sb,
                                  ptrdiff_t n, Ahead next, int across, vec *sign) {
    vec m = FN(weighted_max)(z, sz, b, sb, n, across), sum, lost;
    FN(weighted_sum)(z, sz, b, sb, n, m, 1, next, across, &sum, &lost);
    vec lse = m + FN(vlog)(sum, lost);
    const ivec odd = ~(lse - lse == 0);
    if (FN(any)(odd)) FN(exceptions)(z, sz, b, sb, n, m, odd, across, &lse, &sum);
    if (sign) *sign = FN(sign)(sum);
    return sign ? lse : FN(select)(sum < 0, FN(splat)(NAN), lse);
}

/* ---- units: as in strips.h, with the weights as y and results that lie one after the other ----
 */

static size_t FN(plan_logsumexp)(row_job *job) {
    if (job->outer == 1) job->y.stride[0] = 0; /* the same weights for all rows may be seen */
    if (job->inner == 1) job->y.stride[2] = 0;
    const size_t scratch = FN(plan_rows)(job);
    const int is_there = job->x.stride[1] == 1 && (job->y.stride[1] == 1 || job->y.stride[1] == 0);
    return job->form == ACROSS && is_there ? VEC_BYTES : scratch;
}

static void FN(long_weighted)(const row_job *job, ptrdiff_t r, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner, rows = job->units;
    const ptrdiff_t sb = job->y.stride[1] == 0 ? 0 : V;
    const real *x = FN(gather)(&job->x, inner, n, r, scratch);
    real *second = x == scratch ? scratch + (n + LINE - 1) / LINE * LINE : scratch;
    const real *b = FN(row_of)(&job->y, inner, r);
    if (sb)
        b = FN(gather)(&job->y, inner, n, r, second);
    else {
        FN(store)(second, FN(splat)(*b));
        b = second;
    }
    Ahead next = {FN(row_ahead)(&job->x, inner, n, rows, r + 1),
                  FN(row_ahead)(&job->y, inner, n, rows, r + 1), NULL};
    vec sign;
    vec lse = FN(weighted_logsumexp)(x, V, b, sb, n, next, 1, job->sign ? &sign : NULL);
    ((real *)job->out.data)[r] = lse[0];
    if (job->sign) ((real *)job->sign)[r] = sign[0];
}

/* The weights of `lanes` rows. Returns the stride between those of neighbours in a row; `step` is
   that between strips. */
static ptrdiff_t FN(pack_weights)(const row_job *job, ptrdiff_t r, ptrdiff_t lanes, real *strip,
                                  ptrdiff_t width, ptrdiff_t *step) {
    const cube *b = &job->y;
    *step = V;
    if (b->stride[1] == 0) { /* one for a row */
        FN(pack)(b, job->inner, 1, r, lanes, strip, width);
        return 0;
    }
    if (b->stride[0] != 0 || b->stride[2] != 0) {
        FN(pack)(b, job->inner, job->n, r, lanes, strip, width);
        return width;
    }
    const real *row = b->data; /* the same for all rows */
    for (ptrdiff_t j = 0; j < job->n; j++)
        FN(store)(strip + j * V, FN(splat)(row[j * b->stride[1]]));
    *step = 0;
    return V;
}

/* to out[r], out[r + 1], ... */
INLINE void FN(put)(void *out, ptrdiff_t r, ptrdiff_t lanes, vec v) {
    real *to = (real *)out + r;
    if (lanes >= V)
        FN(store)(to, v);
    else
        for (ptrdiff_t k = 0; k < lanes; k++) to[k] = v[k];
}

static void FN(short_weighted)(const row_job *job, ptrdiff_t unit, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner, width = FN(strips_at_once)(n) * V;
    const ptrdiff_t each = (job->bundled + width - 1) / width, begin = unit % each * width;
    const ptrdiff_t lanes = job->bundled - begin < width ? job->bundled - begin : width;
    const ptrdiff_t r = unit / each * job->bundled + begin;
    const ptrdiff_t apart = FN(strips_apart)(width);
    const real *x = scratch, *b = scratch + n * apart;
    const Ahead none = {NULL, NULL, NULL};
    ptrdiff_t step;
    FN(fetch_rows)(&job->x, inner, n, job->outer * inner, r + lanes, lanes, 0);
    FN(fetch_rows)(&job->y, inner, n, job->outer * inner, r + lanes, lanes, 0);
    FN(pack)(&job->x, inner, n, r, lanes, scratch, apart);
    const ptrdiff_t sb = FN(pack_weights)(job, r, lanes, scratch + n * apart, apart, &step);
    for (ptrdiff_t k = 0; k < lanes; k += V, x += V, b += step) {
        vec sign;
        vec lse = FN(weighted_logsumexp)(x, apart, b, sb, n, none, 0, job->sign ? &sign : NULL);
        FN(put)(job->out.data, r + k, lanes - k, lse);
        if (job->sign) FN(put)(job->sign, r + k, lanes - k, sign);
    }
}

static void FN(logsumexp_unit)(const row_job *job, ptrdiff_t unit, real *scratch) {
    if (job->form == ACROSS)
        FN(long_weighted)(job, unit, scratch);
    else
        FN(short_weighted)(job, unit, scratch);
}
