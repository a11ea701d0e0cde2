/* Units of the row functions and of the losses on logits: strips of rows. (Included once per real.)
 *
 * A unit is one long row, or some strips of V rows beside each other; nothing is summed over units.
 */

/* Shorter rows are put side by side, V at a time; longer ones are taken one by one. In cache the
   two take the same time at 320 bytes, whatever the registers' width; from memory at 192. */
#undef LONG_ROW
#define LONG_ROW ((ptrdiff_t)(192 / sizeof(real)))

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

/* Where a row's elements are neighbours: TILE rows at a time are turned in registers, into the
   strip or back (the last tile overlaps the one before it), which takes a third of the time of
   copying them one by one. Returns the rows that are done. */
INLINE ptrdiff_t FN(turn_tiles)(const Bundle *rows, ptrdiff_t n, real *strip, ptrdiff_t width,
                                const int back) {
    if (rows->step != 1 || n < TILE) return 0;
    const ptrdiff_t whole = rows->lanes / TILE * TILE;
    for (ptrdiff_t k = 0; k < whole; k += TILE)
        for (ptrdiff_t t = 0; t < n; t += TILE) {
            const ptrdiff_t j = t + TILE <= n ? t : n - TILE;
            real *row[TILE], *column[TILE];
            piece p[TILE];
            for (int i = 0; i < TILE; i++) row[i] = rows->row[k + i] + j;
            for (int i = 0; i < TILE; i++) column[i] = strip + (j + i) * width + k;
            for (int i = 0; i < TILE; i++) p[i] = FN(load_piece)(back ? column[i] : row[i]);
            FN(transpose)(p);
            for (int i = 0; i < TILE; i++) FN(store_piece)(back ? row[i] : column[i], p[i]);
        }
    return whole;
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
    for (ptrdiff_t k = rows.close ? lanes : FN(turn_tiles)(&rows, n, strip, width, 0); k < lanes;
         k++)
        for (ptrdiff_t j = 0; j < n; j++) strip[j * width + k] = rows.row[k][j * rows.step];
    for (ptrdiff_t k = lanes; k % V; k++)
        for (ptrdiff_t j = 0; j < n; j++) strip[j * width + k] = strip[j * width];
}

static void FN(unpack)(real *strip, ptrdiff_t width, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t r,
                       ptrdiff_t lanes, const cube *a) {
    Bundle rows;
    FN(bind)(a, inner, r, lanes, &rows);
    for (ptrdiff_t j = 0; rows.close && j < n; j++) {
        real *to = rows.row[0] + j * rows.step;
        ptrdiff_t k = 0;
        for (; rows.adjacent && k + V <= lanes; k += V)
            FN(store)(to + k, FN(load)(strip + j * width + k));
        for (; k < lanes; k++) rows.row[k][j * rows.step] = strip[j * width + k];
    }
    for (ptrdiff_t k = rows.close ? lanes : FN(turn_tiles)(&rows, n, strip, width, 1); k < lanes;
         k++)
        for (ptrdiff_t j = 0; j < n; j++) rows.row[k][j * rows.step] = strip[j * width + k];
}

/* Results far larger than caches go past them, since a line that is written would be fetched first,
   a third of the traffic. Where exponentials are kept meanwhile (`kept`) they then lie in scratch,
   which must stay in a level-2 cache; and rows of 4 KB lose more by that than they gain, so the
   next row's lines are fetched ahead instead (20000 x 1000, float32, Zen 5, one thread: 5.8 ms
   against 9.2). */
#ifndef STREAM_BYTES
#define STREAM_BYTES 67108864
#define KEPT_LEAST 32768
#define KEPT_MOST 262144
#endif
INLINE int FN(is_streamed)(const cube *out, ptrdiff_t rows, ptrdiff_t n, int kept) {
    const ptrdiff_t bytes = n * (ptrdiff_t)sizeof(real);
    return out->data && out->stride[1] == 1 && (uintptr_t)out->data % sizeof(real) == 0 &&
           rows * bytes >= STREAM_BYTES && (!kept || (bytes >= KEPT_LEAST && bytes <= KEPT_MOST));
}

/* Long rows go one by one, unless their elements lie further apart than they do; others in bundles
   that do not cross the outer axis where they need not. Returns the bytes of scratch of a thread.
 */
static size_t FN(plan_rows)(row_job *job) {
    const ptrdiff_t rows = job->outer * job->inner;
    if (job->n >= LONG_ROW && (job->x.stride[1] == 1 || !FN(rows_are_close)(&job->x, job->inner))) {
        const int in_place = job->x.stride[1] == 1 && job->y.stride[1] == 1 &&
                             (job->function == LOGSUMEXP || job->out.stride[1] == 1);
        const int kept = job->function == SOFTMAX && FN(is_streamed)(&job->out, rows, job->n, 1);
        job->form = ACROSS;
        job->units = rows;
        return in_place && !kept ? 0 : 2 * (size_t)(job->n + LINE) * sizeof(real);
    }
    const ptrdiff_t width = FN(strips_at_once)(job->n) * V;
    job->form = BESIDE;
    job->bundled = job->inner >= V ? job->inner : rows;
    job->units = rows / job->bundled * ((job->bundled + width - 1) / width);
    return 2 * (size_t)(job->n * width) * sizeof(real);
}

/* one row: where it is, or a copy of it if its elements lie apart */
INLINE const real *FN(gather)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t r,
                              real *copy) {
    const real *row = FN(row_of)(a, inner, r);
    if (a->stride[1] == 1) return row;
    for (ptrdiff_t j = 0; j < n; j++) copy[j] = row[j * a->stride[1]];
    return copy;
}

/* row r, if it is there to be fetched, or NULL */
INLINE const real *FN(row_ahead)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t rows,
                                 ptrdiff_t r) {
    return a->stride[1] == 1 && r < rows && n * (ptrdiff_t)sizeof(real) <= KEPT_MOST
               ? FN(row_of)(a, inner, r)
               : NULL;
}

/* where exponentials are kept: at the same place in a cache line as the result */
INLINE real *FN(beneath)(const real *out, real *scratch) {
    return scratch + LINE - FN(to_line)(out);
}

static void FN(long_row)(const row_job *job, ptrdiff_t r, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner, rows = job->units;
    const cube *out = &job->out;
    real *to = FN(row_of)(out, inner, r), *row = out->stride[1] == 1 ? to : scratch;
    real *second = scratch + (n + LINE - 1) / LINE * LINE;
    const int stream = FN(is_streamed)(out, rows, n, job->function == SOFTMAX);
    const real *x = FN(gather)(&job->x, inner, n, r, scratch), *y;
    Ahead next = {FN(row_ahead)(&job->x, inner, n, rows, r + 1), NULL, NULL};
    if (!stream && job->function != LOGSUMEXP) next.out = FN(row_ahead)(out, inner, n, rows, r + 1);
    switch (job->function) {
    case SOFTMAX:
        FN(softmax)(x, V, stream ? FN(beneath)(to, second) : row, V, row, V, n, next, 1, stream);
        break;
    case LOG_SOFTMAX: FN(log_softmax)(x, V, row, V, n, next, 1, stream); break;
    case LOGSUMEXP: FN(logsumexp)(x, V, to, n, next, 1); return;
    default:
        y = FN(gather)(&job->y, inner, n, r, second);
        next.y = FN(row_ahead)(&job->y, inner, n, rows, r + 1);
        FN(softmax_backward)(x, V, y, V, row, V, n, next, 1, stream);
    }
    for (ptrdiff_t j = 0; row != to && j < n; j++) to[j * out->stride[1]] = row[j];
}

/* Fetches rows r to r + lanes - 1, if they are there and lie one after the other: they come from
   memory while those before them are worked on (between 0.9x and 1.4x at 200000 x 10, float32 and
   float64, Zen 5; 0.95x for the losses, which do without). */
INLINE void FN(fetch_rows)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t rows, ptrdiff_t r,
                           ptrdiff_t lanes, int to_write) {
    if (a->stride[1] != 1 || a->stride[inner > 1 ? 2 : 0] != n || r + lanes > rows) return;
    const real *first = FN(row_of)(a, inner, r);
    for (ptrdiff_t j = 0; j < lanes * n; j += LINE)
        if (to_write)
            __builtin_prefetch(first + j, 1);
        else
            __builtin_prefetch(first + j, 0);
}

static void FN(short_rows)(const row_job *job, ptrdiff_t unit, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner, width = FN(strips_at_once)(n) * V;
    const ptrdiff_t each = (job->bundled + width - 1) / width, begin = unit % each * width;
    const ptrdiff_t lanes = job->bundled - begin < width ? job->bundled - begin : width;
    const ptrdiff_t r = unit / each * job->bundled + begin;
    real *x = scratch, *y = scratch + n * width;
    const Ahead none = {NULL, NULL, NULL};
    FN(fetch_rows)(&job->x, inner, n, job->outer * inner, r + lanes, lanes, 0);
    if (job->function != LOGSUMEXP)
        FN(fetch_rows)(&job->out, inner, n, job->outer * inner, r, lanes, 1);
    FN(pack)(&job->x, inner, n, r, lanes, x, width);
    if (job->function == SOFTMAX_BACKWARD) FN(pack)(&job->y, inner, n, r, lanes, y, width);
    for (ptrdiff_t k = 0; k < lanes; k += V, x += V, y += V) switch (job->function) {
        case SOFTMAX: FN(softmax)(x, width, x, width, x, width, n, none, 0, 0); break;
        case LOG_SOFTMAX: FN(log_softmax)(x, width, x, width, n, none, 0, 0); break;
        case LOGSUMEXP: FN(logsumexp)(x, width, x, n, none, 0); break;
        default: FN(softmax_backward)(x, width, y, width, x, width, n, none, 0, 0);
        }
    FN(unpack)(scratch, width, inner, job->function == LOGSUMEXP ? 1 : n, r, lanes, &job->out);
}

static void FN(row_unit)(const row_job *job, ptrdiff_t unit, real *scratch) {
    if (job->form == ACROSS)
        FN(long_row)(job, unit, scratch);
    else
        FN(short_rows)(job, unit, scratch);
}

/* of a strip of short rows; g may be z for the cross-entropy */
INLINE vec FN(row_loss)(int loss, const real *z, ptrdiff_t sz, ptrdiff_t n, const Aim *a, vec coef,
                        real *g, ptrdiff_t sg, int across) {
    const Ahead none = {NULL, NULL, NULL};
    return loss == CROSS_ENTROPY
               ? FN(cross_entropy)(z, sz, n, a, coef, g, sg, g, sg, none, across, 0)
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
    return job->form == ACROSS ? (size_t)(job->n + LINE) * sizeof(real)
                               : (size_t)job->n * 3 * VEC_BYTES;
}

static void FN(long_loss)(const loss_job *job, ptrdiff_t r, real *scratch) {
    const ptrdiff_t n = job->n;
    vec coef;
    Aim a = FN(aim_at)(&job->target, NULL, r, 1, n, &coef);
    a.y = FN(isplat)(a.y[0]);
    coef = FN(splat)(coef[0]);
    if (job->target.prob) a.t = (const real *)job->target.prob + r * job->target.prob_stride[0];
    const real *z = FN(row_of)(&job->z, 1, r);
    real *g = job->g.data ? FN(row_of)(&job->g, 1, r) : NULL;
    if (job->loss == CROSS_ENTROPY) {
        const int stream = FN(is_streamed)(&job->g, job->rows, n, 1);
        Ahead next = {FN(row_ahead)(&job->z, 1, n, job->rows, r + 1), NULL, NULL};
        if (g && !stream) next.out = FN(row_ahead)(&job->g, 1, n, job->rows, r + 1);
        real *e = stream ? FN(beneath)(g, scratch) : g;
        job->losses[r] = FN(cross_entropy)(z, V, n, &a, coef, e, V, g, V, next, 1, stream)[0];
        return;
    }
    if (g == z && !FN(is_hard)(&a)) { /* z is read again after g is written */
        memcpy(scratch, z, (size_t)n * sizeof(real));
        z = scratch;
    }
    job->losses[r] = FN(hinge)(z, V, n, &a, coef, g, V, 1)[0];
}

static void FN(loss_unit)(const loss_job *job, ptrdiff_t unit, real *scratch) {
    if (job->form == ACROSS) {
        FN(long_loss)(job, unit, scratch);
        return;
    }
    const ptrdiff_t n = job->n, r = unit * V, lanes = job->rows - r < V ? job->rows - r : V;
    real *z = scratch, *g = job->g.data ? scratch + n * V : NULL, *t = scratch + 2 * n * V;
    vec coef;
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
