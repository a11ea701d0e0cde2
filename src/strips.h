/* Units of the row functions and of the losses on logits: strips of rows. (Included once per real.)
 *
 * A unit is one long row, or some strips of V rows beside each other; nothing is summed over units.
 */

/* Shorter rows are put side by side, V at a time; longer ones are taken one by one. */
#undef LONG_ROW
#define LONG_ROW (2 * V)

INLINE real *FN(row_of)(const cube *a, ptrdiff_t inner, ptrdiff_t r) {
    return (real *)a->data + r / inner * a->stride[0] + r % inner * a->stride[2];
}

/* Rows beside each other are copied into scratch, some strips of them at a time, and results copied
   out: three passes over the rows where they lie would fetch each cache line three times, and at
   strides of 4 KiB they fight for one set of the level-1 cache. */
#ifndef SCRATCH_BYTES
#define SCRATCH_BYTES 262144
#define MAX_STRIPS 8
#endif
INLINE ptrdiff_t FN(strips_at_once)(ptrdiff_t n) {
    const ptrdiff_t fit = SCRATCH_BYTES / (n * VEC_BYTES);
    return fit < 1 ? 1 : fit > MAX_STRIPS ? MAX_STRIPS : fit;
}

INLINE ptrdiff_t FN(distance)(ptrdiff_t stride) { return stride < 0 ? -stride : stride; }

INLINE int FN(rows_are_close)(const cube *a, ptrdiff_t inner) {
    return FN(distance)(a->stride[1]) > FN(distance)(a->stride[inner > 1 ? 2 : 0]);
}

#undef Bundle
#define Bundle FN(Bundle)
/* `lanes` rows of an array, from row r on: the address of each, and how they lie */
typedef struct {
    real *row[MAX_STRIPS * VEC_BYTES / sizeof(real)];
    ptrdiff_t lanes, step; /* step: from one element of a row to the next */
    int adjacent;          /* the rows' elements are neighbours in memory */
    int close;             /* they are closer than those of one row */
} Bundle;

static void FN(bind)(const cube *a, ptrdiff_t inner, ptrdiff_t r, ptrdiff_t lanes, Bundle *rows) {
    rows->lanes = lanes;
    rows->step = a->stride[1];
    ptrdiff_t i = r % inner;
    real *first = FN(row_of)(a, inner, r - i); /* of this place on the outer axis */
    for (ptrdiff_t k = 0; k < lanes; k++) {
        rows->row[k] = first + i * a->stride[2];
        if (++i == inner) i = 0, first += a->stride[0];
    }
    rows->adjacent = a->stride[2] == 1 && r / inner == (r + lanes - 1) / inner;
    rows->close = FN(rows_are_close)(a, inner);
}

/* rows -> (n, width); lanes without a row, up to whole vectors, repeat the first one */
static void FN(pack)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t r, ptrdiff_t lanes,
                     real *strip, ptrdiff_t width) {
    Bundle rows;
    FN(bind)(a, inner, r, lanes, &rows);
    for (ptrdiff_t j = 0; rows.close && j < n; j++) {
        const real *from = rows.row[0] + j * rows.step;
        ptrdiff_t k = 0;
        for (; rows.adjacent && k + V <= lanes; k += V)
            FN(store)(strip + j * width + k, FN(load)(from + k));
        for (; k < lanes; k++) strip[j * width + k] = rows.row[k][j * rows.step];
    }
    for (ptrdiff_t k = 0; !rows.close && k < lanes; k++)
        for (ptrdiff_t j = 0; j < n; j++) strip[j * width + k] = rows.row[k][j * rows.step];
    for (ptrdiff_t k = lanes; k % V; k++)
        for (ptrdiff_t j = 0; j < n; j++) strip[j * width + k] = strip[j * width];
}

static void FN(unpack)(const real *strip, ptrdiff_t width, ptrdiff_t inner, ptrdiff_t n,
                       ptrdiff_t r, ptrdiff_t lanes, const cube *a) {
    Bundle rows;
    FN(bind)(a, inner, r, lanes, &rows);
    for (ptrdiff_t j = 0; rows.close && j < n; j++) {
        real *to = rows.row[0] + j * rows.step;
        ptrdiff_t k = 0;
        for (; rows.adjacent && k + V <= lanes; k += V)
            FN(store)(to + k, FN(load)(strip + j * width + k));
        for (; k < lanes; k++) rows.row[k][j * rows.step] = strip[j * width + k];
    }
    for (ptrdiff_t k = 0; !rows.close && k < lanes; k++)
        for (ptrdiff_t j = 0; j < n; j++) rows.row[k][j * rows.step] = strip[j * width + k];
}

/* Long rows go one by one, unless their elements lie further apart than they do; others in bundles
   that do not cross the outer axis where they need not. Returns the bytes of scratch of a thread.
 */
static size_t FN(plan_rows)(row_job *job) {
    const ptrdiff_t rows = job->outer * job->inner;
    if (job->n >= LONG_ROW && (job->x.stride[1] == 1 || !FN(rows_are_close)(&job->x, job->inner))) {
        const int in_place = job->x.stride[1] == 1 && job->y.stride[1] == 1 &&
                             (job->function == LOGSUMEXP || job->out.stride[1] == 1);
        job->form = ACROSS;
        job->units = rows;
        return in_place ? 0 : 2 * (size_t)job->n * sizeof(real);
    }
    const ptrdiff_t width = FN(strips_at_once)(job->n) * V;
    job->form = BESIDE;
    job->bundled = job->inner >= V ? job->inner : rows;
    job->units = rows / job->bundled * ((job->bundled + width - 1) / width);
    return 2 * (size_t)(job->n * width) * sizeof(real);
}

INLINE void FN(row_function)(int function, const real *x, ptrdiff_t sx, const real *y, ptrdiff_t sy,
                             real *out, ptrdiff_t so, ptrdiff_t n, int across) {
    switch (function) {
    case SOFTMAX: FN(softmax)(x, sx, out, so, n, across); break;
    case LOG_SOFTMAX: FN(log_softmax)(x, sx, out, so, n, across); break;
    case LOGSUMEXP: FN(logsumexp)(x, sx, out, n, across); break;
    default: FN(softmax_backward)(x, sx, y, sy, out, so, n, across);
    }
}

/* one row: where it is, or a copy of it if its elements lie apart */
INLINE const real *FN(gather)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t r,
                              real *copy) {
    const real *row = FN(row_of)(a, inner, r);
    if (a->stride[1] == 1) return row;
    for (ptrdiff_t j = 0; j < n; j++) copy[j] = row[j * a->stride[1]];
    return copy;
}

static void FN(row_unit)(const row_job *job, ptrdiff_t unit, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner;
    const cube *x = &job->x, *y = &job->y, *out = &job->out;
    if (job->form == ACROSS) {
        const real *row_x = FN(gather)(x, inner, n, unit, scratch);
        const real *row_y =
            job->function == SOFTMAX_BACKWARD ? FN(gather)(y, inner, n, unit, scratch + n) : row_x;
        const int direct = job->function == LOGSUMEXP || out->stride[1] == 1;
        real *to = FN(row_of)(out, inner, unit), *row = direct ? to : scratch;
        FN(row_function)(job->function, row_x, 1, row_y, 1, row, 1, n, 1);
        for (ptrdiff_t j = 0; !direct && j < n; j++) to[j * out->stride[1]] = row[j];
        return;
    }
    const ptrdiff_t width = FN(strips_at_once)(n) * V, each = (job->bundled + width - 1) / width;
    const ptrdiff_t begin = unit % each * width, r = unit / each * job->bundled + begin;
    const ptrdiff_t lanes = job->bundled - begin < width ? job->bundled - begin : width;
    real *strip = scratch, *second = scratch + n * width;
    FN(pack)(x, inner, n, r, lanes, strip, width);
    if (job->function == SOFTMAX_BACKWARD) FN(pack)(y, inner, n, r, lanes, second, width);
    for (ptrdiff_t k = 0; k < lanes; k += V)
        FN(row_function)(job->function, strip + k, width, second + k, width, strip + k, width, n,
                         0);
    FN(unpack)(strip, width, inner, job->function == LOGSUMEXP ? 1 : n, r, lanes, out);
}

INLINE vec FN(row_loss)(int loss, const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef,
                        real *g, ptrdiff_t sg, int across) {
    return loss == CROSS_ENTROPY ? FN(cross_entropy)(z, sz, n, a, coef, g, sg, across)
                                 : FN(hinge)(z, sz, n, a, coef, g, sg, across);
}

/* The aim of rows first, first + 1, ... (`source` maps them to rows of the targets, if given):
   lanes behind `lanes` and labels that are no class get none. A label is checked here again, since
   another thread of the caller may change it after the check that reports it. */
INLINE Aim FN(aim_at)(const target_spec *t, const int64_t *source, ptrdiff_t first, ptrdiff_t lanes,
                      ptrdiff_t n, vec *coef) {
    Aim a;
    const real *factors = (const real *)t->coef;
    a.y = FN(isplat)(-1);
    a.t = NULL;
    a.st = 0;
    a.weight = (const real *)t->weight;
    a.share = (real)(1 - t->label_smoothing);
    a.uniform = (real)(t->label_smoothing / (double)n);
    a.delta = (real)t->delta;
    *coef = FN(splat)((real)t->factor);
    for (ptrdiff_t k = 0; k < lanes; k++) {
        const ptrdiff_t r = source ? (ptrdiff_t)source[first + k] : first + k;
        if (t->index && (uint64_t)t->index[r] < (uint64_t)n)
            a.y[k] = (sint)t->index[r];
        else if (t->index)
            (*coef)[k] = 0; /* where the factor is 1 / 0, for no row at all has one */
        if (factors) (*coef)[k] *= factors[r];
    }
    return a;
}

/* probabilities of `lanes` rows -> (n, V) */
INLINE void FN(pack_targets)(const target_spec *t, const int64_t *source, ptrdiff_t first,
                             ptrdiff_t lanes, ptrdiff_t n, real *strip, ptrdiff_t stride) {
    for (ptrdiff_t k = 0; k < V; k++) {
        const ptrdiff_t i = first + (k < lanes ? k : 0), r = source ? (ptrdiff_t)source[i] : i;
        const real *row = (const real *)t->prob + r * t->prob_stride[0];
        for (ptrdiff_t j = 0; j < n; j++) strip[j * stride + k] = row[j * t->prob_stride[1]];
    }
}

static size_t FN(plan_losses)(loss_job *job) {
    const int in_place = (!job->target.prob || job->target.prob_stride[1] == 1) &&
                         (!job->g.data || job->g.stride[1] == 1) && job->z.stride[1] == 1;
    job->form = job->n >= LONG_ROW && in_place ? ACROSS : BESIDE;
    job->units = job->form == ACROSS ? job->rows : (job->rows + V - 1) / V;
    return (size_t)job->n * (job->form == ACROSS ? sizeof(real) : 3 * VEC_BYTES);
}

static void FN(loss_unit)(const loss_job *job, ptrdiff_t unit, real *scratch) {
    const ptrdiff_t n = job->n;
    real *z = scratch, *g = job->g.data ? scratch + n * V : NULL, *t = scratch + 2 * n * V;
    vec coef;
    if (job->form == ACROSS) {
        Aim a = FN(aim_at)(&job->target, NULL, unit, 1, n, &coef);
        a.y = FN(isplat)(a.y[0]);
        coef = FN(splat)(coef[0]);
        if (job->target.prob)
            a.t = (const real *)job->target.prob + unit * job->target.prob_stride[0];
        const real *row = FN(row_of)(&job->z, 1, unit);
        if (g) g = FN(row_of)(&job->g, 1, unit);
        if (g == row && job->loss == HINGE) { /* the hinge reads z again after writing g */
            memcpy(z, row, (size_t)n * sizeof(real));
            row = z;
        }
        job->losses[unit] = FN(row_loss)(job->loss, row, 1, n, &a, coef, g, 1, 1)[0];
        return;
    }
    const ptrdiff_t r = unit * V, lanes = job->rows - r < V ? job->rows - r : V;
    Aim a = FN(aim_at)(&job->target, NULL, r, lanes, n, &coef);
    if (job->target.prob) {
        FN(pack_targets)(&job->target, NULL, r, lanes, n, t, V);
        a.t = t;
        a.st = V;
    }
    FN(pack)(&job->z, 1, n, r, lanes, z, V);
    vec losses = FN(row_loss)(job->loss, z, V, n, &a, coef, g, V, 0);
    for (ptrdiff_t k = 0; k < lanes; k++) job->losses[r + k] = losses[k];
    if (g) FN(unpack)(g, V, 1, n, r, lanes, &job->g);
}
