/* CSR rows as a source of blocks. (Included once per real: see kernels.h.)
 *
 * Rows of W and dW lie as the caller has them, features by classes, and vectors run over classes:
 *
 *     scores:    r[i][:] = bias + sum_k value[k] w[index[k]][:]      over the entries k of row i
 *     gradient:  dw[index[k]][:] += value[k] g[i][:]
 *
 * Partial gradients, as dense blocks have them, would each be as large as W. So a pass goes in
 * rounds of blocks, and a round in two steps: the scores and losses of its blocks, in parallel over
 * blocks, which leave their g; then the gradient, in parallel over parts of the features, each with
 * one owner. Every row of dW is summed in the order of X's rows: the bits do not depend on the
 * number of threads.
 *
 * A row of W is whole vectors, the last of which overlaps the one before it; both hold the same
 * numbers where they do. Rows shorter than 16 bytes are copied, padded.
 */

/* ---- entries ---- */

/* Some entries of row i: features, counted from the first of interest, and values. */
#ifndef MOST_ENTRIES
#define MOST_ENTRIES 32 /* 128: 15 % slower gradient (46818 x 20 doubles, Zen 5) */
#endif
#undef Entries
#define Entries FN(Entries)
typedef struct {
    ptrdiff_t i, n, at[MOST_ENTRIES];
    real value[MOST_ENTRIES];
} Entries;

/* leaves out what is not in 0..size */
static void FN(drop)(Entries *e, size_t size) {
    ptrdiff_t n = 0;
    for (ptrdiff_t k = 0; k < e->n; k++) {
        e->at[n] = e->at[k];
        e->value[n] = e->value[k];
        n += (size_t)e->at[k] < size;
    }
    e->n = n;
}

/* Takes entries from..to, in a loop that the compiler turns into vectors. Features that are not in
   begin..end there are none, unless another thread of the caller changes X after the check: then
   those entries are left out. */
#define DEFINE_TAKE(name, type, integer)                                                           \
    static void FN(name)(const csr_spec *x, ptrdiff_t from, ptrdiff_t to, ptrdiff_t begin,         \
                         ptrdiff_t end, Entries *e) {                                              \
        const type *value = (const type *)x->value + from;                                         \
        const integer *index = (const integer *)x->index + from;                                   \
        const size_t size = (size_t)(end - begin);                                                 \
        size_t outside = 0;                                                                        \
        e->n = to - from;                                                                          \
        for (ptrdiff_t k = 0; k < to - from; k++) {                                                \
            const ptrdiff_t at = (ptrdiff_t)index[k] - begin;                                      \
            e->at[k] = at;                                                                         \
            e->value[k] = (real)value[k];                                                          \
            outside |= (size_t)at >= size;                                                         \
        }                                                                                          \
        if (outside) FN(drop)(e, size);                                                            \
    }
DEFINE_TAKE(take_float_32, float, int32_t)
DEFINE_TAKE(take_float_64, float, int64_t)
DEFINE_TAKE(take_double_32, double, int32_t)
DEFINE_TAKE(take_double_64, double, int64_t)
DEFINE_TAKE(take_uint8_32, uint8_t, int32_t)
DEFINE_TAKE(take_uint8_64, uint8_t, int64_t)
#undef DEFINE_TAKE
typedef void FN(take_function)(const csr_spec *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t,
                               Entries *);
static FN(take_function) *const FN(take)[3][2] = {{FN(take_float_32), FN(take_float_64)},
                                                  {FN(take_double_32), FN(take_double_64)},
                                                  {FN(take_uint8_32), FN(take_uint8_64)}};

INLINE ptrdiff_t FN(integer)(const csr_spec *x, const void *from, ptrdiff_t k) {
    return x->wide ? (ptrdiff_t)((const int64_t *)from)[k] : ((const int32_t *)from)[k];
}

/* the first entry of from..to with a feature of at least d */
INLINE ptrdiff_t FN(search)(const csr_spec *x, ptrdiff_t from, ptrdiff_t to, ptrdiff_t d) {
    while (from < to) {
        const ptrdiff_t middle = from + (to - from) / 2;
        if (FN(integer)(x, x->index, middle) < d)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* A walk over the entries with features begin..end of rows up to `rows` of a pass. */
#undef Walk
#define Walk FN(Walk)
typedef struct {
    ptrdiff_t i, rows, begin, end, from, to;
    const real *matrix; /* what will be read for feature `begin`, and how many reals for each */
    ptrdiff_t ld, reals;
} Walk;

/* The next entries, and their rows of the matrix on their way into cache, a call ahead of their
   use: 46818 x 20 doubles are far more than a level-2 cache (gradient: 9.9 ms in place of 13.4, Zen
   5, one thread). */
static void FN(walk)(const linear_job *job, Walk *walk, Entries *e) {
    const csr_spec *x = &job->csr;
    while (walk->from >= walk->to && ++walk->i < walk->rows) {
        const ptrdiff_t r = job->rows ? (ptrdiff_t)job->rows[walk->i] : walk->i;
        walk->from = FN(integer)(x, x->start, r);
        walk->to = FN(integer)(x, x->start, r + 1);
        /* another thread may have changed their number */
        if (walk->from < 0 || walk->to > x->entries) walk->to = walk->from;
        if (walk->begin > 0) walk->from = FN(search)(x, walk->from, walk->to, walk->begin);
        if (walk->end < job->D) walk->to = FN(search)(x, walk->from, walk->to, walk->end);
    }
    e->i = walk->i;
    if (walk->i >= walk->rows) return;
    const ptrdiff_t to = FN(smaller)(walk->to, walk->from + MOST_ENTRIES);
    FN(take)[job->x_type][x->wide](x, walk->from, to, walk->begin, walk->end, e);
    walk->from = to;
    for (ptrdiff_t k = 0; k < e->n; k++) {
        const real *row = walk->matrix + e->at[k] * walk->ld;
        for (ptrdiff_t c = 0; c < walk->reals; c += LINE) __builtin_prefetch(row + c, 0, 3);
        __builtin_prefetch(row + walk->reals - 1, 0, 3);
    }
}

/* ---- rows of W and dW, in panels of vectors ---- */

/* add_rows:     out += sum of the entries' multiples of rows of w
   add_to_rows:  rows of dw += the entries' multiples of g
   by P vectors, which lie `lanes` apart, but for the last, which is at `last`. */
#define AT(p, lanes) ((p) < P - 1 ? (p) * (lanes) : last)
#define DEFINE_ROWS(kind, vector, lanes, load, store)                                              \
    INLINE void FN(add_rows_##kind)(const Entries *e, const real *w, ptrdiff_t ld, ptrdiff_t last, \
                                    real *out, const int P) {                                      \
        vector sum[2][PANEL]; /* two chains of additions, which overlap */                         \
        UNROLLED (p, P) sum[0][p] = sum[1][p] = (vector){0};                                       \
        for (ptrdiff_t k = 0; k + 1 < e->n; k += 2)                                                \
            UNROLLED (j, 2) {                                                                      \
                const real *row = w + e->at[k + j] * ld;                                           \
                UNROLLED (p, P) sum[j][p] += e->value[k + j] * load(row + AT(p, lanes));           \
            }                                                                                      \
        if (e->n % 2) {                                                                            \
            const real *row = w + e->at[e->n - 1] * ld;                                            \
            UNROLLED (p, P) sum[0][p] += e->value[e->n - 1] * load(row + AT(p, lanes));            \
        }                                                                                          \
        UNROLLED (p, P) sum[0][p] = load(out + AT(p, lanes)) + (sum[0][p] + sum[1][p]);            \
        UNROLLED (p, P) store(out + AT(p, lanes), sum[0][p]);                                      \
    }                                                                                              \
    INLINE void FN(add_to_rows_##kind)(const Entries *e, const real *g, real *dw, ptrdiff_t ld,    \
                                       ptrdiff_t last, const int P) {                              \
        vector of_row[PANEL], sum[PANEL];                                                          \
        UNROLLED (p, P) of_row[p] = load(g + AT(p, lanes));                                        \
        for (ptrdiff_t k = 0; k < e->n; k++) {                                                     \
            real *row = dw + e->at[k] * ld;                                                        \
            UNROLLED (p, P) sum[p] = load(row + AT(p, lanes)) + e->value[k] * of_row[p];           \
            UNROLLED (p, P) store(row + AT(p, lanes), sum[p]);                                     \
        }                                                                                          \
    }
DEFINE_ROWS(wide, vec, V, FN(load), FN(store))
DEFINE_ROWS(narrow, piece, TILE, FN(load_piece), FN(store_piece))
#undef DEFINE_ROWS

#undef DEFINE_WIDTH
#define DEFINE_WIDTH(kind, P)                                                                      \
    static void FN(add_rows_##kind##_##P)(const Entries *e, const real *w, ptrdiff_t ld,           \
                                          ptrdiff_t last, real *out) {                             \
        FN(add_rows_##kind)(e, w, ld, last, out, P);                                               \
    }                                                                                              \
    static void FN(add_to_rows_##kind##_##P)(const Entries *e, const real *g, real *dw,            \
                                             ptrdiff_t ld, ptrdiff_t last) {                       \
        FN(add_to_rows_##kind)(e, g, dw, ld, last, P);                                             \
    }
DEFINE_WIDTH(narrow, 1)
DEFINE_WIDTH(narrow, 2)
DEFINE_WIDTH(narrow, 3)
DEFINE_WIDTH(narrow, 4)
DEFINE_WIDTH(wide, 1)
DEFINE_WIDTH(wide, 2)
DEFINE_WIDTH(wide, 3)
DEFINE_WIDTH(wide, 4)
DEFINE_WIDTH(wide, 5)
#if PANEL == 10
DEFINE_WIDTH(wide, 6)
DEFINE_WIDTH(wide, 7)
DEFINE_WIDTH(wide, 8)
DEFINE_WIDTH(wide, 9)
DEFINE_WIDTH(wide, 10)
#endif
#undef DEFINE_WIDTH
#undef NARROW
#define NARROW(name) {FN(name##_1), FN(name##_2), FN(name##_3), FN(name##_4)}
typedef void FN(add_rows_function)(const Entries *, const real *, ptrdiff_t, ptrdiff_t, real *);
typedef void FN(add_to_rows_function)(const Entries *, const real *, real *, ptrdiff_t, ptrdiff_t);
static FN(add_rows_function) *const
    FN(add_rows_of_width)[2][PANEL] = {WIDTHS(add_rows_wide), NARROW(add_rows_narrow)};
static FN(add_to_rows_function) *const
    FN(add_to_rows_of_width)[2][PANEL] = {WIDTHS(add_to_rows_wide), NARROW(add_to_rows_narrow)};

#undef Panel
#define Panel FN(Panel)
typedef struct {
    ptrdiff_t begin, last; /* its first class, and its last vector from there */
    int width;             /* vectors */
} Panel;

/* Vectors of 16 bytes for rows shorter than a register: at C = 2, rows padded to 64 bytes would be
   four times as large, and miss the caches. */
INLINE int FN(narrow)(const linear_job *job) { return job->C < V; }

INLINE ptrdiff_t FN(panels)(const linear_job *job) {
    return (job->row_length + PANEL * V - 1) / (PANEL * V);
}

/* Panel k. All have about the same width: one of a single vector might overlap the one before it,
   and would add to the gradient what that had added. */
INLINE Panel FN(panel)(const linear_job *job, ptrdiff_t k, ptrdiff_t panels) {
    const ptrdiff_t lanes = FN(narrow)(job) ? TILE : V;
    const ptrdiff_t vectors = (job->row_length + lanes - 1) / lanes;
    if (panels == 1) return (Panel){0, job->row_length - lanes, (int)vectors};
    const ptrdiff_t begin = vectors * k / panels * V, end = vectors * (k + 1) / panels * V;
    return (Panel){begin, FN(smaller)(end, job->row_length) - V - begin, (int)((end - begin) / V)};
}

/* ---- a pass ---- */

#ifndef SPARSE_BLOCK
#define SPARSE_BLOCK 64
#define SQUARE_SUMS 32
#define FETCHED_BYTES 1024  /* of a row */
#define ROUND_BYTES 1048576 /* of scores; an eighth of that takes as long */
#endif
/* Plan by the shape alone. W and dw are used where they are if their rows are whole vectors, one
   number behind the other; else wt and slot_dw stay NULL, for copies. */
static size_t FN(plan_sparse)(linear_job *job) {
    Desk desk;
    const ptrdiff_t needed = FN(padded)(job->N);
    job->row_length = job->C < TILE ? TILE : job->C;
    job->ld = FN(padded)(job->row_length);
    const ptrdiff_t row = job->ld * (ptrdiff_t)sizeof(real);
    ptrdiff_t block = ROUND_BYTES / 32 / row / LANES * LANES;
    block = block < LANES ? LANES : block > SPARSE_BLOCK ? SPARSE_BLOCK : block;
    job->block = FN(smaller)(block, needed);
    job->lds = FN(spread)(job->block);
    job->blocks = (job->N + job->block - 1) / job->block;
    job->round = ROUND_BYTES / (job->block * row);
    job->round = FN(smaller)(job->round < 8 ? 8 : job->round, job->blocks);
    job->slots = 1;
    const int w_in_place = job->C >= TILE && job->w_stride[1] == 1 && !job->shift && !job->v;
    const int dw_in_place = job->C >= TILE && job->dw_stride[1] == 1;
    job->wt = w_in_place ? (void *)job->w : NULL;
    job->ldw = w_in_place ? job->w_stride[0] : job->row_length;
    job->slot_dw = dw_in_place ? job->dw : NULL;
    job->lddw = dw_in_place ? job->dw_stride[0] : job->row_length;
    return FN(lay_out)(job, NULL, &desk);
}

/* adds the squares of a row of w to some sums */
INLINE void FN(add_squares)(const real *w, ptrdiff_t step, ptrdiff_t C, double *sums) {
    for (ptrdiff_t first = 0; first < C; first += SQUARE_SUMS) {
        const ptrdiff_t n = FN(smaller)(C - first, SQUARE_SUMS);
        for (ptrdiff_t c = 0; c < n; c++) {
            const double value = (double)w[(first + c) * step];
            sums[c] += value * value;
        }
    }
}

/* W and, of a Hessian-vector product, V: both are read for scores */
INLINE int FN(score_models)(const linear_job *job) { return job->v ? 2 : 1; }

/* row d of W or V -> wt, scaled; adds shift' wt to some sums */
INLINE void FN(copy_weights)(const linear_job *job, ptrdiff_t d, const real *w, ptrdiff_t step,
                             real *wt, double *shifted) {
    const double *shift = (const double *)job->shift, *scale = (const double *)job->scale;
    for (ptrdiff_t c = 0; wt != w && c < job->row_length; c++)
        wt[c] = c >= job->C ? 0 : scale ? (real)((double)w[c * step] * scale[d]) : w[c * step];
    for (ptrdiff_t c = 0; shift && c < job->C; c++) shifted[c] += shift[d] * (double)wt[c];
}

/* For one piece of the features: W and V -> wt; the sum of W's squares; dw = 0. */
static void FN(prepare_sparse)(const linear_job *job, ptrdiff_t piece) {
    const ptrdiff_t begin = piece * FEATURES, end = FN(smaller)(begin + FEATURES, job->D);
    const ptrdiff_t step = job->w_stride[1], sums = FN(columns)(job);
    double *shifted = job->shift_sums + piece * sums, squares[SQUARE_SUMS] = {0}, total = 0;
    if (job->shift) memset(shifted, 0, (size_t)sums * sizeof(double));
    for (ptrdiff_t d = begin; d < end; d++) {
        const real *w = (const real *)job->w + d * job->w_stride[0];
        real *wt = (real *)job->wt + d * job->ldw;
        FN(copy_weights)(job, d, w, step, wt, shifted);
        if (job->v)
            FN(copy_weights)(job, d, (const real *)job->v + d * job->v_stride[0], job->v_stride[1],
                             wt + job->D * job->ldw, shifted + job->C);
        if (!job->slot_dw) continue; /* predictions */
        if (step == 1)
            FN(add_squares)(w, 1, job->C, squares);
        else
            FN(add_squares)(w, step, job->C, squares);
        memset((real *)job->slot_dw + d * job->lddw, 0, (size_t)job->row_length * sizeof(real));
    }
    for (int k = 0; k < SQUARE_SUMS; k++) total += squares[k];
    job->square_sums[piece] = total;
}

INLINE Walk FN(walk_of)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t begin,
                        ptrdiff_t end, const void *matrix, ptrdiff_t ld) {
    Walk walk = {.i = first - 1, .rows = first + rows, .begin = begin, .end = end, .ld = ld};
    walk.matrix = (const real *)matrix + begin * ld;
    walk.reals = FN(smaller)(job->row_length, FETCHED_BYTES / (ptrdiff_t)sizeof(real));
    return walk;
}

/* The scores of a block's rows by one model, 0 for W or 1 for V: class-major into the desk; `s` is
   room for them row by row. */
static void FN(sparse_scores)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows, int model,
                              real *s, const Desk *desk) {
    const cube of_rows = {s, {job->ld, 1, 0}, NULL};
    const ptrdiff_t panels = FN(panels)(job);
    const real *wt = (const real *)job->wt + model * job->D * job->ldw;
    const real *bias = (const real *)job->folded_bias + model * job->ld;
    Entries e[2];
    memset(s, 0, (size_t)(rows * job->ld) * sizeof(real));
    Walk walk = FN(walk_of)(job, first, rows, 0, job->D, wt, job->ldw);
    FN(walk)(job, &walk, &e[0]);
    for (int now = 0; e[now].i < first + rows; now = !now) {
        FN(walk)(job, &walk, &e[!now]);
        for (ptrdiff_t k = 0; k < panels; k++) {
            const Panel p = FN(panel)(job, k, panels);
            FN(add_rows_function) *add = FN(add_rows_of_width)[FN(narrow)(job)][p.width - 1];
            real *to = s + (e[now].i - first) * job->ld + p.begin;
            add(&e[now], walk.matrix + p.begin, job->ldw, p.last, to);
        }
    }
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t c = 0; c < job->ld; c += V) {
            real *to = s + i * job->ld + c;
            FN(store)(to, FN(load)(to) + FN(load)(bias + c));
        }
    for (ptrdiff_t i = 0; i < rows; i += V)
        FN(pack)(&of_rows, 1, job->C, i, FN(smaller)(rows - i, V),
                 desk->S + model * job->C * job->lds + i, job->lds);
}

/* One block: scores -> predictions, or losses and their gradients (of a Hessian-vector product,
   what stands in their place), which are kept for the round. */
static void FN(sparse_block)(const linear_job *job, ptrdiff_t block, char *scratch) {
    const ptrdiff_t first = block * job->block, in_round = block % job->round;
    const ptrdiff_t rows = FN(smaller)(job->N - first, job->block);
    real *s = (real *)job->g + in_round * job->block * job->ld;
    const cube of_rows = {s, {job->ld, 1, 0}, NULL};
    Desk desk;
    FN(lay_out)(job, scratch, &desk);
    for (int model = 0; model < FN(score_models)(job); model++)
        FN(sparse_scores)(job, first, rows, model, s, &desk);
    if (FN(block_predictions)(job, first, rows, &desk)) return;
    job->block_loss[in_round] = 0;
    if (job->v)
        FN(block_curvature)(job, first, rows, &desk);
    else
        FN(block_loss)(job, first, rows, &desk, &job->block_loss[in_round]);
    for (ptrdiff_t i = 0; i < rows; i += V)
        FN(unpack)(desk.G + i, job->lds, 1, job->C, i, FN(smaller)(rows - i, V), &of_rows, 0);
}

/* what the rows of a round add up to, whatever their features: loss, and the bias's gradient */
static void FN(add_up_round)(const linear_job *job, ptrdiff_t round, ptrdiff_t rows) {
    const real *g = (const real *)job->g;
    const ptrdiff_t blocks = FN(smaller)(job->round, job->blocks - round * job->round);
    for (ptrdiff_t b = 0; b < blocks; b++) job->slot_loss[0] += job->block_loss[b];
    for (ptrdiff_t i = 0; (job->bias || job->shift) && i < rows; i++)
        for (ptrdiff_t c = 0; c < job->C; c++) job->slot_dbias[c] += (double)g[i * job->ld + c];
}

/* What a round adds to the rows of dw of one part of the features. */
static void FN(sparse_gradient)(const linear_job *job, ptrdiff_t round, ptrdiff_t part) {
    const ptrdiff_t first = round * job->round * job->block, panels = FN(panels)(job);
    const ptrdiff_t rows = FN(smaller)(job->N - first, job->round * job->block);
    const ptrdiff_t begin = (ptrdiff_t)job->parts[part], end = (ptrdiff_t)job->parts[part + 1];
    real *dw = (real *)job->slot_dw + begin * job->lddw;
    Entries e[2];
    if (part == 0) FN(add_up_round)(job, round, rows);
    Walk walk = FN(walk_of)(job, first, rows, begin, end, job->slot_dw, job->lddw);
    FN(walk)(job, &walk, &e[0]);
    for (int now = 0; e[now].i < first + rows; now = !now) {
        FN(walk)(job, &walk, &e[!now]);
        for (ptrdiff_t k = 0; k < panels; k++) {
            const Panel p = FN(panel)(job, k, panels);
            FN(add_to_rows_function) *add = FN(add_to_rows_of_width)[FN(narrow)(job)][p.width - 1];
            const real *g = (const real *)job->g + (e[now].i - first) * job->ld + p.begin;
            add(&e[now], g, dw + p.begin, job->lddw, p.last);
        }
    }
}

/* a b + c, rounded once where that is an instruction. Where c is a product, too, the compiler would
   choose which of the two it fuses, in each loop anew (clang 19, AVX-512). */
INLINE real FN(fused)(real a, real b, real c) {
#if defined(__FMA__) || defined(__aarch64__)
    return IS_DOUBLE ? (real)__builtin_fma(a, b, c)
                     : (real)__builtin_fmaf((float)a, (float)b, (float)c);
#else
    return a * b + c;
#endif
}

/* one row: dw = scale (sum - shift dbias) / normalizer + reg w */
INLINE void FN(merge_row)(const linear_job *job, ptrdiff_t d, const real *sum, const real *w,
                          ptrdiff_t w_step, real *dw, ptrdiff_t dw_step) {
    const real factor = (real)(1 / job->normalizers[0]), reg = (real)job->reg;
    const double *shift = (const double *)job->shift, *scale = (const double *)job->scale;
    if (!shift)
        for (ptrdiff_t c = 0; c < job->C; c++)
            dw[c * dw_step] = FN(fused)(sum[c], factor, reg * w[c * w_step]);
    else
        for (ptrdiff_t c = 0; c < job->C; c++) {
            const double centred = (double)sum[c] - shift[d] * job->slot_dbias[c];
            const real s = (real)(centred * scale[d]);
            dw[c * dw_step] = FN(fused)(s, factor, reg * w[c * w_step]);
        }
}

static void FN(merge_sparse)(const linear_job *job, ptrdiff_t piece) {
    const ptrdiff_t begin = piece * FEATURES, end = FN(smaller)(begin + FEATURES, job->D);
    const ptrdiff_t *stride = job->v ? job->v_stride : job->w_stride;
    for (ptrdiff_t d = begin; d < end; d++) {
        const real *sum = (const real *)job->slot_dw + d * job->lddw;
        const real *w = (const real *)(job->v ? job->v : job->w) + d * stride[0];
        real *dw = (real *)job->dw + d * job->dw_stride[0];
        if (stride[1] == 1 && job->dw_stride[1] == 1) /* then the compiler uses vectors */
            FN(merge_row)(job, d, sum, w, 1, dw, 1);
        else
            FN(merge_row)(job, d, sum, w, stride[1], dw, job->dw_stride[1]);
    }
}

/* As linear_unit. BLOCKS and GRADIENT alternate, round by round. */
static void FN(sparse_unit)(const linear_job *job, int stage, ptrdiff_t unit, char *scratch) {
    switch (stage) {
    case PREPARE: FN(prepare_sparse)(job, unit); break;
    case FOLD: FN(fold_bias)(job, job->ld); break;
    case BLOCKS:
        if (unit < job->blocks) FN(sparse_block)(job, unit, scratch); /* the last round */
        break;
    case GRADIENT: FN(sparse_gradient)(job, unit / job->n_parts, unit % job->n_parts); break;
    default: FN(merge_sparse)(job, unit);
    }
}
