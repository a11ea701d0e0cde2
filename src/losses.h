/* Row losses on one strip of scores (see rows.h): scores z and targets -> loss, and
 * coef * d(loss)/dz in g. (Included once per real: see kernels.h.)
 */

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

INLINE ivec FN(aimed)(const Aim *a) { return a->t ? FN(isplat)(-1) : a->y >= 0; }

/* Only one class of each row has a weight. */
INLINE int FN(is_hard)(const Aim *a) { return !a->t && a->uniform == 0; }

/* class i of each row, or classes i to i + V - 1 of one */
INLINE ivec FN(classes)(ptrdiff_t i, int across) {
    return FN(isplat)((sint)i) + (across ? FN(iota)() : FN(isplat)(0));
}

/* u of these classes */
INLINE vec FN(target_weight)(const Aim *a, ptrdiff_t i, int across) {
    vec T = FN(keep)(FN(classes)(i, across) == a->y, FN(splat)(1));
    if (a->t) T = FN(load)(a->t + (across ? i : i * a->st));
    vec u = T * a->share + a->uniform;
    if (a->weight) u *= across ? FN(load)(a->weight + i) : FN(splat)(a->weight[i]);
    return FN(keep)(FN(aimed)(a), u);
}

/* x[y] of each row, 0 where it has no target; `step` from one class to the next */
INLINE vec FN(at_target)(const real *x, ptrdiff_t step, ivec y, int across) {
    vec v = {0};
    if (across) return FN(splat)(y[0] < 0 ? 0 : x[y[0] * step]);
    for (ptrdiff_t k = 0; k < V; k++)
        if (y[k] >= 0) v[k] = x[y[k] * step + k];
    return v;
}

INLINE void FN(put_at_target)(real *x, ptrdiff_t step, ivec y, vec v, int across) {
    for (ptrdiff_t k = 0; k < (across ? 1 : V); k++)
        if (y[k] >= 0) x[y[k] * step + k] = v[k];
}

/* the weight of each row's only class */
INLINE vec FN(hard_weight)(const Aim *a) {
    vec u = FN(keep)(a->y >= 0, FN(splat)(a->share));
    for (ptrdiff_t k = 0; a->weight && k < V; k++)
        if (a->y[k] >= 0) u[k] *= a->weight[a->y[k]];
    return u;
}

/* of other targets: sum(u) and sum(u d) */
INLINE void FN(soft_sums)(const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec m, int across,
                          vec *sum_u, vec *sum_ud) {
    ivec fresh = FN(fresh)(n, across);
    vec last_u = across ? FN(target_weight)(a, n - V, 1) : (vec){0};
    Sum all_u = {FN(keep)(fresh, last_u), {0}};
    Sum all_ud = {FN(keep)(fresh, last_u * (FN(last)(z, n, across) - m)), {0}};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec some_u = {0}, some_ud = {0};
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            vec u = FN(target_weight)(a, across ? j * V : j, across);
            some_u += u;
            some_ud += u * (FN(load)(z + j * sz) - m);
        }
        FN(add)(&all_u, some_u);
        FN(add)(&all_ud, some_ud);
    }
    *sum_u = FN(whole)(all_u, across);
    *sum_ud = FN(whole)(all_ud, across);
}

/* And their gradient: (e by - u) coef. If there may be `tiny` ones (see has_tiny), what is so small
   that it is subnormal in it is formed as in tiny_scaled, or 0 in what is `summed`. */
INLINE vec FN(soft_slope)(vec e, vec u, vec by, vec coef, vec least, const int tiny,
                          const int summed) {
    if (!tiny) return (e * (by * (real)(1 / LIFT)) - u) * coef;
    const ivec low = e < least, alone = low & (u == 0);
    const vec g = (FN(keep)(~low, e) * (real)(1 / LIFT) * by - u) * coef;
    if (summed) return g;
    const vec small = FN(keep)(alone, e) * (real)0x1p64 * (by * coef);
    return FN(select)(alone, FN(lowered)(small, (real)(0x1p64 * LIFT)), g);
}
INLINE void FN(soft_gradient)(const real *e, ptrdiff_t se, ptrdiff_t n, const Aim *a, vec by,
                              vec coef, real *g, ptrdiff_t sg, int across, const int tiny,
                              const int summed) {
    const vec least = tiny ? FN(least)(by * coef) : coef;
    vec last = FN(last)(e, n, across);
    if (across)
        last = FN(soft_slope)(last, FN(target_weight)(a, n - V, 1), by, coef, least, tiny, summed);
    for (ptrdiff_t j = 0; j < FN(steps)(n, across); j++) {
        vec u = FN(target_weight)(a, across ? j * V : j, across), ej = FN(load)(e + j * se);
        FN(store)(g + j * sg, FN(soft_slope)(ej, u, by, coef, least, tiny, summed));
    }
    if (across) FN(store)(g + n - V, last);
}

APART void FN(tiny_soft_gradient)(const real *e, ptrdiff_t se, ptrdiff_t n, Aim a, vec by, vec coef,
                                  real *g, ptrdiff_t sg, int across, int summed) {
    if (summed)
        FN(soft_gradient)(e, se, n, &a, by, coef, g, sg, across, 1, 1);
    else
        FN(soft_gradient)(e, se, n, &a, by, coef, g, sg, across, 1, 0);
}

/* L = sum_c u_c (lse - z_c) = sum(u) log(sum) - sum(u d)        g = coef (p sum(u) - u)
   e holds the exponentials (lifted: see exp.h) meanwhile; it may be z or g. What of g is subnormal
   is 0 where it is `summed` over rows. Of a hard target only its own term is formed, so that -inf
   elsewhere is harmless; with other targets 0 * inf is NaN, as in PyTorch. So is the gradient of a
   row without target whose scores hold a NaN; otherwise it is 0. */
INLINE vec FN(cross_entropy)(const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef,
                             real *e, ptrdiff_t se, real *g, ptrdiff_t sg, Ahead next, int across,
                             int stream, int summed) {
    const int hard = FN(is_hard)(a);
    vec m = FN(strip_max)(z, sz, n, across), ties, others, low, U, ud;
    vec d_y = FN(at_target)(z, across ? 1 : sz, a->y, across) - m;
    if (hard) {
        U = FN(hard_weight)(a);
        ud = U * d_y;
    } else
        FN(soft_sums)(z, sz, n, a, m, across, &U, &ud);
    FN(exp_sums)(z, sz, g ? e : NULL, se, n, m, next, across, &ties, &others, &low);
    ties += m - m; /* a maximum of +-inf is NaN here */
    vec by = U / ((ties * (real)LIFT + others) * (real)(1 / LIFT)), factor = by * coef;
    if (g && !hard) {
        if (FN(has_tiny)(low, FN(lesser)(FN(size)(by), FN(size)(factor))))
            FN(tiny_soft_gradient)(e, se, n, *a, by, coef, g, sg, across, summed);
        else
            FN(soft_gradient)(e, se, n, a, by, coef, g, sg, across, 0, 0);
    }
    if (g && hard) {
        const vec lowered = factor * (real)(1 / LIFT);
        if (FN(has_tiny)(low, factor))
            FN(tiny_products)(e, se, factor, g, sg, n, across, stream, summed);
        else
            FN(finish)(FN(scaled), e, se, e, se, &lowered, g, sg, n, across, stream);
        /* below e^NEAR an exponential changes nothing here */
        const vec e_y = FN(vexp_from)(d_y, (real)NEAR) * (real)(1 / LIFT);
        FN(put_at_target)(g, across ? 1 : sg, a->y, (e_y * by - U) * coef, across);
    }
    return FN(keep)(FN(aimed)(a), U * FN(log_sum)(ties, others) - ud);
}

/* max(0, z - z_k + delta) where it counts, and its slope. A NaN margin is a NaN loss and a NaN
   gradient. */
INLINE vec FN(margins)(vec z, ivec counts, vec z_k, real delta, vec *slope) {
    vec margin = z - z_k + delta;
    counts &= ~(margin <= 0);
    *slope = FN(keep)(counts, FN(select)(margin > 0, FN(splat)(1), margin));
    return FN(keep)(counts, margin);
}

/* The hinge against class k with weight u: sum_{c != k} max(0, z_c - z_k + delta), times u. Writes
   its gradient, times by = coef u, to g, or adds it to what is there. */
INLINE vec FN(hinge_against)(const real *z, ptrdiff_t sz, ptrdiff_t n, ivec k, vec u, real delta,
                             vec by, real *g, ptrdiff_t sg, int add, int across) {
    const vec z_k = FN(at_target)(z, across ? 1 : sz, k, across);
    const ivec asked = u != 0, fresh = FN(fresh)(n, across);
    vec last_slope;
    vec last = FN(margins)(FN(last)(z, n, across), asked & (FN(classes)(n - V, across) != k), z_k,
                           delta, &last_slope);
    vec last_g = by * last_slope + (add && g ? FN(last)(g, n, across) : (vec){0});
    Sum all_losses = {FN(keep)(fresh, last), {0}}, all_slopes = {FN(keep)(fresh, last_slope), {0}};
    for (ptrdiff_t begin = 0, end; begin < FN(steps)(n, across); begin = end) {
        vec losses = {0}, slopes = {0}, slope;
        end = FN(chunk_end)(begin, n, across);
        for (ptrdiff_t j = begin; j < end; j++) {
            ivec counts = asked & (FN(classes)(across ? j * V : j, across) != k);
            losses += FN(margins)(FN(load)(z + j * sz), counts, z_k, delta, &slope);
            slopes += slope;
            if (g) FN(store)(g + j * sg, by * slope + (add ? FN(load)(g + j * sg) : (vec){0}));
        }
        FN(add)(&all_losses, losses);
        FN(add)(&all_slopes, slopes);
    }
    if (g) {
        if (across) FN(store)(g + n - V, last_g);
        vec g_k = FN(at_target)(g, across ? 1 : sg, k, across);
        FN(put_at_target)(g, across ? 1 : sg, k, g_k - by * FN(whole)(all_slopes, across), across);
    }
    return FN(keep)(asked, u * FN(whole)(all_losses, across));
}

/* L = sum_k u_k sum_{c != k} max(0, z_c - z_k + delta)
   For a hard target that is one k. Other targets take n of them, and g must not be z then. */
INLINE vec FN(hinge)(const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef, real *g,
                     ptrdiff_t sg, int across) {
    vec loss = {0}, u;
    if (FN(is_hard)(a)) {
        u = FN(hard_weight)(a);
        return FN(hinge_against)(z, sz, n, a->y, u, a->delta, u * coef, g, sg, 0, across);
    }
    for (ptrdiff_t k = 0; k < n; k++) {
        const ptrdiff_t first = across && k > n - V ? n - V : k;
        u = FN(target_weight)(a, first, across);
        if (across) u = FN(splat)(u[k - first]);
        loss += FN(hinge_against)(z, sz, n, FN(isplat)((sint)k), u, a->delta, u * coef, g, sg,
                                  k > 0, across);
    }
    return loss;
}

/* of a strip; g may be z for the cross-entropy */
INLINE vec FN(row_loss)(int loss, const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef,
                        real *g, ptrdiff_t sg, int across, int summed) {
    const Ahead none = {NULL, NULL, NULL};
    return loss == CROSS_ENTROPY
               ? FN(cross_entropy)(z, sz, n, a, coef, g, sg, g, sg, none, across, 0, summed)
               : FN(hinge)(z, sz, n, a, coef, g, sg, across);
}

/* A label; -1 for one that is no class. It is checked here again, since another thread of the
   caller may change it after the check that reports it. */
INLINE sint FN(known_class)(int64_t label, ptrdiff_t n) {
    return (uint64_t)label < (uint64_t)n ? (sint)label : -1;
}

INLINE Aim FN(aim_of)(const target_spec *t, ptrdiff_t n) {
    return (Aim){.y = FN(isplat)(-1),
                 .weight = (const real *)t->weight,
                 .share = (real)(1 - t->label_smoothing),
                 .uniform = (real)(t->label_smoothing / (double)n),
                 .delta = (real)t->delta};
}

/* The aim of row r, in all lanes. A row without a class has no factor, either, which is 1 / 0 where
   no row at all has one. */
INLINE Aim FN(aim_at_row)(const target_spec *t, ptrdiff_t r, ptrdiff_t n, vec *coef) {
    Aim a = FN(aim_of)(t, n);
    real by = (real)t->factor;
    if (t->index) {
        const sint y = FN(known_class)(t->index[r], n);
        a.y = FN(isplat)(y);
        by = y < 0 ? 0 : by;
    }
    if (t->coef) by *= ((const real *)t->coef)[r];
    *coef = FN(splat)(by);
    return a;
}

/* The aims of rows first, first + 1, ... (`source` maps them to rows of the targets, if given), and
   of lanes behind `lanes` none. Whole arrays of lanes are loaded: of single lanes that are stored
   in a vector, compilers make stores by mask, for which the next load waits (10 classes, AVX2, Zen
   4: cross_entropy_with_grad 1.18x). */
INLINE Aim FN(aim_at)(const target_spec *t, const int64_t *source, ptrdiff_t first, ptrdiff_t lanes,
                      ptrdiff_t n, vec *coef) {
    Aim a = FN(aim_of)(t, n);
    *coef = FN(splat)((real)t->factor);
    if (t->index) {
        sint y[V];
        if (!source && lanes == V)
            for (ptrdiff_t k = 0; k < V; k++) y[k] = FN(known_class)(t->index[first + k], n);
        else
            for (ptrdiff_t k = 0; k < V; k++)
                y[k] = k < lanes
                           ? FN(known_class)(t->index[source ? source[first + k] : first + k], n)
                           : -1;
        memcpy(&a.y, y, sizeof y);
        *coef = FN(keep)(a.y >= 0, *coef);
    }
    if (t->coef) {
        real by[V];
        for (ptrdiff_t k = 0; k < V; k++)
            by[k] = k < lanes ? ((const real *)t->coef)[source ? source[first + k] : first + k] : 0;
        *coef *= FN(load)(by);
    }
    return a;
}

/* probabilities of `lanes` rows -> (n, V) */
INLINE void FN(pack_targets)(const target_spec *t, const int64_t *source, ptrdiff_t first,
                             ptrdiff_t lanes, ptrdiff_t n, real *strip, ptrdiff_t stride) {
    for (ptrdiff_t k = 0; k < V; k++) {
        const ptrdiff_t i = first + (k < lanes ? k : 0), r = source ? (ptrdiff_t)source[i] : i;
        const real *row = (const real *)t->prob.data + r * t->prob.stride[0];
        for (ptrdiff_t j = 0; j < n; j++) strip[j * stride + k] = row[j * t->prob.stride[1]];
    }
}
