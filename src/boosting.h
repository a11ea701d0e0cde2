/* Gradient and Hessian's diagonal of a softmax, as libraries of boosted trees ask for them, and the
 * losses of rows. (Included once per real: see kernels.h.)
 *
 *     L = -sum_c u_c (1 - p_c)^gamma log p_c            p = softmax(scale s)
 *     g = scale (p sum(v) - v)                          v_c = u_c phi(p_c)
 *     h = scale^2 curvature p (1 - p) sum(v), or scale |g| where the curvature is 0
 *
 * and h at least `least`, with u the target weights (losses.h) and
 *
 *     phi(p) = (1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p
 *
 * which is 1 for gamma = 0. Of a focal loss, h is the diagonal with the v held: its own is negative
 * where p is small, and a tree's leaf divides by it.
 *
 * Both libraries keep gradients as floats: they are floats here, too, also of double scores. A unit
 * is one long row, or some strips of V rows beside each other; nothing is summed over units.
 */

/* What follows of the scores of a row. */
#undef Shares
#define Shares FN(Shares)
typedef struct {
    vec m, p[3]; /* of the lifted exponentials: the sum, 1 / sum, and what counts as 0 below */
    vec rest;    /* 1 - p of a class whose exponential is 1: exact, where it is nearly 0 */
    vec log_sum;
} Shares;

INLINE vec FN(share_or_0)(const Shares *s, vec e) {
    return FN(quotient)(FN(keep)(~(e < s->p[2]), e), s->p[0], s->p[1]);
}

INLINE vec FN(other_share)(const Shares *s, vec e, vec p) {
    return FN(select)(e == (real)LIFT, s->rest, 1 - p);
}

typedef float FN(floats) __attribute__((vector_size(4 * VEC_BYTES / sizeof(real))));
typedef float FN(loose_floats)
    __attribute__((vector_size(4 * VEC_BYTES / sizeof(real)), aligned(1), may_alias));
INLINE void FN(store_floats)(float *to, vec v) {
#if IS_DOUBLE
    *(FN(loose_floats) *)to = __builtin_convertvector(v, FN(floats));
#else
    FN(store)(to, v);
#endif
}

/* The steps over a strip: of one row, the last of them overlaps the one before it, and only its
   fresh lanes are to be summed. Results are written apart from what is read, so it does no harm. */
INLINE ptrdiff_t FN(all_steps)(ptrdiff_t n, int across) { return across ? (n + V - 1) / V : n; }

INLINE ptrdiff_t FN(class_of)(ptrdiff_t j, ptrdiff_t n, int across) {
    return across ? FN(smaller)(j * V, n - V) : j;
}

INLINE vec FN(keep_fresh)(ptrdiff_t j, ptrdiff_t n, int across, vec v) {
    return across && j * V > n - V ? FN(keep)(FN(fresh)(n, 1), v) : v;
}

/* (1 - p)^gamma, and phi, whose limits are those at p = 0 and at 1 - p = q = 0 */
INLINE vec FN(focus)(vec p, vec q, vec log_p, real gamma, vec *phi) {
    vec power = FN(vexp)(FN(vlog)(q, (vec){0}) * gamma);
    vec slope = FN(select)(q == 0, FN(splat)(1), -log_p / q);
    *phi = power * (1 + gamma * FN(keep)(p != 0, p * slope));
    return power;
}

/* of targets that weigh several classes: v, and its sum. Returns the loss. */
INLINE vec FN(soft_weights)(const real *z, ptrdiff_t sz, const real *e, ptrdiff_t se, ptrdiff_t n,
                            const Aim *a, const Shares *s, real gamma, real *v, ptrdiff_t sv,
                            int across, vec *sum_v) {
    Sum all = {{0}, {0}}, losses = {{0}, {0}};
    const ptrdiff_t steps = FN(all_steps)(n, across);
    for (ptrdiff_t begin = 0, end; begin < steps; begin = end) {
        vec some = {0}, some_losses = {0};
        end = FN(smaller)(begin + CHUNK, steps);
        for (ptrdiff_t j = begin; j < end; j++) {
            const ptrdiff_t c = FN(class_of)(j, n, across);
            vec u = FN(target_weight)(a, c, across);
            vec log_p = (FN(load)(z + (across ? c : j * sz)) - s->m) - s->log_sum, loss = u * log_p;
            if (gamma != 0) {
                vec ej = FN(load)(e + (across ? c : j * se)), phi;
                vec p = FN(share_or_0)(s, ej);
                loss *= FN(focus)(p, FN(other_share)(s, ej, p), log_p, gamma, &phi);
                u *= phi;
            }
            FN(store)(v + (across ? c : j * sv), u);
            some += FN(keep_fresh)(j, n, across, u);
            some_losses -= FN(keep_fresh)(j, n, across, loss);
        }
        FN(add)(&all, some);
        FN(add)(&losses, some_losses);
    }
    *sum_v = FN(whole)(all, across);
    return FN(whole)(losses, across);
}

/* g and h of a strip; of a row's only class alone there is a weight (v NULL), or of all of them */
INLINE void FN(derivatives)(const real *e, ptrdiff_t se, ptrdiff_t n, const Shares *s,
                            const real *v, ptrdiff_t sv, vec sum_v, vec coef, const boost_job *job,
                            float *g, float *h, ptrdiff_t sg, int across) {
    const vec least = FN(splat)((real)job->least), by = sum_v * coef;
    const vec bend = by * (real)(job->curvature * job->scale), scale = FN(splat)((real)job->scale);
    for (ptrdiff_t j = 0; j < FN(all_steps)(n, across); j++) {
        const ptrdiff_t c = FN(class_of)(j, n, across), to = across ? c : j * sg;
        vec ej = FN(load)(e + (across ? c : j * se)), p = FN(share_or_0)(s, ej);
        vec gj = p * by;
        if (v) gj = (p * sum_v - FN(load)(v + (across ? c : j * sv))) * coef;
        vec hj = job->curvature != 0 ? p * FN(other_share)(s, ej, p) * bend : FN(size)(gj) * scale;
        FN(store_floats)(g + to, gj);
        FN(store_floats)(h + to, FN(larger)(least, hj));
    }
}

/* Loss, gradient and Hessian's diagonal of a strip; g and h NULL: the loss alone. e, which holds
   the exponentials, may be z where only one class of each row has a weight. */
INLINE vec FN(boost)(const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef, real *e,
                     ptrdiff_t se, real *v, ptrdiff_t sv, const boost_job *job, float *g, float *h,
                     ptrdiff_t sg, Ahead next, int across) {
    const int hard = FN(is_hard)(a);
    const real gamma = (real)job->gamma;
    Shares s = {.m = FN(strip_max)(z, sz, n, across)};
    const vec d_y = FN(at_target)(z, across ? 1 : sz, a->y, across) - s.m;
    vec ties, others, low, sum_v, loss;
    FN(exp_sums)(z, sz, g || gamma != 0 ? e : NULL, se, n, s.m, next, across, &ties, &others, &low);
    ties += s.m - s.m; /* a maximum of +-inf is NaN here */
    s.p[0] = ties * (real)LIFT + others;
    s.p[1] = 1 / s.p[0];
    s.p[2] = s.p[0] * (real)(2 * LEAST_NORMAL);
    s.rest = ((ties - 1) * (real)LIFT + others) / s.p[0];
    if (job->losses || gamma != 0) s.log_sum = FN(log_sum)(ties, others);
    coef *= (real)job->scale;
    if (!hard) {
        loss = FN(soft_weights)(z, sz, e, se, n, a, &s, gamma, v, sv, across, &sum_v);
        if (g) FN(derivatives)(e, se, n, &s, v, sv, sum_v, coef, job, g, h, sg, across);
        return FN(keep)(FN(aimed)(a), loss);
    }
    const vec u = FN(hard_weight)(a), e_y = FN(vexp_lifted)(d_y), log_p = d_y - s.log_sum;
    const vec p_y = FN(share_or_0)(&s, e_y), q_y = FN(other_share)(&s, e_y, p_y);
    sum_v = u;
    loss = u * (s.log_sum - d_y);
    if (gamma != 0) {
        vec phi;
        loss *= FN(focus)(p_y, q_y, log_p, gamma, &phi);
        sum_v *= phi;
    }
    if (g) {
        FN(derivatives)(e, se, n, &s, NULL, 0, sum_v, coef, job, g, h, sg, across);
        const vec g_y = -q_y * sum_v * coef;
        const vec h_y = FN(larger)(FN(splat)((real)job->least), -g_y * (real)job->scale);
        for (ptrdiff_t k = 0; k < (across ? 1 : V); k++) {
            if (a->y[k] < 0) continue;
            const ptrdiff_t at = a->y[k] * (across ? 1 : sg) + k;
            g[at] = (float)g_y[k];
            if (job->curvature == 0) h[at] = (float)h_y[k];
        }
    }
    return FN(keep)(FN(aimed)(a), loss);
}

/* Long rows go one by one where all that they are made of lies without gaps. */
static size_t FN(plan_boost)(boost_job *job) {
    const ptrdiff_t rows = job->outer * job->inner;
    const cube *t = &job->target.prob;
    const int hard = !t->data && job->target.label_smoothing == 0;
    const int together = job->z.stride[1] == 1 && (!t->data || t->stride[1] == 1) &&
                         (!job->g.data || (job->g.stride[1] == 1 && job->h.stride[1] == 1));
    if (job->n >= LONG_ROW && together) {
        job->form = ACROSS;
        job->units = rows;
        return 3 * (size_t)job->n * sizeof(real);
    }
    job->form = BESIDE;
    job->width = job->z.stride[1] == 1 ? V : FN(strips_at_once)(job->n) * V;
    job->units = (rows + job->width - 1) / job->width;
    return (size_t)(job->n * FN(strips_apart)(job->width)) *
           ((hard ? 1 : 3) * sizeof(real) + (job->g.data ? 2 * sizeof(float) : 0));
}

/* scores, divided by the temperature */
INLINE void FN(warm)(const real *z, ptrdiff_t size, real scale, real *to) {
    for (ptrdiff_t i = 0; i < size; i++) to[i] = z[i] * scale;
}

static void FN(long_boost)(const boost_job *job, ptrdiff_t r, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner;
    vec coef;
    Aim a = FN(aim_at_row)(&job->target, r, n, &coef);
    if (job->target.prob.data) a.t = FN(row_of)(&job->target.prob, inner, r);
    const real *z = FN(row_of)(&job->z, inner, r);
    Ahead next = {FN(row_ahead)(&job->z, inner, n, job->units, r + 1), NULL, NULL};
    if (job->scale != 1) {
        FN(warm)(z, n, (real)job->scale, scratch + 2 * n);
        z = scratch + 2 * n;
    }
    float *g = job->g.data ? row_of_f32(&job->g, inner, r) : NULL;
    float *h = g ? row_of_f32(&job->h, inner, r) : NULL;
    vec loss = FN(boost)(z, V, n, &a, coef, scratch, V, scratch + n, V, job, g, h, V, next, 1);
    if (job->losses) job->losses[r] = loss[0];
}

static void FN(short_boosts)(const boost_job *job, ptrdiff_t unit, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner, width = job->width, r = unit * width;
    const ptrdiff_t lanes = FN(smaller)(width, job->outer * inner - r);
    const ptrdiff_t apart = FN(strips_apart)(width), size = n * apart;
    const cube *prob = &job->target.prob;
    const int hard = !prob->data && job->target.label_smoothing == 0;
    const Ahead none = {NULL, NULL, NULL};
    real *z = scratch, *e = hard ? z : z + size, *v = e + size;
    float *g = job->g.data ? (float *)(hard ? v : v + size) : NULL, *h = g ? g + size : NULL;
    FN(pack)(&job->z, inner, n, r, lanes, z, apart);
    if (job->scale != 1) FN(warm)(z, size, (real)job->scale, z);
    if (prob->data) FN(pack)(prob, inner, n, r, lanes, v, apart);
    for (ptrdiff_t k = 0; k < lanes; k += V) {
        const ptrdiff_t some = FN(smaller)(V, lanes - k);
        vec coef;
        Aim a = FN(aim_at)(&job->target, NULL, r + k, some, n, &coef);
        if (prob->data) {
            a.t = v + k; /* what they weigh takes their place */
            a.st = apart;
        }
        vec loss = FN(boost)(z + k, apart, n, &a, coef, e + k, apart, v + k, apart, job,
                             g ? g + k : NULL, h ? h + k : NULL, apart, none, 0);
        for (ptrdiff_t i = 0; job->losses && i < some; i++) job->losses[r + k + i] = loss[i];
    }
    if (!g) return;
    const int stream = strips_are_streamed_f32(&job->g, job->outer * inner, n);
    unpack_f32(g, apart, inner, n, r, lanes, &job->g, stream);
    unpack_f32(h, apart, inner, n, r, lanes, &job->h, stream);
}

static void FN(boost_unit)(const boost_job *job, ptrdiff_t unit, real *scratch) {
    if (job->form == ACROSS)
        FN(long_boost)(job, unit, scratch);
    else
        FN(short_boosts)(job, unit, scratch);
}
