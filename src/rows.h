/* Row functions on one strip of scores. (Included once per real: see kernels.h.)
 *
 * A strip is what one loop over vectors works on, in one of two forms that share all code:
 *   - across = 0: V rows side by side. Vector j holds score j of each row, a stride of reals from
 *     the next. Short rows waste no lanes that way (at C = 10, one row would leave 6 of 16 idle).
 *   - across = 1: one row of n >= V scores in a piece, strides of V. Reductions end with one over
 *     the lanes. The last V scores are a vector of their own, which overlaps the one before it: it
 *     is computed before the loop, since the loop may write where it reads, and counts in its
 *     `fresh` lanes only.
 *
 * Names as in the formulas: row maximum m, d = z - m, e = exp(d), sum = sum of e, u = the target
 * weights. Sums over a row are kept in chunks of CHUNK vectors, what the sum of the chunks rounds
 * away is kept beside it, and where a logarithm follows, the maximum's own exp(0) = 1 is summed
 * apart: added to these, small numbers are lost one by one (in float32, 200 eps of a sum of a
 * million).
 */
#ifndef CHUNK
#define CHUNK 16
#endif

/* vectors before the last one */
INLINE ptrdiff_t FN(steps)(ptrdiff_t n, int across) { return across ? n / V : n; }

INLINE ptrdiff_t FN(chunk_end)(ptrdiff_t begin, ptrdiff_t n, int across) {
    const ptrdiff_t steps = FN(steps)(n, across);
    return begin + CHUNK < steps ? begin + CHUNK : steps;
}

/* the lanes of the last vector that the vectors before it have not done */
INLINE ivec FN(fresh)(ptrdiff_t n, int across) {
    return across ? FN(iota)() >= FN(isplat)((sint)(V - n % V)) : FN(isplat)(0);
}

/* the last vector of a row */
INLINE vec FN(last)(const real *x, ptrdiff_t n, int across) {
    return across ? FN(load)(x + n - V) : (vec){0};
}

/* A sum over the strip: the lanes' sums, and what rounding took from them. */
#undef Sum
#define Sum FN(Sum)
typedef struct {
    vec sum, lost;
} Sum;

INLINE void FN(add)(Sum *to, vec chunk) {
    vec sum = to->sum + chunk, part = sum - to->sum;
    vec lost = (to->sum - (sum - part)) + (chunk - part);
    to->lost += FN(keep)(sum - sum == 0, lost); /* nothing of inf and NaN: inf stays inf */
    to->sum = sum;
}

INLINE vec FN(whole)(Sum s, int across) {
    vec sum = s.sum + s.lost;
    return across ? FN(splat)(FN(lane_sum)(sum)) : sum;
}

/* Four maxima in turn: one would wait for itself. */
INLINE vec FN(strip_max)(const real *x, ptrdiff_t sx, ptrdiff_t n, int across) {
    const ptrdiff_t steps = FN(steps)(n, across);
    vec m[4];
    for (int k = 0; k < 4; k++) m[k] = FN(load)(across ? x + n - V : x);
    ptrdiff_t j = 0;
    for (; j + 4 <= steps; j += 4)
        for (int k = 0; k < 4; k++) m[k] = FN(larger)(m[k], FN(load)(x + (j + k) * sx));
    for (; j < steps; j++) m[0] = FN(larger)(m[0], FN(load)(x + j * sx));
    m[0] = FN(larger)(FN(larger)(m[0], m[1]), FN(larger)(m[2], m[3]));
    return across ? FN(splat)(FN(lane_max)(m[0])) : m[0];
}

/* a / b by inverse = 1 / b: with FMA, one step of Newton's method corrects the product (1.17x at
   200000 x 10, float32, Zen 5, one thread). What is left in that step is subnormal in one case of
   8192, where a / b is LEAST_SHARE and a lifted. */
#undef LEAST_SHARE
#define LEAST_SHARE (LEAST_NORMAL * 8192)
INLINE vec FN(quotient)(vec a, vec b, vec inverse) {
#if defined(__FMA__)
    vec q = a * inverse;
    return q + inverse * (a - q * b);
#else
    (void)inverse;
    return a / b;
#endif
}

/* Whether a strip of lifted e, the least in each lane `low`, may have results that are subnormal
   numbers, or have passed by such; and the least e for which neither it nor e factor is one. */
INLINE int FN(has_tiny)(vec low, vec factor) {
    return FN(any)((low < (real)(LIFT * FAR)) |
                   ((FN(size)(factor) < (real)LITTLE) & (factor != 0)));
}
INLINE vec FN(least)(vec factor) {
    return FN(larger)(1 / FN(size)(factor), FN(splat)(1)) * (real)(2 * LEAST_NORMAL * LIFT);
}

/* ---- the last pass over a strip: out = f(a, b, p), for a and b of each score ---- */

/* e / sum of lifted ones (see exp.h); p: sum, 1 / sum, and below what the quotient or a part of it
   is subnormal, for strips that have such */
INLINE vec FN(share)(vec e, vec unused, const vec *p) {
    (void)unused;
    return FN(quotient)(e, p[0], p[1]);
}
INLINE vec FN(tiny_share)(vec e, vec unused, const vec *p) {
    const ivec tiny = e < p[2];
    if (!FN(any)(tiny)) return FN(share)(e, unused, p);
    const vec small = FN(lowered)(FN(keep)(tiny, e) * (real)0x1p64 / p[0], (real)0x1p64);
    return FN(select)(tiny, small, FN(quotient)(FN(keep)(~tiny, e), p[0], p[1]));
}
INLINE vec FN(log_share)(vec x, vec unused, const vec *p) {
    (void)unused;
    return (x - p[0]) - p[1];
}
INLINE vec FN(back)(vec g, vec y, const vec *p) { return y * (g - p[0]); }
/* e factor of a lifted e; p: factor / LIFT, the factor, `least`. The third form is for sums over
   rows, in which a subnormal number counts for nothing. */
INLINE vec FN(scaled)(vec e, vec unused, const vec *p) {
    (void)unused;
    return e * p[0];
}
INLINE vec FN(tiny_scaled)(vec e, vec unused, const vec *p) {
    (void)unused;
    const ivec tiny = e < p[2];
    const vec small = FN(keep)(tiny, e) * (real)0x1p64 * p[1];
    return FN(select)(tiny, FN(lowered)(small, (real)(0x1p64 * LIFT)),
                      FN(keep)(~tiny, e) * (real)(1 / LIFT) * p[1]);
}
INLINE vec FN(scaled_or_0)(vec e, vec unused, const vec *p) {
    (void)unused;
    return FN(keep)(~(e < p[2]), e) * (real)(1 / LIFT) * p[1];
}
/* Past the caches (`stream`: see strips.h), whole cache lines are written without being read. */
INLINE void FN(finish)(vec (*f)(vec, vec, const vec *), const real *a, ptrdiff_t sa, const real *b,
                       ptrdiff_t sb, const vec *p, real *out, ptrdiff_t so, ptrdiff_t n, int across,
                       int stream) {
    if (!across) {
        for (ptrdiff_t j = 0; j < n; j++)
            FN(store)(out + j * so, f(FN(load)(a + j * sa), FN(load)(b + j * sb), p));
        return;
    }
    const vec first = f(FN(load)(a), FN(load)(b), p);
    const vec last = f(FN(load)(a + n - V), FN(load)(b + n - V), p);
    if (stream) {
        for (ptrdiff_t j = FN(to_line)(out); j + V <= n; j += V)
            FN(stream)(out + j, f(FN(load)(a + j), FN(load)(b + j), p));
        FN(fence)();
    } else
        for (ptrdiff_t j = 0; j + V <= n; j += V)
            FN(store)(out + j, f(FN(load)(a + j), FN(load)(b + j), p));
    FN(store)(out, first);
    FN(store)(out + n - V, last);
}

/* ---- row functions: x (n) -> out (n), or one number a row ---- */

/* Of one long row, what the next one will need, to fetch during the arithmetic; or NULL. */
#undef Ahead
#define Ahead FN(Ahead)
typedef struct {
    const real *x, *y, *out;
} Ahead;

INLINE void FN(fetch)(Ahead next, ptrdiff_t j) {
    if (next.x) __builtin_prefetch(next.x + j * V, 0, 2);
    if (next.y) __builtin_prefetch(next.y + j * V, 0, 2);
    if (next.out) __builtin_prefetch(next.out + j * V, 1, 3);
}

/* strips with results that are subnormal */
APART void FN(tiny_shares)(const real *e, ptrdiff_t se, vec sum, real *out, ptrdiff_t so,
                           ptrdiff_t n, int across, int stream) {
    const vec p[] = {sum, 1 / sum, sum * (real)LEAST_SHARE};
    FN(finish)(FN(tiny_share), e, se, e, se, p, out, so, n, across, stream);
}
APART void FN(tiny_products)(const real *e, ptrdiff_t se, vec factor, real *out, ptrdiff_t so,
                             ptrdiff_t n, int across, int stream, int summed) {
    const vec p[] = {{0}, factor, FN(least)(factor)};
    if (summed)
        FN(finish)(FN(scaled_or_0), e, se, e, se, p, out, so, n, across, stream);
    else
        FN(finish)(FN(tiny_scaled), e, se, e, se, p, out, so, n, across, stream);
}

/* e holds the exponentials (lifted: see exp.h) meanwhile; it may be x or out. */
INLINE void FN(softmax)(const real *x, ptrdiff_t sx, real *e, ptrdiff_t se, real *out, ptrdiff_t so,
                        ptrdiff_t n, Ahead next, int across, int stream) {
    vec m = FN(strip_max)(x, sx, n, across);
    vec last = FN(vexp_lifted)(FN(last)(x, n, across) - m);
    vec low = across ? last : FN(splat)((real)LIFT);
    Sum total = {FN(keep)(FN(fresh)(n, across), last), {0}};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec chunk = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            vec ej = FN(vexp_lifted)(FN(load)(x + j * sx) - m);
            FN(store)(e + j * se, ej);
            FN(fetch)(next, j);
            chunk += ej;
            low = FN(lesser)(low, ej);
        }
        FN(add)(&total, chunk);
    }
    if (across) FN(store)(e + n - V, last);
    const vec sum = FN(whole)(total, across), p[] = {sum, 1 / sum};
    if (FN(has_tiny)(low, FN(splat)(1)))
        FN(tiny_shares)(e, se, sum, out, so, n, across, stream);
    else
        FN(finish)(FN(share), e, se, e, se, p, out, so, n, across, stream);
}

/* Sums of lifted e = exp(z - m) (see exp.h), which are kept in e, if given; then `low` is the least
   of each lane. Scores that equal m are counted, so that the others survive however small they are,
   and a maximum of +-inf is taken out of exp(inf - inf). */
INLINE void FN(exp_sums)(const real *z, ptrdiff_t sz, real *e, ptrdiff_t se, ptrdiff_t n, vec m,
                         Ahead next, int across, vec *ties, vec *others, vec *low) {
    vec last_z = FN(last)(z, n, across), last = FN(vexp_lifted)(last_z - m);
    vec lowest = across ? last : FN(splat)((real)LIFT);
    ivec fresh = FN(fresh)(n, across);
    Sum all_ties = {FN(keep)(fresh & (last_z == m), FN(splat)(1)), {0}};
    Sum all_others = {FN(keep)(fresh & (last_z != m), last), {0}};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec some_ties = {0}, some_others = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            vec zj = FN(load)(z + j * sz), ej = FN(vexp_lifted)(zj - m);
            if (e) {
                FN(store)(e + j * se, ej);
                lowest = FN(lesser)(lowest, ej);
            }
            FN(fetch)(next, j);
            some_ties += FN(keep)(zj == m, FN(splat)(1));
            some_others += FN(keep)(zj != m, ej);
        }
        FN(add)(&all_ties, some_ties);
        FN(add)(&all_others, some_others);
    }
    if (e && across) FN(store)(e + n - V, last);
    *low = lowest;
    *ties = FN(whole)(all_ties, across);
    *others = FN(whole)(all_others, across);
}

INLINE void FN(log_softmax)(const real *x, ptrdiff_t sx, real *out, ptrdiff_t so, ptrdiff_t n,
                            Ahead next, int across, int stream) {
    vec m = FN(strip_max)(x, sx, n, across), ties, others, low;
    FN(exp_sums)(x, sx, NULL, 0, n, m, next, across, &ties, &others, &low);
    const vec p[] = {m, FN(log_sum)(ties, others)};
    FN(finish)(FN(log_share), x, sx, x, sx, p, out, so, n, across, stream);
}

INLINE void FN(logsumexp)(const real *x, ptrdiff_t sx, real *out, ptrdiff_t n, Ahead next,
                          int across) {
    vec m = FN(strip_max)(x, sx, n, across), ties, others, low;
    FN(exp_sums)(x, sx, NULL, 0, n, m, next, across, &ties, &others, &low);
    vec lse = m + FN(log_sum)(ties, others);
    if (across)
        *out = lse[0];
    else
        FN(store)(out, lse);
}

/* dz = p (g - sum(g p)) */
INLINE void FN(softmax_backward)(const real *g, ptrdiff_t sg, const real *p, ptrdiff_t sp,
                                 real *out, ptrdiff_t so, ptrdiff_t n, Ahead next, int across,
                                 int stream) {
    Sum total = {FN(keep)(FN(fresh)(n, across), FN(last)(g, n, across) * FN(last)(p, n, across)),
                 {0}};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec chunk = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            chunk += FN(load)(g + j * sg) * FN(load)(p + j * sp);
            FN(fetch)(next, j);
        }
        FN(add)(&total, chunk);
    }
    vec dot = FN(whole)(total, across);
    FN(finish)(FN(back), g, sg, p, sp, &dot, out, so, n, across, stream);
}
