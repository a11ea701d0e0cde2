/* Row functions and row losses on one strip of scores. (Included once per real: see kernels.h.)
 *
 * A strip is what one loop over vectors works on, in one of two forms that share all code:
 *   - across = 0: V rows side by side. Vector j holds score j of each row, `stride` reals from the
 *     next. Short rows waste no lanes that way (at C = 10, one row would leave 6 of 16 idle).
 *   - across = 1: one row of n >= V scores in a piece. Vector j holds scores jV to jV + V - 1,
 *     reductions end with one over the lanes, and the last vector overlaps the one before it: lanes
 *     that were done already are masked.
 *
 * Names as in the formulas: row maximum m, d = z - m, e = exp(d), sum = sum of e, u = the target
 * weights. Sums over a row are kept in chunks of CHUNK vectors, what the sum of the chunks rounds
 * away is kept beside it, and the maximum's own exp(0) = 1 is summed apart: added to these, small
 * numbers are lost one by one (in float32, 200 eps of a sum of a million, 8 eps of one of 100).
 */
#ifndef CHUNK
#define CHUNK 16
#endif

INLINE ptrdiff_t FN(steps)(ptrdiff_t n, int across) { return across ? (n + V - 1) / V : n; }

INLINE ptrdiff_t FN(chunk_end)(ptrdiff_t begin, ptrdiff_t n, int across) {
    ptrdiff_t last = FN(steps)(n, across);
    return begin + CHUNK < last ? begin + CHUNK : last;
}

/* index of the first score in vector j */
INLINE ptrdiff_t FN(first)(ptrdiff_t j, ptrdiff_t n, int across) {
    return across ? ((j + 1) * V <= n ? j * V : n - V) : j;
}

/* the index of each lane's score */
INLINE ivec FN(index)(ptrdiff_t j, ptrdiff_t n, int across) {
    ivec start = FN(isplat)((sint)FN(first)(j, n, across));
    return across ? start + FN(iota)() : start;
}

/* the lanes of vector j that the vectors before it have not done */
INLINE ivec FN(fresh)(ptrdiff_t j, ptrdiff_t n, int across) {
    if (!across || (j + 1) * V <= n) return FN(isplat)(-1);
    return FN(index)(j, n, 1) >= FN(isplat)((sint)(j * V));
}

INLINE vec FN(at)(const real *x, ptrdiff_t stride, ptrdiff_t j, ptrdiff_t n, int across,
                  real fill) {
    if (!across) return FN(load)(x + j * stride);
    if ((j + 1) * V <= n) return FN(load)(x + j * V);
    return FN(select)(FN(fresh)(j, n, 1), FN(load)(x + n - V), FN(splat)(fill));
}

INLINE void FN(put)(real *out, ptrdiff_t stride, ptrdiff_t j, ptrdiff_t n, int across, vec v) {
    if (!across)
        FN(store)(out + j * stride, v);
    else if ((j + 1) * V <= n)
        FN(store)(out + j * V, v);
    else
        FN(store)(out + n - V, FN(select)(FN(fresh)(j, n, 1), v, FN(load)(out + n - V)));
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

INLINE vec FN(strip_max)(const real *x, ptrdiff_t stride, ptrdiff_t n, int across) {
    vec m = FN(splat)(-(real)INFINITY);
    for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++)
        m = FN(larger)(m, FN(at)(x, stride, j, n, across, -(real)INFINITY));
    return across ? FN(splat)(FN(lane_max)(m)) : m;
}

/* ---- row functions: x (n) -> out (n), or one number a row ---- */

INLINE void FN(softmax)(const real *x, ptrdiff_t sx, real *out, ptrdiff_t so, ptrdiff_t n,
                        int across) {
    vec m = FN(strip_max)(x, sx, n, across);
    Sum all_ties = {0}, all_others = {0};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec ties = {0}, others = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            vec z = FN(at)(x, sx, j, n, across, -(real)INFINITY), e = FN(vexp)(z - m);
            FN(put)(out, so, j, n, across, e);
            ties += FN(keep)(z == m, e);
            others += FN(keep)(z != m, e);
        }
        FN(add)(&all_ties, ties);
        FN(add)(&all_others, others);
    }
    vec sum = FN(whole)(all_ties, across) + FN(whole)(all_others, across);
    for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++)
        FN(put)(out, so, j, n, across, FN(at)(out, so, j, n, across, 0) / sum);
}

/* log(sum(exp(x - m))). Scores that equal m are counted, not summed, so that the others survive
   however small they are, and a maximum of +-inf is taken out of exp(inf - inf). */
INLINE vec FN(log_sum)(const real *x, ptrdiff_t sx, ptrdiff_t n, vec m, int across) {
    Sum all_ties = {0}, all_others = {0};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec ties = {0}, others = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            vec z = FN(at)(x, sx, j, n, across, -(real)INFINITY);
            ivec tie = z == m;
            ties += FN(keep)(tie, FN(splat)(1));
            others += FN(keep)(~tie, FN(vexp)(z - m));
        }
        FN(add)(&all_ties, ties);
        FN(add)(&all_others, others);
    }
    return FN(vlog1p)((FN(whole)(all_ties, across) - 1) + FN(whole)(all_others, across));
}

INLINE void FN(log_softmax)(const real *x, ptrdiff_t sx, real *out, ptrdiff_t so, ptrdiff_t n,
                            int across) {
    vec m = FN(strip_max)(x, sx, n, across);
    vec log_sum = FN(log_sum)(x, sx, n, m, across);
    for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++)
        FN(put)(out, so, j, n, across, (FN(at)(x, sx, j, n, across, 0) - m) - log_sum);
}

INLINE void FN(logsumexp)(const real *x, ptrdiff_t sx, real *out, ptrdiff_t n, int across) {
    vec m = FN(strip_max)(x, sx, n, across);
    vec lse = m + FN(log_sum)(x, sx, n, m, across);
    if (across)
        *out = lse[0];
    else
        FN(store)(out, lse);
}

/* dz = p (g - sum(g p)) */
INLINE void FN(softmax_backward)(const real *g, ptrdiff_t sg, const real *p, ptrdiff_t sp,
                                 real *out, ptrdiff_t so, ptrdiff_t n, int across) {
    vec dot;
    Sum total = {0};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec chunk = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++)
            chunk += FN(at)(g, sg, j, n, across, 0) * FN(at)(p, sp, j, n, across, 0);
        FN(add)(&total, chunk);
    }
    dot = FN(whole)(total, across);
    for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++)
        FN(put)(out, so, j, n, across,
                FN(at)(p, sp, j, n, across, 0) * (FN(at)(g, sg, j, n, across, 0) - dot));
}

/* ---- row losses: scores z and targets -> loss, and coef * d(loss)/dz in g ---- */

/* What a strip aims at. Index or probability targets T, class weights w and label smoothing fold
   into u = w (share T + uniform): see reference.py. */
#undef Aim
#define Aim FN(Aim)
typedef struct {
    ivec y;              /* class index of each row; -1: no target, loss 0 */
    const real *t;       /* (n) probabilities in place of y, or NULL */
    ptrdiff_t st;        /* their stride */
    const real *weight;  /* (n) class weights, or NULL */
    real share, uniform; /* 1 - label_smoothing, label_smoothing / n */
    real delta;          /* margin of the hinge */
} Aim;

INLINE vec FN(target_weight)(const Aim *a, ptrdiff_t j, ptrdiff_t n, int across) {
    vec T = a->t ? FN(at)(a->t, a->st, j, n, across, 0)
                 : FN(keep)(FN(index)(j, n, across) == a->y, FN(splat)(1));
    vec u = T * a->share + a->uniform;
    if (!a->weight) return u;
    return u * (across ? FN(at)(a->weight, 1, j, n, 1, 0) : FN(splat)(a->weight[j]));
}

INLINE ivec FN(aimed)(const Aim *a) { return a->t ? FN(isplat)(-1) : a->y >= 0; }

/* L = sum_c u_c (lse - z_c)        g = coef (p sum(u) - u)
   In place: g may be z. Of an index target without smoothing only its own term is formed, so that
   -inf elsewhere is harmless; with other targets 0 * inf is NaN, as in PyTorch. So is the gradient
   of a row without target whose scores hold a NaN; otherwise it is 0. */
INLINE vec FN(cross_entropy)(const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef,
                             real *g, ptrdiff_t sg, int across) {
    vec m = FN(strip_max)(z, sz, n, across);
    Sum all_ties = {0}, all_others = {0}, all_u = {0}, all_ud = {0};
    ivec every = FN(isplat)(a->t || a->uniform != 0 ? -1 : 0);
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec ties = {0}, others = {0}, sum_u = {0}, sum_ud = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            vec x = FN(at)(z, sz, j, n, across, -(real)INFINITY), d = x - m, e = FN(vexp)(d);
            ivec tie = x == m, fresh = FN(fresh)(j, n, across);
            ivec counts = fresh & (every | (FN(index)(j, n, across) == a->y));
            vec u = FN(keep)(fresh & FN(aimed)(a), FN(target_weight)(a, j, n, across));
            ties += FN(keep)(tie, e);
            others += FN(keep)(~tie, e);
            sum_u += u;
            sum_ud += FN(keep)(counts, u * d);
            if (g) FN(put)(g, sg, j, n, across, e);
        }
        FN(add)(&all_ties, ties);
        FN(add)(&all_others, others);
        FN(add)(&all_u, sum_u);
        FN(add)(&all_ud, sum_ud);
    }
    vec ties = FN(whole)(all_ties, across), others = FN(whole)(all_others, across);
    vec U = FN(whole)(all_u, across);
    vec loss = U * FN(vlog1p)((ties - 1) + others) - FN(whole)(all_ud, across);
    if (g) {
        vec by = U / (ties + others);
        for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++) {
            vec e = FN(at)(g, sg, j, n, across, 0);
            vec u = FN(keep)(FN(aimed)(a), FN(target_weight)(a, j, n, across));
            FN(put)(g, sg, j, n, across, (e * by - u) * coef);
        }
    }
    return FN(keep)(FN(aimed)(a), loss);
}

/* The hinge against class k with weight u: adds u sum_{c != k} max(0, z_c - z_k + delta) to the
   loss and its gradient to g (writes it, if `first`). A NaN margin is a NaN loss and a NaN
   gradient. */
INLINE vec FN(hinge_against)(const real *z, ptrdiff_t sz, ptrdiff_t n, ivec k, vec z_k, vec u,
                             real delta, real *g, ptrdiff_t sg, int first, int across) {
    Sum all_losses = {0}, all_steps = {0};
    ivec asked = u != 0;
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec losses = {0}, steps = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            vec margin = FN(at)(z, sz, j, n, across, 0) - z_k + delta;
            ivec counts = FN(fresh)(j, n, across) & (FN(index)(j, n, across) != k);
            counts &= asked & ~(margin <= 0);
            vec step = FN(keep)(counts, FN(select)(margin > 0, FN(splat)(1), margin));
            losses += FN(keep)(counts, margin);
            steps += step;
            vec before = first || !g ? (vec){0} : FN(at)(g, sg, j, n, across, 0);
            if (g) FN(put)(g, sg, j, n, across, before + u * step);
        }
        FN(add)(&all_losses, losses);
        FN(add)(&all_steps, steps);
    }
    vec count = FN(whole)(all_steps, across);
    for (ptrdiff_t j = 0; g && j < FN(steps)(n, across); j++) {
        vec here = FN(keep)(asked & (FN(index)(j, n, across) == k), u * count);
        FN(put)(g, sg, j, n, across, FN(at)(g, sg, j, n, across, 0) - here);
    }
    return FN(keep)(asked, u * FN(whole)(all_losses, across));
}

/* L = sum_k u_k sum_{c != k} max(0, z_c - z_k + delta)
   For one index target that is one k. Other targets take n of them, and g must not be z then. */
INLINE vec FN(hinge)(const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef, real *g,
                     ptrdiff_t sg, int across) {
    vec loss = {0};
    if (!a->t && a->uniform == 0) {
        Sum z_y = {0}, u_y = {0};
        for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++) {
            ivec here = FN(fresh)(j, n, across) & (FN(index)(j, n, across) == a->y);
            z_y.sum += FN(keep)(here, FN(at)(z, sz, j, n, across, 0));
            u_y.sum += FN(keep)(here, FN(target_weight)(a, j, n, across));
        }
        loss = FN(hinge_against)(z, sz, n, a->y, FN(whole)(z_y, across), FN(whole)(u_y, across),
                                 a->delta, g, sg, 1, across);
    } else {
        for (ptrdiff_t k = 0; k < n; k++) {
            vec z_k = across ? FN(splat)(z[k]) : FN(load)(z + k * sz);
            ptrdiff_t j = across ? (k / V) : k;
            vec u = FN(keep)(FN(aimed)(a), FN(target_weight)(a, j, n, across));
            if (across) u = FN(splat)(u[k - FN(first)(j, n, 1)]);
            loss += FN(hinge_against)(z, sz, n, FN(isplat)((sint)k), z_k, u, a->delta, g, sg,
                                      k == 0, across);
        }
    }
    for (ptrdiff_t j = 0; g && j < FN(steps)(n, across); j++)
        FN(put)(g, sg, j, n, across, FN(at)(g, sg, j, n, across, 0) * coef);
    return FN(keep)(FN(aimed)(a), loss);
}
