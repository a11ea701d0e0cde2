/* Many classes: a pass in tiles of classes, each with one owner. (Included once per real: see
 * kernels.h.)
 *
 * Slots of blocks, as other models have them, would each be as large as W; and every block would
 * read all of W for a few rows. So a pass goes block by block of up to 256 rows, all threads at the
 * same one, in steps: its rows as reals; scores, tile by tile; what is kept of each row; and what
 * the block adds to dW, tile by tile. W and dW are used where they lie, features by classes, and
 * both products are the gradient's of panels.h, with vectors over classes:
 *
 *     scores:    s[i][c] = bias[c] + sum_d x[i][d] w[d][c]      rows of W in the place of X's
 *     gradient:  dw[d][c] += sum_i x[i][d] g[i][c]              rows of scores in the place of X's
 *
 * Of 8192 rows of 512 float32 and 50257 classes, with two threads, slots took 1061 MB and 15.7
 * seconds of the processors, tiles 53 MB and 9.6 (Zen 4; AVX2: 23.3 and 10.6). Of 1000 classes,
 * they take 1.2 times as long: too few tiles.
 */
#ifndef MANY_CLASSES
#define MANY_CLASSES 2048   /* at least, of a model */
#define MANY_BYTES 16777216 /* of its W, at least */
#define TILE_LANES 8        /* a tile has so many times LANES classes; the last, up to twice */
#define MOST_ROWS 256
#define SCORES_BYTES 54525952 /* of a block of rows */
#endif

/* Models that share a pass have the bits that they have alone: it is one's size that counts. */
INLINE int FN(in_tiles)(const linear_job *job) {
    const ptrdiff_t classes = job->C / job->models;
    const int soft = job->target.prob.data || job->target.label_smoothing != 0;
    return classes >= MANY_CLASSES && classes * job->D * (ptrdiff_t)sizeof(real) >= MANY_BYTES &&
           !job->v && !(job->loss == HINGE && soft);
}

/* Plan by the shape alone. W and dw stay where they are if a row's numbers are neighbours; else wt
   and slot_dw stay NULL, for copies. */
static size_t FN(plan_tiles)(linear_job *job) {
    const ptrdiff_t size = (ptrdiff_t)sizeof(real), classes = FN(padded)(job->C / job->models);
    job->slots = 1;
    job->tiles = job->pieces = job->C / (TILE_LANES * LANES);
    job->ld = FN(apart)(job->D);
    job->lds = FN(apart)(job->C);
    ptrdiff_t most = SCORES_BYTES / (classes * size) / LANES * LANES;
    most = most < LANES ? LANES : most > MOST_ROWS ? MOST_ROWS : most;
    job->blocks = (job->N + most - 1) / most;
    job->block = FN(padded)((job->N + job->blocks - 1) / job->blocks);
    job->blocks = (job->N + job->block - 1) / job->block;
    const int w_in_place = job->w_stride[1] == 1, dw_in_place = job->dw_stride[1] == 1;
    job->wt = w_in_place ? (void *)job->w : NULL;
    job->ldw = w_in_place ? job->w_stride[0] : FN(padded)(job->C);
    job->slot_dw = dw_in_place ? job->dw : NULL;
    job->lddw = dw_in_place ? job->dw_stride[0] : FN(padded)(job->C);
    const size_t packed = (size_t)MOST_ROWS * 2 * VEC_BYTES;
    return (packed > PACKED_BYTES ? packed : PACKED_BYTES) +
           (job->target.prob.data ? (size_t)classes * sizeof(real) : 0);
}

#undef Span
#define Span FN(Span)
typedef struct {
    ptrdiff_t begin, end;
} Span;

INLINE Span FN(classes_of)(const linear_job *job, ptrdiff_t tile) {
    const ptrdiff_t width = TILE_LANES * LANES;
    return (Span){tile * width, tile + 1 < job->tiles ? (tile + 1) * width : job->C};
}

INLINE ptrdiff_t FN(rows_of)(const linear_job *job, ptrdiff_t block) {
    return FN(smaller)(job->N - block * job->block, job->block);
}

INLINE real *FN(scores_of)(const linear_job *job, ptrdiff_t in_block) {
    return (real *)job->g + in_block * job->lds;
}

/* a tile of a (D, C) array of any strides -> rows of neighbours, or back */
static void FN(copy_tile)(const linear_job *job, Span of, const cube *classes, real *to,
                          ptrdiff_t ld, int back) {
    for (ptrdiff_t c = of.begin; c < of.end; c += TURNED) {
        const ptrdiff_t lanes = FN(smaller)(TURNED, of.end - c);
        if (back)
            FN(unpack)(to + c, ld, 1, job->D, c, lanes, classes, 0);
        else
            FN(pack)(classes, 1, job->D, c, lanes, to + c, ld);
    }
}

/* some rows of a block, as reals; and for the gradient feature by feature */
static void FN(take_rows)(const linear_job *job, ptrdiff_t unit) {
    const ptrdiff_t strips = job->block / LANES, block = unit / strips, i = unit % strips * LANES;
    const ptrdiff_t rows = FN(smaller)(FN(rows_of)(job, block) - i, LANES);
    real *to = (real *)job->x_rows + i * job->ld;
    const cube x = {to, {job->ld, 1, 0}, NULL};
    if (rows <= 0) return;
    FN(copy_block)(job, block * job->block + i, rows, to);
    for (ptrdiff_t k = 0; job->dw && k < rows; k += V)
        FN(pack)(&x, 1, job->D, k, FN(smaller)(rows - k, V), (real *)job->x_turned + i + k,
                 job->block);
}

static void FN(tile_scores)(const linear_job *job, ptrdiff_t unit, char *scratch) {
    const ptrdiff_t rows = FN(rows_of)(job, unit / job->tiles);
    const Span of = FN(classes_of)(job, unit % job->tiles);
    const real *bias = (const real *)job->bias;
    const size_t bytes = (size_t)(of.end - of.begin) * sizeof(real);
    const char *w[AT_A_TIME];
    for (ptrdiff_t i = 0; i < rows; i++) {
        real *s = FN(scores_of)(job, i) + of.begin;
        if (bias)
            memcpy(s, bias + of.begin, bytes);
        else
            memset(s, 0, bytes);
    }
    const ptrdiff_t pieces = (job->D + AT_A_TIME - 1) / AT_A_TIME;
    for (ptrdiff_t piece = 0; piece < pieces; piece++) {
        const ptrdiff_t d = job->D * piece / pieces, end = job->D * (piece + 1) / pieces;
        for (ptrdiff_t k = d; k < end; k++)
            w[k - d] = (const char *)((const real *)job->wt + k * job->ldw + of.begin);
        const Block b = {.kind = PLAIN, .x = w, .rows = end - d, .D = of.end - of.begin};
        FN(gradient)(&b, rows, (const real *)job->x_rows + d, job->ld,
                     FN(scores_of)(job, 0) + of.begin, job->lds, (real *)scratch);
    }
}

/* a row's scores turn into its losses' gradients */
static void FN(keep_loss)(const linear_job *job, ptrdiff_t i, real *s, double *losses, real *T) {
    const ptrdiff_t classes = job->C / job->models;
    const cube *prob = &job->target.prob;
    vec coef;
    Aim a = FN(aim_at_row)(&job->target, FN(row_of_x)(job, i), classes, &coef);
    if (prob->data) {
        a.t = (const real *)prob->data + FN(row_of_x)(job, i) * prob->stride[0];
        for (ptrdiff_t c = 0; prob->stride[1] != 1 && c < classes; c++)
            T[c] = a.t[c * prob->stride[1]];
        if (prob->stride[1] != 1) a.t = T;
    }
    for (ptrdiff_t model = 0; model < job->models; model++, s += classes) {
        const vec by = job->mask ? FN(mask_rows)(job, model, i, 1, coef) : coef;
        const vec all = FN(splat)(by[0]);
        losses[model] =
            (double)FN(row_loss)(job->loss, s, V, classes, &a, all, s, V, 1, 1)[0] * (double)by[0];
    }
}

/* ... or into what is predicted */
static void FN(keep_prediction)(const linear_job *job, ptrdiff_t i, real *s) {
    const ptrdiff_t C = job->C, k = job->best ? job->k : 1;
    const cube *proba = &job->proba;
    const int neighbours = proba->stride[1] == 1;
    real only, *best = job->best ? (real *)job->best + i * k : &only;
    if (job->labels) FN(top_of_row)(s, C, k, best, job->labels + i * k);
    if (proba->data) {
        real *to = FN(place_of)(proba, i);
        FN(softmax)(s, V, s, V, neighbours ? to : s, V, C, (Ahead){0}, 1,
                    neighbours && FN(is_streamed)(proba, job->N, C, 0));
        for (ptrdiff_t c = 0; !neighbours && c < C; c++) to[c * proba->stride[1]] = s[c];
    }
    if (job->best) {
        FN(softmax)(s, V, s, V, s, V, C, (Ahead){0}, 1, 0);
        for (ptrdiff_t j = 0; j < k; j++) best[j] = s[job->labels[i * k + j]];
    }
}

static void FN(keep_row)(const linear_job *job, ptrdiff_t i, char *scratch) {
    const ptrdiff_t in_block = i % job->block;
    real *s = FN(scores_of)(job, in_block);
    if (i >= job->N) return;
    if (job->dw)
        FN(keep_loss)(job, i, s, job->block_loss + in_block * job->models, (real *)scratch);
    else
        FN(keep_prediction)(job, i, s);
}

/* dw = sum / normalizer + reg w for a tile; and the sum of W's squares */
static void FN(finish_tile)(const linear_job *job, ptrdiff_t tile) {
    const ptrdiff_t classes = job->C / job->models;
    const Span of = FN(classes_of)(job, tile);
    const cube dw = {job->dw, {job->dw_stride[1], job->dw_stride[0], 0}, NULL};
    double squares[SQUARE_SUMS] = {0}, total = 0;
    for (ptrdiff_t c = of.begin, end; c < of.end; c = end) {
        const ptrdiff_t model = c / classes;
        const real factor = (real)(1 / job->normalizers[model]), reg = (real)job->reg;
        end = FN(smaller)((model + 1) * classes, of.end);
        for (ptrdiff_t d = 0; d < job->D; d++) {
            const real *w = (const real *)job->wt + d * job->ldw;
            real *to = (real *)job->slot_dw + d * job->lddw;
            for (ptrdiff_t k = c; k < end; k++) to[k] = to[k] * factor + reg * w[k];
            FN(add_squares)(w + c, 1, end - c, squares);
        }
    }
    for (int k = 0; k < SQUARE_SUMS; k++) total += squares[k];
    job->square_sums[tile] = total;
    if (job->slot_dw != job->dw) FN(copy_tile)(job, of, &dw, (real *)job->slot_dw, job->lddw, 1);
}

/* What a block adds to a tile of dw, and to a tile of the bias's gradient. */
static void FN(tile_gradient)(const linear_job *job, ptrdiff_t unit, char *scratch) {
    const ptrdiff_t block = unit / job->tiles, tile = unit % job->tiles;
    const ptrdiff_t rows = FN(rows_of)(job, block);
    const Span of = FN(classes_of)(job, tile);
    const size_t width = (size_t)(of.end - of.begin);
    real *dw = (real *)job->slot_dw + of.begin;
    double *dbias = job->slot_dbias + of.begin;
    const char *g[MOST_ROWS];
    if (block == 0) {
        for (ptrdiff_t d = 0; d < job->D; d++) memset(dw + d * job->lddw, 0, width * sizeof(real));
        memset(dbias, 0, width * sizeof(double));
    }
    for (ptrdiff_t i = 0; i < rows; i++) {
        const real *row = FN(scores_of)(job, i) + of.begin;
        g[i] = (const char *)row;
        for (size_t c = 0; job->bias && c < width; c++) dbias[c] += (double)row[c];
    }
    for (ptrdiff_t i = 0; tile == 0 && i < rows; i++)
        for (ptrdiff_t k = 0; k < job->models; k++)
            job->slot_loss[k] += job->block_loss[i * job->models + k];
    const Block b = {.kind = PLAIN, .x = g, .rows = rows, .D = (ptrdiff_t)width};
    FN(gradient)(&b, job->D, (const real *)job->x_turned, job->block, dw, job->lddw,
                 (real *)scratch);
    if (block + 1 == job->blocks) FN(finish_tile)(job, tile);
}

/* As linear_unit. ROWS, SCORES, KEEP and GRADIENT take turns, block by block. */
static void FN(tiles_unit)(const linear_job *job, int stage, ptrdiff_t unit, char *scratch) {
    const cube w = {(void *)job->w, {job->w_stride[1], job->w_stride[0], 0}, NULL};
    switch (stage) {
    case PREPARE:
        FN(copy_tile)(job, FN(classes_of)(job, unit), &w, (real *)job->wt, job->ldw, 0);
        break;
    case ROWS: FN(take_rows)(job, unit); break;
    case SCORES: FN(tile_scores)(job, unit, scratch); break;
    case KEEP: FN(keep_row)(job, unit, scratch); break;
    default: FN(tile_gradient)(job, unit, scratch);
    }
}
