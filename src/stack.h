/* Steps of many models on the same rows: W -= rate (dW + reg W) for each of them. (Included once
 * per real: see kernels.h.)
 *
 * One model has too few classes for its products: they are bound by what lies around them. Many
 * have columns enough for vectors to run over classes, with a number of a row in all lanes, so that
 * no lane idles and none is left to be summed, and dW need not be stored: it goes from registers
 * into W. A group of models, of some vectors of columns, is one thread's from scores to W.
 *
 * A model has the bits that blocks.h gives it alone, which is why its sums have that order: a score
 * is a sum over lanes of features, by a tree, stretch by stretch; a gradient one over blocks of
 * rows, and by a tree over slots. Features lie in the order in which a score takes them, lane after
 * lane: then each lane is a run of neighbours, summed in registers like all else.
 *
 *     w    for each group, for each tile of up to STACK_WIDTH vectors of its columns (models, one
 *          behind the other, and zeros to whole vectors): (height, the tile's columns)
 *     x    for each strip of rows: (height, STACK_STRIP)
 *
 * Here is how they lie; what is done with them is in stack_step.h.
 */
#ifndef STACK_WIDTH
#if VEC_BYTES == 64 || defined(__aarch64__)
#define STACK_ROWS 8     /* of a tile of scores */
#define STACK_FEATURES 6 /* of a tile of dW: with the sums over blocks, too, 24 accumulators */
#define STACK_WIDTH 2    /* vectors of columns */
#else
#define STACK_ROWS 4
#define STACK_FEATURES 4
#if VEC_BYTES == 32
#define STACK_WIDTH 3
#else
#define STACK_WIDTH 2
#endif
#endif
#define FEATURES_AT_ONCE (16 * STACK_FEATURES) /* through all tiles of a group */
#define TREE_DEPTH 7                           /* of 64 slots, or 16 lanes */
#endif

#undef Group
#define Group FN(Group)
typedef struct {
    ptrdiff_t first, models, columns, vectors; /* columns: those of models */
    real *w;
    ptrdiff_t tiles, lds;
} Group;

/* Every model of a group has its scratch; that of a thread is for the largest group. */
#undef StackDesk
#define StackDesk FN(StackDesk)
typedef struct {
    real *rows;           /* (STACK_STRIP, ld), or a tile of W times its scale */
    real *S;              /* (rows, lds), and then its gradient */
    real *strip;          /* (C, V) */
    real *start;          /* (columns) scores begin as these: biases, with what is folded */
    real *rate, *reg;     /* of each column */
    real *fold;           /* (columns) sums of the scores' gradients */
    double *sums;         /* (columns) of W's squares in a piece of the features */
    double *shifted;      /* (columns) what is subtracted from biases */
    double *dbias, *loss; /* (slots, columns), (slots, models) */
} StackDesk;

INLINE ptrdiff_t FN(vectors_of)(ptrdiff_t columns) { return (columns + V - 1) / V; }

static size_t FN(lay_out_stack)(const stack_job *job, char *scratch, StackDesk *desk) {
    const linear_job *one = &job->one;
    const size_t columns = (size_t)(FN(vectors_of)(job->group * one->C) * V), size = sizeof(real);
    const size_t tile = (size_t)job->height * STACK_WIDTH * VEC_BYTES;
    const size_t rows = (size_t)(STACK_STRIP * one->ld) * size, slots = (size_t)one->slots;
    size_t at = 0;
#define PIECE(member, type, bytes)                                                                 \
    do {                                                                                           \
        desk->member = (type)(scratch + at);                                                       \
        at += ((bytes) + 63) / 64 * 64;                                                            \
    } while (0)
    PIECE(rows, real *, one->shift && tile > rows ? tile : rows);
    PIECE(S, real *, (size_t)(job->strips * STACK_STRIP) * (columns + 2 * (size_t)LANES) * size);
    PIECE(strip, real *, (size_t)one->C * VEC_BYTES);
    PIECE(start, real *, columns * size);
    PIECE(rate, real *, columns * size);
    PIECE(reg, real *, columns * size);
    PIECE(fold, real *, columns * size);
    PIECE(sums, double *, columns * sizeof(double));
    PIECE(shifted, double *, columns * sizeof(double));
    PIECE(dbias, double *, slots * columns * sizeof(double));
    PIECE(loss, double *, (slots + 1) * (size_t)job->group * sizeof(double));
#undef PIECE
    return at;
}

/* Plan by the shape alone, as one of the models has it. */
static size_t FN(plan_stack)(stack_job *job) {
    StackDesk desk;
    linear_job *one = &job->one;
    FN(plan_linear)(one);
    job->features = one->D < LANES ? one->ld : one->D;
    job->height = (job->features + STACK_FEATURES - 1) / STACK_FEATURES * STACK_FEATURES;
    job->strips = (one->N + STACK_STRIP - 1) / STACK_STRIP;
    return FN(lay_out_stack)(job, NULL, &desk);
}

INLINE ptrdiff_t FN(packed_size)(const stack_job *job, ptrdiff_t models) {
    return job->height * FN(vectors_of)(models * job->one.C) * V;
}

static Group FN(find_group)(const stack_job *job, ptrdiff_t group) {
    Group g = {.first = group * job->group};
    g.models = FN(smaller)(job->models - g.first, job->group);
    g.columns = g.models * job->one.C;
    g.vectors = FN(vectors_of)(g.columns);
    g.w = (real *)job->w + group * FN(packed_size)(job, job->group);
    g.tiles = (g.vectors + STACK_WIDTH - 1) / STACK_WIDTH;
    g.lds = FN(spread)(g.vectors * V);
    return g;
}

/* the first vector of a tile */
INLINE ptrdiff_t FN(tile_at)(const Group *g, ptrdiff_t tile) {
    return g->vectors * tile / g->tiles;
}

/* The lane whose sum is the t-th to enter the tree: of pieces 0, 2, 1, 3, as piece_sum adds them.
 */
INLINE ptrdiff_t FN(lane_at)(ptrdiff_t t) {
    const ptrdiff_t piece = t / TILE;
    return (V / TILE == 4 && piece % 3 ? 3 - piece : piece) * TILE + t % TILE;
}

INLINE int FN(merges_after)(ptrdiff_t t) {
    int merges = 0;
    for (; t & 1; t >>= 1) merges++;
    return merges;
}

/* the order of the features, from `scores` or `scores_turned` */
static void FN(order_features)(stack_job *job) {
    const linear_job *one = &job->one;
    const ptrdiff_t D = job->features;
    ptrdiff_t p = 0;
    stack_run *next = job->runs;
    if (FN(turns)(one)) {
        const ptrdiff_t pieces = (D + AT_A_TIME - 1) / AT_A_TIME;
        for (ptrdiff_t k = 0; k < pieces; k++)
            *next++ = (stack_run){D * (k + 1) / pieces - D * k / pieces, 0, 1};
        for (; p < D; p++) job->order[p] = (int32_t)p;
    } else {
        const int paired = FN(kind)(one) != PLAIN && !FN(widens)(one);
        const ptrdiff_t width = FN(panel_width)(one->C, paired ? FORWARD : PANEL);
        const ptrdiff_t stretch = FN(stretch)(D, width, paired);
        for (ptrdiff_t begin = 0; begin < D; begin += stretch) {
            const ptrdiff_t end = FN(smaller)(begin + stretch, D), full = end - (end - begin) % V;
            for (ptrdiff_t t = 0; t < V; t++) {
                const ptrdiff_t lane = FN(lane_at)(t), first = p, last = D - V + lane;
                for (ptrdiff_t d = begin + lane; d < full; d += V) job->order[p++] = (int32_t)d;
                if (full < end && last >= full) job->order[p++] = (int32_t)last;
                *next++ = (stack_run){p - first, FN(merges_after)(t), t == V - 1};
            }
        }
    }
    job->n_runs = next - job->runs;
    for (p = 0; p < D; p++) job->place[job->order[p]] = (int32_t)p;
}

/* One model (D, C) into the packed ones, or back. Returns whether a number of it is so large that
   it is not to be scaled. */
static int FN(copy_model)(const stack_job *job, ptrdiff_t model, const cube *w, int back) {
    const Group g = FN(find_group)(job, model / job->group);
    const ptrdiff_t C = job->one.C;
    int far = 0;
    for (ptrdiff_t t = 0; t < g.tiles; t++) {
        const ptrdiff_t from = FN(tile_at)(&g, t) * V, to = FN(tile_at)(&g, t + 1) * V;
        real *tile = g.w + job->height * from;
        for (ptrdiff_t c = 0; c < C; c++) {
            const ptrdiff_t column = (model - g.first) * C + c;
            if (column < from || column >= to) continue;
            for (ptrdiff_t d = 0; d < job->one.D; d++) {
                real *at = tile + job->place[d] * (to - from) + column - from;
                real *other = (real *)w->data + d * w->stride[0] + c * w->stride[1];
                *(back ? other : at) = *(back ? at : other);
                far |= FN(far)(*at);
            }
        }
    }
    return far;
}

/* a strip of rows, in the order of the features */
static void FN(take_strip)(const stack_job *job, ptrdiff_t strip, char *scratch) {
    const linear_job *one = &job->one;
    const ptrdiff_t first = strip * STACK_STRIP, ld = one->ld;
    const ptrdiff_t rows = FN(smaller)(one->N - first, STACK_STRIP);
    real *from = (real *)scratch, *to = (real *)job->x + strip * job->height * STACK_STRIP;
    FN(copy_block)(one, first, rows, from);
    memset(from + rows * ld, 0, (size_t)((STACK_STRIP - rows) * ld) * sizeof(real));
    for (ptrdiff_t p = 0; p < job->features; p++, to += STACK_STRIP) {
        const real *x = from + job->order[p];
        UNROLLED (r, STACK_STRIP) to[r] = x[r * ld];
    }
    memset(to, 0, (size_t)((job->height - job->features) * STACK_STRIP) * sizeof(real));
}
