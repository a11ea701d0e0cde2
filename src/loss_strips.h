/* Units of the losses on logits: strips of rows. (Included once per real: see kernels.h.)
 *
 * A unit is one long row, or some strips of V rows beside each other; nothing is summed over units.
 * Where rows are neighbours in memory, as those of (N, C, d1, ...), whole vectors of them are
 * copied to a strip and back, and no array is transposed.
 */

/* Only the hinge against several classes reads the scores again when it has written gradients. */
INLINE int FN(in_place_loss)(const loss_job *job) {
    return job->loss == CROSS_ENTROPY ||
           (!job->target.prob.data && job->target.label_smoothing == 0);
}

static size_t FN(plan_losses)(loss_job *job) {
    const ptrdiff_t rows = job->outer * job->inner;
    const cube *t = &job->target.prob, *g = &job->g;
    const int together =
        (!t->data || t->stride[1] == 1) && (!g->data || g->stride[1] == 1) && job->z.stride[1] == 1;
    if (job->n >= LONG_ROW && together) {
        job->form = ACROSS;
        job->units = rows;
        return (size_t)(job->n + LINE) * sizeof(real);
    }
    job->form = BESIDE;
    job->width = job->z.stride[1] == 1 ? V : FN(strips_at_once)(job->n) * V;
    job->units = (rows + job->width - 1) / job->width;
    const int strips = 1 + (t->data != NULL) + (g->data && !FN(in_place_loss)(job));
    return (size_t)(strips * job->n * FN(strips_apart)(job->width)) * sizeof(real);
}

static void FN(long_loss)(const loss_job *job, ptrdiff_t r, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner;
    vec coef;
    Aim a = FN(aim_at_row)(&job->target, r, n, &coef);
    if (job->target.prob.data) a.t = FN(row_of)(&job->target.prob, inner, r);
    const real *z = FN(row_of)(&job->z, inner, r);
    real *g = job->g.data ? FN(row_of)(&job->g, inner, r) : NULL;
    if (job->loss == CROSS_ENTROPY) {
        const int stream = FN(is_streamed)(&job->g, job->units, n, 1);
        Ahead next = {FN(row_ahead)(&job->z, inner, n, job->units, r + 1), NULL, NULL};
        if (g && !stream) next.out = FN(row_ahead)(&job->g, inner, n, job->units, r + 1);
        real *e = stream ? FN(beneath)(g, scratch) : g;
        job->losses[r] = FN(cross_entropy)(z, V, n, &a, coef, e, V, g, V, next, 1, stream, 0)[0];
        return;
    }
    if (g == z && !FN(is_hard)(&a)) { /* z is read again after g is written */
        memcpy(scratch, z, (size_t)n * sizeof(real));
        z = scratch;
    }
    job->losses[r] = FN(hinge)(z, V, n, &a, coef, g, V, 1)[0];
}

INLINE void FN(short_losses)(const loss_job *job, ptrdiff_t unit, real *scratch, ptrdiff_t inner,
                             ptrdiff_t width) {
    const ptrdiff_t n = job->n, r = unit * width;
    const ptrdiff_t lanes = FN(smaller)(width, job->outer * inner - r);
    const ptrdiff_t apart = FN(strips_apart)(width), size = n * apart;
    const cube *prob = &job->target.prob;
    real *z = scratch, *t = scratch + size, *g = prob->data ? t + size : t;
    if (!job->g.data)
        g = NULL;
    else if (FN(in_place_loss)(job))
        g = z;
    FN(pack)(&job->z, inner, n, r, lanes, z, apart);
    if (prob->data) FN(pack)(prob, inner, n, r, lanes, t, apart);
    for (ptrdiff_t k = 0; k < lanes; k += V) {
        const ptrdiff_t some = FN(smaller)(V, lanes - k);
        vec coef;
        Aim a = FN(aim_at)(&job->target, NULL, r + k, some, n, &coef);
        if (prob->data) {
            a.t = t + k;
            a.st = apart;
        }
        vec losses =
            FN(row_loss)(job->loss, z + k, apart, n, &a, coef, g ? g + k : NULL, apart, 0, 0);
        for (ptrdiff_t i = 0; i < some; i++) job->losses[r + k + i] = losses[i];
    }
    if (g)
        FN(unpack)(g, apart, inner, n, r, lanes, &job->g,
                   FN(strips_are_streamed)(&job->g, job->outer * inner, n));
}

static void FN(loss_unit)(const loss_job *job, ptrdiff_t unit, real *scratch) {
    if (job->form == ACROSS)
        FN(long_loss)(job, unit, scratch);
    else if (job->inner == 1 && job->width == V) /* constants: 1.1x to 1.2x for (N, 10) */
        FN(short_losses)(job, unit, scratch, 1, V);
    else
        FN(short_losses)(job, unit, scratch, job->inner, job->width);
}
