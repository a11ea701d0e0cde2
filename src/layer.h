/* The last layer of a network and its cross-entropy: gradients to rows, weights and bias, and no
 * array of rows by classes. (Included once per real: see kernels.h.)
 *
 *     s[i][c] = bias[c] + sum_d x[i][d] w[c][d]     g = coef * d(loss of row i)/ds[i][c]
 *     dx[i][d] = sum_c g[i][c] w[c][d]              dw[c][d] = sum_i g[i][c] x[i][d]
 *     dbias[c] = sum_i g[i][c]
 *
 * W lies as PyTorch has it, classes by features, and is read where it is, as X is. All three
 * products are the gradient's of panels.h, with vectors over rows for the scores (turned.h) and
 * over features for the others. Rows go in blocks of up to 256, whose scores, strip by strip, wait
 * for the row's last class; a strip is 2 * LANES rows beside each other, class by class.
 *
 * A unit of work is a tile of classes for the scores, LANES rows for the losses, and for the
 * gradients a share of the tiles: dw has one owner for each, and dx is summed over the shares. Few
 * tiles give too few units, so that several groups of rows go through them at once, each with a dw
 * of its own; tiles times groups are at most 16, so that this is never much. The cut is by the
 * shape alone, and every sum has a fixed order.
 *
 * 4096 rows of 1024 float32 and 32768 classes, one thread: 88 GFLOP/s of 127, where MKL's products
 * alone have 84 (Zen 4, among other work). Blocks of 384 or 512 rows, tiles of 256 classes, W asked
 * for before its tile, panels of 12 to 14: the same, within 3 %.
 */
#ifndef LAYER_TILE
#define LAYER_TILE 128          /* classes */
#define LAYER_SHARES 16         /* of the tiles, times groups of rows */
#define LAYER_ROWS 256          /* of a block, at most */
#define LAYER_SCORES 50331648   /* bytes of a group's block, at most, if more than a strip */
#define LAYER_PARTIALS 33554432 /* and of all sums for dx */
#endif
#undef STRIP
#define STRIP (2 * LANES)

/* Plan by the shape alone. Returns the bytes of scratch of a thread. */
static size_t FN(plan_layer)(layer_job *job) {
    const ptrdiff_t size = (ptrdiff_t)sizeof(real), strips = (job->N + STRIP - 1) / STRIP;
    job->tiles = (job->C + LAYER_TILE - 1) / LAYER_TILE;
    job->shares = FN(smaller)(job->tiles, LAYER_SHARES);
    job->ld = FN(apart)(job->D);
    ptrdiff_t most = LAYER_SCORES / (job->C * size);
    most = FN(smaller)(most, LAYER_PARTIALS / (LAYER_SHARES * job->ld * size));
    most = FN(smaller)(most, LAYER_ROWS) / STRIP;
    most = most < 1 ? 1 : most;
    job->groups = FN(smaller)(LAYER_SHARES / job->shares, (strips + most - 1) / most);
    job->rounds = (strips + most * job->groups - 1) / (most * job->groups);
    const ptrdiff_t blocks = job->groups * job->rounds;
    job->block = (strips + blocks - 1) / blocks * STRIP;
    const ptrdiff_t turned =
        LAYER_TILE * FN(apart)(job->block) + job->block * FN(apart)(LAYER_TILE);
    const size_t packed = (size_t)LAYER_ROWS * 2 * VEC_BYTES;
    const size_t gradients =
        (packed > PACKED_BYTES ? packed : PACKED_BYTES) + (size_t)(turned * size);
    const size_t targets = job->target.prob.data ? (size_t)(job->C * LANES * size) : 0;
    return gradients > targets ? gradients : targets;
}

/* rows of a group's block in this round; and the first of them */
INLINE ptrdiff_t FN(layer_rows)(const layer_job *job, ptrdiff_t group, ptrdiff_t *first) {
    *first = (group * job->rounds + job->round) * job->block;
    return FN(smaller)(job->block, job->N - *first);
}

/* the scores of a strip, (C, STRIP) */
INLINE real *FN(layer_strip)(const layer_job *job, ptrdiff_t group, ptrdiff_t row) {
    return (real *)job->g + (group * job->block + row) * job->C;
}

static void FN(layer_scores)(const layer_job *job, ptrdiff_t unit, char *scratch) {
    const ptrdiff_t group = unit / job->tiles, begin = unit % job->tiles * LAYER_TILE;
    const ptrdiff_t classes = FN(smaller)(LAYER_TILE, job->C - begin);
    const real *w = (const real *)job->w + begin * job->w_stride;
    const real *bias = job->bias ? (const real *)job->bias + begin : NULL;
    const char *x[STRIP];
    ptrdiff_t first, rows = FN(layer_rows)(job, group, &first);
    for (ptrdiff_t i = 0; i < rows; i += STRIP) {
        const Block b = {.kind = PLAIN, .x = x, .rows = FN(smaller)(STRIP, rows - i), .D = job->D};
        for (ptrdiff_t k = 0; k < b.rows; k++)
            x[k] = (const char *)((const real *)job->x + (first + i + k) * job->x_stride);
        FN(scores_turned)(&b, w, job->w_stride, classes, bias,
                          FN(layer_strip)(job, group, i) + begin * STRIP, STRIP, (real *)scratch);
    }
}

/* LANES rows' scores turn into their losses' gradients, if there are any to be made */
static void FN(layer_losses)(const layer_job *job, ptrdiff_t unit, real *scratch) {
    const ptrdiff_t units = job->block / LANES, group = unit / units, i = unit % units * LANES;
    const cube *prob = &job->target.prob;
    ptrdiff_t first, rows = FN(smaller)(FN(layer_rows)(job, group, &first) - i, LANES);
    real *s = FN(layer_strip)(job, group, i / STRIP * STRIP) + i % STRIP;
    if (rows <= 0) return;
    if (prob->data) FN(pack)(prob, 1, job->C, first + i, rows, scratch, LANES);
    for (ptrdiff_t k = 0; k < rows; k += V) {
        const ptrdiff_t some = FN(smaller)(V, rows - k);
        vec coef;
        Aim a = FN(aim_at)(&job->target, NULL, first + i + k, some, job->C, &coef);
        if (prob->data) {
            a.t = scratch + k;
            a.st = LANES;
        }
        vec losses = FN(row_loss)(CROSS_ENTROPY, s + k, STRIP, job->C, &a, coef,
                                  job->dx || job->dw || job->dbias ? s + k : NULL, STRIP, 0, 1);
        for (ptrdiff_t l = 0; l < some; l++) job->losses[first + i + k + l] = losses[l];
    }
}

/* a tile of a block's gradients, class by class: (classes, ld); and row by row: (rows, ldr) */
static void FN(layer_turn)(const layer_job *job, ptrdiff_t group, ptrdiff_t rows, ptrdiff_t begin,
                           ptrdiff_t classes, real *by_class, ptrdiff_t ld, real *by_row,
                           ptrdiff_t ldr) {
    for (ptrdiff_t i = 0; i < rows; i += STRIP) {
        const real *s = FN(layer_strip)(job, group, i) + begin * STRIP;
        const ptrdiff_t some = FN(smaller)(STRIP, rows - i);
        const cube out = {by_row + i * ldr, {ldr, 1, 0}, NULL};
        for (ptrdiff_t c = 0; job->dw && c < classes; c++)
            memcpy(by_class + c * ld + i, s + c * STRIP, (size_t)some * sizeof(real));
        if (job->dx) FN(unpack)((real *)s, STRIP, 1, classes, 0, some, &out, 0);
        for (ptrdiff_t c = 0; job->dbias && c < classes; c++)
            for (ptrdiff_t k = 0; k < some; k++)
                job->dbias[group * job->C + begin + c] += (double)s[c * STRIP + k];
    }
}

/* a class's row of a group's dw */
INLINE real *FN(layer_dw)(const layer_job *job, ptrdiff_t group, ptrdiff_t c) {
    return (real *)job->dw_sums + (group * job->C + c) * job->lddw;
}

/* a share of the tiles, one after the other */
static void FN(layer_gradients)(const layer_job *job, ptrdiff_t unit, char *scratch) {
    const ptrdiff_t group = unit / job->shares, share = unit % job->shares;
    const ptrdiff_t last = job->tiles * (share + 1) / job->shares;
    const ptrdiff_t ld = FN(apart)(job->block), ldr = FN(apart)(LAYER_TILE);
    real *by_class = (real *)scratch, *by_row = by_class + LAYER_TILE * ld;
    real *packed = by_row + job->block * ldr;
    real *dx = (real *)job->dx_sums + unit * job->block * job->ld;
    const char *x[LAYER_ROWS], *w[LAYER_TILE];
    ptrdiff_t first, rows = FN(layer_rows)(job, group, &first);
    for (ptrdiff_t c = job->tiles * share / job->shares * LAYER_TILE;
         job->dw && job->round == 0 && c < FN(smaller)(last * LAYER_TILE, job->C); c++)
        memset(FN(layer_dw)(job, group, c), 0, (size_t)job->D * sizeof(real));
    if (rows <= 0) return;
    if (job->dx) memset(dx, 0, (size_t)(rows * job->ld) * sizeof(real));
    for (ptrdiff_t i = 0; i < rows; i++)
        x[i] = (const char *)((const real *)job->x + (first + i) * job->x_stride);
    for (ptrdiff_t tile = job->tiles * share / job->shares; tile < last; tile++) {
        const ptrdiff_t begin = tile * LAYER_TILE;
        const ptrdiff_t classes = FN(smaller)(LAYER_TILE, job->C - begin);
        FN(layer_turn)(job, group, rows, begin, classes, by_class, ld, by_row, ldr);
        if (job->dw) {
            const Block b = {.kind = PLAIN, .x = x, .rows = rows, .D = job->D};
            FN(gradient)(&b, classes, by_class, ld, FN(layer_dw)(job, group, begin), job->lddw,
                         packed);
        }
        if (job->dx) {
            const Block b = {.kind = PLAIN, .x = w, .rows = classes, .D = job->D};
            for (ptrdiff_t c = 0; c < classes; c++)
                w[c] = (const char *)((const real *)job->w + (begin + c) * job->w_stride);
            FN(gradient)(&b, rows, by_row, ldr, dx, job->ld, packed);
        }
    }
}

/* to = the sum of n rows, `apart` from each other */
static void FN(layer_sum)(real *to, const real *from, ptrdiff_t n, ptrdiff_t apart, ptrdiff_t D) {
    memcpy(to, from, (size_t)D * sizeof(real));
    for (ptrdiff_t k = 1; k < n; k++)
        for (ptrdiff_t d = 0; d < D; d++) to[d] += from[k * apart + d];
}

/* a row of dx: the shares' sums */
static void FN(layer_dx)(const layer_job *job, ptrdiff_t unit) {
    const ptrdiff_t group = unit / job->block, i = unit % job->block, size = job->block * job->ld;
    ptrdiff_t first, rows = FN(layer_rows)(job, group, &first);
    if (i < rows)
        FN(layer_sum)((real *)job->dx + (first + i) * job->dx_stride,
                      (const real *)job->dx_sums + group * job->shares * size + i * job->ld,
                      job->shares, size, job->D);
}

/* The stages of a round: SCORES, KEEP, GRADIENT, ROWS (of dx). After all of them MERGE: a class's
   row of dw, the groups' sums. */
static void FN(layer_unit)(const layer_job *job, int stage, ptrdiff_t unit, char *scratch) {
    switch (stage) {
    case SCORES: FN(layer_scores)(job, unit, scratch); break;
    case KEEP: FN(layer_losses)(job, unit, (real *)scratch); break;
    case GRADIENT: FN(layer_gradients)(job, unit, scratch); break;
    case ROWS: FN(layer_dx)(job, unit); break;
    default:
        FN(layer_sum)((real *)job->dw + unit * job->dw_stride, FN(layer_dw)(job, 0, unit),
                      job->groups, job->C * job->lddw, job->D);
    }
}
