/* Slots of blocks, the units of the linear models. (Included once per real: see kernels.h.)
 *
 * A slot is a run of blocks of rows with a gradient of its own. Slots and blocks depend on the
 * shape alone, and what the slots leave is merged in a fixed order: the bits do not depend on the
 * number of threads.
 */

/* A thread's scratch, cut into pieces. Every piece is a multiple of 64 bytes. */
#undef Desk
#define Desk FN(Desk)
typedef struct {
    real *copy, *S, *G, *T, *packed;
    double *totals;
    const char **x, **next;
} Desk;

static size_t FN(lay_out)(const linear_job *job, char *scratch, Desk *desk) {
    const size_t block = (size_t)job->block;
    const size_t scores = (size_t)job->lds * (size_t)job->C * sizeof(real);
    const size_t models = (size_t)job->models, strip = (size_t)job->C / models * VEC_BYTES;
    const size_t pointers = (block + LANES) * sizeof(char *);
    const int copies = job->x && (job->shift || FN(copied)(job));
    const int soft = job->target.prob.data || job->target.label_smoothing != 0;
    size_t at = 0;
#define PIECE(member, type, bytes)                                                                 \
    do {                                                                                           \
        desk->member = (type)(scratch + at);                                                       \
        at += ((bytes) + 63) / 64 * 64;                                                            \
    } while (0)
    PIECE(copy, real *, copies ? block * (size_t)job->ld * sizeof(real) : 0);
    PIECE(S, real *, job->v ? 2 * scores : scores);
    PIECE(G, real *, job->loss == HINGE && soft ? scores : 0);
    PIECE(T, real *, job->target.prob.data ? strip : 0);
    PIECE(packed, real *,
          block * 2 * VEC_BYTES > PACKED_BYTES ? block * 2 * VEC_BYTES : PACKED_BYTES);
    PIECE(totals, double *, models * sizeof(double));
    PIECE(x, const char **, pointers);
    PIECE(next, const char **, pointers);
#undef PIECE
    if (!(job->loss == HINGE && soft)) desk->G = desk->S; /* in place */
    return at;
}

/* Length of rows of n numbers for work space. Rows 2 or 4 KiB apart would want the same few places
   in the first-level cache: 13 to 18 % slower at 2048 and 4096 features. */
INLINE ptrdiff_t FN(apart)(ptrdiff_t n) {
    const ptrdiff_t length = FN(padded)(n);
    return length * (ptrdiff_t)sizeof(real) % 2048 ? length : length + LANES;
}

/* Plan by the shape alone, and whether X is bytes: blocks whose rows stay in a share of a level-2
   cache between the two products (16 rows of 3073 features, 256 of 54: 32 and 64 rows cost up to
   60 % more; of bytes up to four times as many, where there are enough), and a power of two of
   slots, few enough for their gradients to stay within 16 MiB (8 slots at least, for 8 threads),
   and of 8 blocks at least: each begins by waiting for rows, and is merged. Where W itself leaves
   that cache, twice as many rows share the reading of it (32 rows of 3073 features, 500 classes:
   1.2 to 1.8x for 200 rows in all, 1.06 to 1.5x for 2000). */
#ifndef BLOCK_BYTES
#define BLOCK_BYTES 262144
#define WIDE_BYTES 1048576 /* of W */
#define MAX_SLOTS 64
#define SLOT_BYTES 16777216
#endif
static size_t FN(plan_linear)(linear_job *job) {
    Desk desk;
    const ptrdiff_t row = job->D * (ptrdiff_t)sizeof(real);
    ptrdiff_t block = BLOCK_BYTES / (row ? row : 1) / LANES * LANES;
    if (job->C * row > WIDE_BYTES) block *= 2;
    block = block < LANES ? LANES : block > 256 ? 256 : block;
    if (job->x && job->x_type == FROM_UINT8 && !FN(widens)(job))
        for (int k = 0; k < 2 && 8 * MAX_SLOTS * block < job->N && block <= 128; k++) block *= 2;
    const ptrdiff_t needed = FN(padded)(job->N);
    job->block = block < needed ? block : needed;
    job->lds = FN(spread)(job->block);
    job->blocks = (job->N + job->block - 1) / job->block;
    job->ld = FN(apart)(job->D);
    const ptrdiff_t fit = SLOT_BYTES / (job->C * job->ld * (ptrdiff_t)sizeof(real));
    ptrdiff_t slots = 1;
    while (slots < MAX_SLOTS && 8 * slots <= job->blocks && (slots < 8 || 2 * slots <= fit))
        slots *= 2;
    job->slots = slots;
    return FN(lay_out)(job, NULL, &desk);
}

/* W and dW are transposed as strips.h packs rows beside each other: TURNED features at a time, in
   registers. (One number after the other, prepare and merge took 42 us for 3073 x 10, now 22.) */
INLINE cube FN(features_of)(const void *data, const ptrdiff_t *stride) {
    return (cube){(void *)data, {0, stride[1], stride[0]}, NULL};
}
#undef TURNED
#define TURNED (MAX_STRIPS * V)

/* (D, C) -> (C, ld), for features begin..end; returns the sum of their squares */
static double FN(transpose_model)(const linear_job *job, const void *model, const ptrdiff_t *stride,
                                  ptrdiff_t begin, ptrdiff_t end, real *wt) {
    const cube w = FN(features_of)(model, stride);
    double total = 0;
    for (ptrdiff_t d = begin; d < end; d += TURNED)
        FN(pack)(&w, job->D, job->C, d, FN(smaller)(TURNED, end - d), wt + d, job->ld);
    for (ptrdiff_t c = 0; c < job->C; c++) {
        real *row = wt + c * job->ld;
        double squares[LANES] = {0}, of_class = 0;
        for (ptrdiff_t d = end; d % LANES; d++) row[d] = 0;
        for (ptrdiff_t d = begin; d < end; d += LANES)
            for (int k = 0; k < LANES; k++) squares[k] += (double)row[d + k] * (double)row[d + k];
        for (int k = 0; k < LANES; k++) of_class += squares[k];
        total += of_class;
    }
    return total;
}

/* W and V -> wt, for one piece of the features; and the sum of W's squares */
static void FN(prepare)(const linear_job *job, ptrdiff_t piece) {
    const ptrdiff_t begin = piece * FEATURES, end = FN(smaller)(begin + FEATURES, job->D);
    real *wt = (real *)job->wt;
    job->square_sums[piece] = FN(transpose_model)(job, job->w, job->w_stride, begin, end, wt);
    if (job->v) FN(transpose_model)(job, job->v, job->v_stride, begin, end, wt + job->C * job->ld);
    if (FN(kind)(job) != PLAIN) FN(fold)(job, piece);
}

/* the block's rows as the products take them; returns their kind */
static int FN(find_rows)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows, Desk *desk) {
    const int copied = FN(copied)(job);
    if (copied) FN(copy_block)(job, first, rows, desk->copy);
    for (ptrdiff_t i = 0; i < rows; i++)
        desk->x[i] =
            copied ? (const char *)(desk->copy + i * job->ld) : FN(source_row)(job, first + i);
    for (ptrdiff_t i = rows; i % ABREAST; i++) desk->x[i] = desk->x[rows - 1];
    return copied ? PLAIN : FN(kind)(job);
}

/* 0 for rows that are not the model's, so that it is as if that were their sample weight */
INLINE vec FN(mask_rows)(const linear_job *job, ptrdiff_t model, ptrdiff_t first, ptrdiff_t lanes,
                         vec coef) {
    const uint8_t *mask = job->mask + job->mask_of_model[model] * job->mask_stride;
    for (ptrdiff_t k = 0; k < lanes; k++) coef[k] *= mask[FN(row_of_x)(job, first + k)];
    return coef;
}

/* the scores of a block turn into its losses' gradients; the losses of each model are added up */
static void FN(block_loss)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows, const Desk *desk,
                           double *losses) {
    const ptrdiff_t classes = job->C / job->models;
    memset(desk->totals, 0, (size_t)job->models * sizeof(double));
    for (ptrdiff_t i = 0; i < rows; i += V) {
        const ptrdiff_t lanes = rows - i < V ? rows - i : V;
        vec coef;
        Aim a = FN(aim_at)(&job->target, job->rows, first + i, lanes, classes, &coef);
        if (job->target.prob.data) {
            FN(pack_targets)(&job->target, job->rows, first + i, lanes, classes, desk->T, V);
            a.t = desk->T;
            a.st = V;
        }
        for (ptrdiff_t model = 0; model < job->models; model++) {
            const ptrdiff_t at = model * classes * job->lds + i;
            vec by = job->mask ? FN(mask_rows)(job, model, first + i, lanes, coef) : coef;
            vec of_rows = FN(row_loss)(job->loss, desk->S + at, job->lds, classes, &a, by,
                                       desk->G + at, job->lds, 0, 1);
            for (ptrdiff_t k = 0; k < lanes; k++)
                desk->totals[model] += (double)of_rows[k] * (double)by[k];
        }
    }
    for (ptrdiff_t model = 0; model < job->models; model++) losses[model] += desk->totals[model];
}

/* The scores s of a block, and behind them the change t of the scores along V, turn into the change
   of the losses' gradients, h = coef p (t - sum(p t)), in the place of s. */
static void FN(block_curvature)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows,
                                const Desk *desk) {
    const Ahead none = {NULL, NULL, NULL};
    for (ptrdiff_t i = 0; i < rows; i += V) {
        const ptrdiff_t lanes = rows - i < V ? rows - i : V;
        real *s = desk->S + i, *t = s + job->C * job->lds;
        vec coef;
        FN(aim_at)(&job->target, job->rows, first + i, lanes, job->C, &coef);
        FN(softmax)(s, job->lds, s, job->lds, s, job->lds, job->C, none, 0, 0);
        FN(softmax_backward)(t, job->lds, s, job->lds, s, job->lds, job->C, none, 0, 0);
        for (ptrdiff_t c = 0; job->target.coef && c < job->C; c++)
            FN(store)(s + c * job->lds, FN(load)(s + c * job->lds) * coef);
    }
}

/* the first maximum of each row's scores; a NaN counts as the largest, as in numpy.argmax */
static void FN(block_labels)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows,
                             const Desk *desk) {
    for (ptrdiff_t i = 0; i < rows; i += V) {
        vec best = FN(load)(desk->S + i);
        ivec label = {0};
        for (ptrdiff_t c = 1; c < job->C; c++) {
            vec s = FN(load)(desk->S + c * job->lds + i);
            ivec wins = (s > best) | ((s != s) & (best == best));
            best = FN(select)(wins, s, best);
            label = (FN(isplat)((sint)c) & wins) | (label & ~wins);
        }
        for (ptrdiff_t k = 0; k < V && i + k < rows; k++) job->labels[first + i + k] = label[k];
    }
}

/* the softmax of each row's scores, in their place and from there to where they are wanted */
static void FN(block_proba)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows,
                            const Desk *desk) {
    for (ptrdiff_t i = 0; i < rows; i += V) {
        real *strip = desk->S + i;
        FN(softmax)(strip, job->lds, strip, job->lds, strip, job->lds, job->C, (Ahead){0}, 0, 0);
        FN(unpack)(strip, job->lds, 1, job->C, first + i, rows - i < V ? rows - i : V, &job->proba,
                   0);
    }
}

/* the k best of each row's scores, and their probabilities, with the bits of block_proba */
static void FN(block_top)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows,
                          const Desk *desk) {
    for (ptrdiff_t i = 0; i < rows; i += V) {
        const ptrdiff_t lanes = FN(smaller)(rows - i, V), at = (first + i) * job->k;
        real *strip = desk->S + i, *best = (real *)job->best + at;
        FN(top_of_strip)(strip, job->lds, job->C, lanes, job->k, best, job->labels + at);
        FN(softmax)(strip, job->lds, strip, job->lds, strip, job->lds, job->C, (Ahead){0}, 0, 0);
        for (ptrdiff_t j = 0; j < lanes * job->k; j++)
            best[j] = strip[job->labels[at + j] * job->lds + j / job->k];
    }
}

/* what is predicted from a block's scores; returns whether anything is */
static int FN(block_predictions)(const linear_job *job, ptrdiff_t first, ptrdiff_t rows,
                                 const Desk *desk) {
    if (job->best)
        FN(block_top)(job, first, rows, desk);
    else if (job->labels)
        FN(block_labels)(job, first, rows, desk);
    if (job->proba.data) FN(block_proba)(job, first, rows, desk);
    return job->labels || job->proba.data;
}

static void FN(linear_slot)(const linear_job *job, ptrdiff_t slot, char *scratch) {
    const ptrdiff_t begin = job->blocks * slot / job->slots,
                    end = job->blocks * (slot + 1) / job->slots;
    const size_t gradient_size = (size_t)job->C * (size_t)job->ld;
    const int predicts = job->labels || job->proba.data, folded = FN(folded)(job);
    const real *wt = (const real *)(folded ? job->scaled : job->wt);
    const real *bias = (const real *)(folded ? job->folded_bias : job->bias);
    real *dwt = predicts ? NULL : (real *)job->slot_dw + (size_t)slot * gradient_size;
    double *dbias = predicts ? NULL : job->slot_dbias + slot * job->C;
    double *losses = predicts ? NULL : job->slot_loss + slot * job->models;
    const int fetched_ahead = FN(in_rows)(job);
    Desk desk;
    FN(lay_out)(job, scratch, &desk);
    if (dwt) {
        memset(dwt, 0, gradient_size * sizeof(real));
        memset(dbias, 0, (size_t)job->C * sizeof(double));
        memset(losses, 0, (size_t)job->models * sizeof(double));
    }
    for (ptrdiff_t b = begin; b < end; b++) {
        const ptrdiff_t first = b * job->block,
                        rows = job->N - first < job->block ? job->N - first : job->block;
        const int prefetch = fetched_ahead && b + 1 < end;
        Block x = {
            .x = desk.x,
            .middle = FN(affine)(job, 0),
            .paired = FN(kind)(job) != PLAIN && !FN(widens)(job), /* in any layout */
            .rows = rows,
            .D = job->D < LANES ? job->ld : job->D,
            .next = prefetch ? desk.next : NULL,
            .next_bytes = job->D * job->x_stride[1],
            .narrow = job->x_type == FROM_UINT8,
            .only_scores = predicts,
        };
        /* Nobody has asked for the first block: all of its lines at once. Of later ones, where rows
           come from random places, a line of each first: they wait for their pages together. */
        for (ptrdiff_t i = 0; fetched_ahead && b == begin && i < rows; i++)
            for (ptrdiff_t at = 0; at < x.next_bytes; at += 64)
                PREFETCH(FN(source_row)(job, first + i) + at);
        for (ptrdiff_t i = 0; prefetch && i < rows; i++) {
            const ptrdiff_t row = FN(smaller)(first + job->block + i, job->N - 1);
            desk.next[i] = FN(source_row)(job, row);
            if (job->rows) PREFETCH(desk.next[i]);
        }
        x.kind = FN(find_rows)(job, first, rows, &desk);
        if (FN(turns)(job))
            FN(scores_turned)(&x, wt, job->ld, FN(columns)(job), bias, desk.S, job->lds,
                              desk.packed);
        else
            FN(scores)(&x, wt, job->ld, FN(columns)(job), bias, desk.S, job->lds);
        if (FN(block_predictions)(job, first, rows, &desk)) continue;
        if (job->v)
            FN(block_curvature)(job, first, rows, &desk);
        else
            FN(block_loss)(job, first, rows, &desk, losses);
        FN(gradient)(&x, job->C, desk.G, job->lds, dwt, job->ld, desk.packed);
        for (ptrdiff_t c = 0; bias && c < job->C; c++) /* or a folded one */
            for (ptrdiff_t i = 0; i < rows; i++) dbias[c] += (double)desk.G[c * job->lds + i];
    }
}

/* A mean gradient and its penalty's, which is rounded before the sum: the compiler's choice of the
   two products would be another one in each place. */
INLINE vec FN(with_penalty)(vec sum, vec factor, vec w, vec reg) {
    vec penalty = w * reg;
    ROUNDED(penalty);
    return sum * factor + penalty;
}

/* For a piece of the features: a tree of pairs of slots, then dw = sum / normalizer + reg w (or
   reg v, of a Hessian-vector product). */
static void FN(merge)(const linear_job *job, ptrdiff_t piece) {
    const ptrdiff_t begin = piece * FEATURES, end = FN(smaller)(begin + FEATURES, job->D);
    const ptrdiff_t size = job->C * job->ld, classes = job->C / job->models;
    const cube dw = FN(features_of)(job->dw, job->dw_stride);
    const real *wt = (const real *)job->wt + (job->v ? size : 0);
    const vec reg = FN(splat)((real)job->reg);
    const int folded = FN(folded)(job);
    real *slots = (real *)job->slot_dw;
    for (ptrdiff_t c = 0; c < job->C; c++) {
        const vec factor = FN(splat)((real)(1 / job->normalizers[c / classes]));
        double dbias = 0;
        for (ptrdiff_t s = 0; folded && s < job->slots; s++)
            dbias += job->slot_dbias[s * job->C + c];
        for (ptrdiff_t d = begin; d < end; d += V) {
            const ptrdiff_t at = c * job->ld + d;
            vec sum[MAX_SLOTS];
            for (ptrdiff_t s = 0; s < job->slots; s++) sum[s] = FN(load)(slots + s * size + at);
            for (ptrdiff_t step = 1; step < job->slots; step *= 2)
                for (ptrdiff_t s = 0; s < job->slots; s += 2 * step) sum[s] += sum[s + step];
            if (folded)
                sum[0] = (sum[0] + FN(load)(FN(affine)(job, 1) + d) * (real)dbias) *
                         FN(load)(FN(affine)(job, 2) + d);
            FN(store)(slots + at, FN(with_penalty)(sum[0], factor, FN(load)(wt + at), reg));
        }
    }
    for (ptrdiff_t d = begin; d < end; d += TURNED)
        FN(unpack)(slots + d, job->ld, job->D, job->C, d, FN(smaller)(TURNED, end - d), &dw, 0);
}

/* What is to be done, stage by stage: all units of one before any of the next. */
static void FN(linear_unit)(const linear_job *job, int stage, ptrdiff_t unit, char *scratch) {
    switch (stage) {
    case PREPARE: FN(prepare)(job, unit); break;
    case FOLD:
        if (FN(folded)(job)) FN(fold_bias)(job, job->C);
        break;
    case BLOCKS: FN(linear_slot)(job, unit, scratch); break;
    default: FN(merge)(job, unit);
    }
}
