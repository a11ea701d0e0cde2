/* A step of a group of models, as stack.h has them: what their W and rows become. (Included once
 * per real: see kernels.h.)
 */

/* Of a piece of the features and `width` vectors of columns: sums of W's squares, and what is
   subtracted from biases, both in the order in which transpose_model and fold have them. */
SPECIALISED void FN(look_at)(const stack_job *job, const real *tile, ptrdiff_t begin, ptrdiff_t end,
                             double *squares, double *shifted, const int width) {
    const linear_job *one = &job->one;
    const real *offset = FN(affine)(one, 1), *factor = FN(affine)(one, 2);
    const int shifts = FN(folded)(one) && one->x_type == FROM_UINT8, n = width * (int)V;
    double sums[2][3 * LANES] = {{0}};
    for (ptrdiff_t k = begin; k < begin + LANES; k++) {
        double some[2][3 * LANES] = {{0}};
        for (ptrdiff_t d = k; d < end; d += LANES) {
            const real *w = tile + job->place[d] * n;
            const real *next = tile + job->place[FN(smaller)(d + 1, end - 1)] * n;
            for (int c = 0; c < n; c += LANES) __builtin_prefetch(next + c, 0, 3);
            for (int c = 0; c < n; c++) some[0][c] += (double)w[c] * (double)w[c];
        }
        for (ptrdiff_t d = k; shifts && d < end; d += LANES) {
            const real *w = tile + job->place[d] * n;
            for (int c = 0; c < n; c++) {
                const real scaled = w[c] * factor[d];
                some[1][c] -= (double)offset[d] * (double)scaled;
            }
        }
        for (int c = 0; c < n; c++) sums[0][c] += some[0][c];
        for (int c = 0; c < n; c++) sums[1][c] += some[1][c];
    }
    for (int c = 0; c < n; c++) squares[c] = sums[0][c];
    for (int c = 0; c < n; c++) shifted[c] += sums[1][c];
}

/* What prepare and fold_bias find in W: its squares, and what the scores begin with. */
static void FN(look)(const stack_job *job, const Group *g, const StackDesk *desk) {
    const linear_job *one = &job->one;
    const ptrdiff_t C = one->C;
    double *squares = job->squares + g->first;
    for (ptrdiff_t m = 0; m < g->models; m++) squares[m] = 0;
    memset(desk->shifted, 0, (size_t)(g->vectors * V) * sizeof(double));
    for (ptrdiff_t begin = 0; begin < one->D; begin += FEATURES) {
        const ptrdiff_t end = FN(smaller)(begin + FEATURES, one->D);
        for (ptrdiff_t t = 0; t < g->tiles; t++) {
            const ptrdiff_t from = FN(tile_at)(g, t) * V, n = FN(tile_at)(g, t + 1) * V - from;
            const real *w = g->w + job->height * from;
            double *sums = desk->sums + from, *shifted = desk->shifted + from;
            switch (n / V) {
            case 1: FN(look_at)(job, w, begin, end, sums, shifted, 1); break;
            case 2: FN(look_at)(job, w, begin, end, sums, shifted, 2); break;
            default: FN(look_at)(job, w, begin, end, sums, shifted, 3);
            }
        }
        for (ptrdiff_t m = 0; m < g->models; m++) {
            double total = 0;
            for (ptrdiff_t c = m * C; c < (m + 1) * C; c++) total += desk->sums[c];
            squares[m] += total;
        }
    }
    for (ptrdiff_t c = 0; c < g->vectors * V; c++) {
        const ptrdiff_t m = g->first + c / C;
        const int of_model = c < g->columns;
        const double bias =
            of_model && job->bias ? (double)((const real *)job->bias)[g->first * C + c] : 0;
        desk->start[c] = of_model ? (real)(bias - desk->shifted[c]) : 0;
        desk->rate[c] = of_model ? ((const real *)job->rates)[m] : 0;
        desk->reg[c] = of_model ? (real)job->regs[m] : 0;
    }
}

/* STACK_ROWS rows x `width` vectors of columns */
SPECIALISED void FN(stack_scores)(const stack_job *job, const real *x, const real *w, real *S,
                                  ptrdiff_t lds, const int width) {
    vec before[TREE_DEPTH][STACK_ROWS][STACK_WIDTH], sum[STACK_ROWS][STACK_WIDTH];
    for (const stack_run *of = job->runs; of < job->runs + job->n_runs; of++) {
        UNROLLED (r, STACK_ROWS)
            UNROLLED (k, width) sum[r][k] = (vec){0};
        for (ptrdiff_t p = 0; p < of->length; p++, x += STACK_STRIP, w += width * V) {
            vec b[STACK_WIDTH];
            UNROLLED (k, width) b[k] = FN(load)(w + k * V);
            UNROLLED (r, STACK_ROWS) {
                const vec a = FN(splat)(x[r]);
                UNROLLED (k, width) sum[r][k] += a * b[k];
            }
        }
        for (int m = 0; m < of->merges; m++)
            UNROLLED (r, STACK_ROWS)
                UNROLLED (k, width) sum[r][k] += before[m][r][k];
        if (of->last) {
            UNROLLED (r, STACK_ROWS)
                UNROLLED (k, width) {
                    real *s = S + r * lds + k * V;
                    FN(store)(s, FN(load)(s) + sum[r][k]);
                }
        } else {
            UNROLLED (r, STACK_ROWS)
                UNROLLED (k, width) before[of->merges][r][k] = sum[r][k];
        }
    }
}

/* The size of a number, without its sign, is that of its bits; NaN is the largest. */
INLINE ivec FN(larger_size)(ivec size, vec x) {
    const ivec other = (ivec)((uvec)x << 1 >> 1);
    const ivec larger = other > size;
    return (other & larger) | (size & ~larger);
}

/* STACK_FEATURES x `width` vectors of columns: the sums over the rows of a slot, block by block */
SPECIALISED void FN(stack_slot)(const stack_job *job, const real *x, const real *G, ptrdiff_t lds,
                                ptrdiff_t begin, ptrdiff_t end, vec *to, const int width) {
    vec sum[STACK_FEATURES][STACK_WIDTH], total[STACK_FEATURES][STACK_WIDTH];
    UNROLLED (f, STACK_FEATURES)
        UNROLLED (k, width) total[f][k] = (vec){0};
    for (ptrdiff_t first = begin; first < end; first += job->one.block) {
        const ptrdiff_t behind = FN(smaller)(first + job->one.block, end);
        UNROLLED (f, STACK_FEATURES)
            UNROLLED (k, width) sum[f][k] = (vec){0};
        for (ptrdiff_t i = first; i < behind; i += STACK_STRIP) {
            const real *row = x + i * job->height, *g = G + i * lds;
            const real *last = row + FN(smaller)(behind - i, STACK_STRIP);
            for (ptrdiff_t k = 0; k < STACK_FEATURES * STACK_STRIP; k += LANES)
                __builtin_prefetch(row + STACK_FEATURES * STACK_STRIP + k, 0, 3);
            for (; row < last; row++, g += lds) {
                vec b[STACK_WIDTH];
                UNROLLED (k, width) {
                    b[k] = FN(load)(g + k * V);
                    IN_REGISTER(b[k]);
                }
                UNROLLED (f, STACK_FEATURES) {
                    const vec a = FN(splat)(row[f * STACK_STRIP]);
                    UNROLLED (k, width) sum[f][k] += a * b[k];
                }
            }
        }
        UNROLLED (f, STACK_FEATURES)
            UNROLLED (k, width) total[f][k] += sum[f][k];
    }
    UNROLLED (f, STACK_FEATURES)
        UNROLLED (k, width) to[f * width + k] = total[f][k];
}

/* Not inlined: with 16 registers, what lies around takes one of those that are all needed (AVX2: 72
   -> 89 GFLOP/s). */
#undef DEFINE_SLOT
#define DEFINE_SLOT(width)                                                                         \
    static __attribute__((noinline)) void FN(stack_slot_##width)(                                  \
        const stack_job *job, const real *x, const real *G, ptrdiff_t lds, ptrdiff_t begin,        \
        ptrdiff_t end, vec *to) {                                                                  \
        FN(stack_slot)(job, x, G, lds, begin, end, to, width);                                     \
    }
DEFINE_SLOT(1)
DEFINE_SLOT(2)
#if STACK_WIDTH == 3
DEFINE_SLOT(3)
#endif

/* the same over all slots, and from there to W */
SPECIALISED void FN(stack_update)(const stack_job *job, ptrdiff_t p, real *w, const StackDesk *desk,
                                  ptrdiff_t column, ptrdiff_t lds, ivec *largest, const int width) {
    const linear_job *one = &job->one;
    const real *x = (const real *)job->x + p * STACK_STRIP, *G = desk->S + column;
    vec before[TREE_DEPTH][STACK_FEATURES * STACK_WIDTH], total[STACK_FEATURES * STACK_WIDTH];
    const int n = STACK_FEATURES * width;
    for (ptrdiff_t k = 0; k < n * V; k += LANES) __builtin_prefetch(w + k, 1, 3);
    for (ptrdiff_t slot = 0; slot < one->slots; slot++) {
        const ptrdiff_t begin = one->blocks * slot / one->slots * one->block;
        const ptrdiff_t end =
            FN(smaller)(one->blocks * (slot + 1) / one->slots * one->block, one->N);
        const int merges = FN(merges_after)(slot);
        switch (width) {
        case 1: FN(stack_slot_1)(job, x, G, lds, begin, end, total); break;
        case 2: FN(stack_slot_2)(job, x, G, lds, begin, end, total); break;
#if STACK_WIDTH == 3
        default: FN(stack_slot_3)(job, x, G, lds, begin, end, total);
#endif
        }
        for (int m = 0; m < merges; m++)
            for (int t = 0; t < n; t++) total[t] = before[m][t] + total[t];
        for (int t = 0; slot + 1 < one->slots && t < n; t++) before[merges][t] = total[t];
    }
    const vec mean = FN(splat)((real)(1 / *one->normalizers));
    if (FN(folded)(one))
        for (int f = 0; f < STACK_FEATURES && p + f < job->features; f++) {
            const ptrdiff_t d = job->order[p + f];
            const vec offset = FN(splat)(FN(affine)(one, 1)[d]);
            const vec factor = FN(splat)(FN(affine)(one, 2)[d]);
            for (int k = 0; k < width; k++) {
                vec *sum = &total[f * width + k];
                *sum = (*sum + offset * FN(load)(desk->fold + column + k * V)) * factor;
            }
        }
    UNROLLED (k, width) {
        const vec reg = FN(load)(desk->reg + column + k * V);
        const vec rate = FN(load)(desk->rate + column + k * V);
        UNROLLED (f, STACK_FEATURES) {
            real *to = w + (f * width + k) * V;
            const vec now = FN(load)(to);
            vec step = FN(with_penalty)(total[f * width + k], mean, now, reg) * rate;
            ROUNDED(step);
            FN(store)(to, now - step);
            largest[k] = FN(larger_size)(largest[k], now - step);
        }
    }
}

#undef DEFINE_STACK
#define DEFINE_STACK(width)                                                                        \
    static void FN(stack_scores_##width)(const stack_job *job, const real *x, const real *w,       \
                                         real *S, ptrdiff_t lds) {                                 \
        FN(stack_scores)(job, x, w, S, lds, width);                                                \
    }                                                                                              \
    static void FN(stack_update_##width)(const stack_job *job, ptrdiff_t p, real *w,               \
                                         const StackDesk *desk, ptrdiff_t column, ptrdiff_t lds,   \
                                         ivec *largest) {                                          \
        FN(stack_update)(job, p, w, desk, column, lds, largest, width);                            \
    }
DEFINE_STACK(1)
DEFINE_STACK(2)
#if STACK_WIDTH == 3
DEFINE_STACK(3)
#endif

static void FN(group_scores)(const stack_job *job, const Group *g, const StackDesk *desk) {
    const linear_job *one = &job->one;
    const real *factor = FN(affine)(one, 2);
    const size_t bytes = (size_t)(g->vectors * V) * sizeof(real);
    for (ptrdiff_t i = 0; i < job->strips * STACK_STRIP; i++)
        memcpy(desk->S + i * g->lds, desk->start, bytes);
    for (ptrdiff_t t = 0; t < g->tiles; t++) {
        const ptrdiff_t from = FN(tile_at)(g, t) * V, n = FN(tile_at)(g, t + 1) * V - from;
        const real *w = g->w + job->height * from;
        if (job->scales) {
            for (ptrdiff_t p = 0; p < job->features; p++)
                for (ptrdiff_t c = 0; c < n; c++)
                    desk->rows[p * n + c] = w[p * n + c] * factor[job->order[p]];
            w = desk->rows;
        }
        for (ptrdiff_t i = 0; i < job->strips * STACK_STRIP; i += STACK_ROWS) {
            const real *x = (const real *)job->x + i / STACK_STRIP * job->height * STACK_STRIP +
                            i % STACK_STRIP;
            real *S = desk->S + i * g->lds + from;
            switch (n / V) {
            case 1: FN(stack_scores_1)(job, x, w, S, g->lds); break;
            case 2: FN(stack_scores_2)(job, x, w, S, g->lds); break;
#if STACK_WIDTH == 3
            default: FN(stack_scores_3)(job, x, w, S, g->lds);
#endif
            }
        }
    }
}

/* the scores turn into their gradients; losses and dbias of each slot */
static void FN(group_losses)(const stack_job *job, const Group *g, const StackDesk *desk) {
    const linear_job *one = &job->one;
    const ptrdiff_t C = one->C, K = g->models;
    double *totals = desk->loss + one->slots * K;
    memset(desk->loss, 0, (size_t)(one->slots * K) * sizeof(double));
    memset(desk->dbias, 0, (size_t)(one->slots * g->columns) * sizeof(double));
    for (ptrdiff_t b = 0, slot = 0; b < one->blocks; b++) {
        const ptrdiff_t first = b * one->block, rows = FN(smaller)(one->N - first, one->block);
        if (b == one->blocks * (slot + 1) / one->slots) slot++;
        memset(totals, 0, (size_t)K * sizeof(double));
        for (ptrdiff_t i = first; i < first + rows; i += V) {
            const ptrdiff_t lanes = FN(smaller)(first + rows - i, V);
            vec coef;
            const Aim a = FN(aim_at)(&one->target, one->rows, i, lanes, C, &coef);
            for (ptrdiff_t m = 0; m < K; m++) {
                const cube scores = {desk->S + m * C, {g->lds, 1, 0}, NULL};
                FN(pack)(&scores, 1, C, i, lanes, desk->strip, V);
                vec of_rows =
                    FN(row_loss)(one->loss, desk->strip, V, C, &a, coef, desk->strip, V, 0, 1);
                FN(unpack)(desk->strip, V, 1, C, i, lanes, &scores, 0);
                for (ptrdiff_t k = 0; k < lanes; k++)
                    totals[m] += (double)of_rows[k] * (double)coef[k];
            }
        }
        for (ptrdiff_t m = 0; m < K; m++) desk->loss[slot * K + m] += totals[m];
        for (ptrdiff_t i = first; i < first + rows; i++)
            for (ptrdiff_t c = 0; c < g->columns; c++)
                desk->dbias[slot * g->columns + c] += (double)desk->S[i * g->lds + c];
    }
}

/* sums over slots, by the tree of add_slots in linear.pxi; those of the first slot are in place */
static void FN(add_tree)(double *of_slots, ptrdiff_t slots, ptrdiff_t n) {
    for (ptrdiff_t step = 1; step < slots; step *= 2)
        for (ptrdiff_t s = 0; s < slots; s += 2 * step)
            for (ptrdiff_t k = 0; k < n; k++) of_slots[s * n + k] += of_slots[(s + step) * n + k];
}

static void FN(group_update)(const stack_job *job, const Group *g, const StackDesk *desk) {
    const linear_job *one = &job->one;
    const ptrdiff_t C = one->C, columns = g->columns;
    for (ptrdiff_t c = 0; c < g->vectors * V; c++) {
        double sum = 0; /* one slot after the other, as in merge */
        for (ptrdiff_t s = 0; c < columns && s < one->slots; s++)
            sum += desk->dbias[s * columns + c];
        desk->fold[c] = (real)sum;
    }
    for (ptrdiff_t first = 0; first < job->height; first += FEATURES_AT_ONCE)
        for (ptrdiff_t t = 0; t < g->tiles; t++) {
            const ptrdiff_t from = FN(tile_at)(g, t) * V, n = FN(tile_at)(g, t + 1) * V - from;
            const ptrdiff_t end = FN(smaller)(first + FEATURES_AT_ONCE, job->height);
            ivec largest[STACK_WIDTH] = {0};
            for (ptrdiff_t p = first; p < end; p += STACK_FEATURES) {
                real *w = g->w + job->height * from + p * n;
                switch (n / V) {
                case 1: FN(stack_update_1)(job, p, w, desk, from, g->lds, largest); break;
                case 2: FN(stack_update_2)(job, p, w, desk, from, g->lds, largest); break;
#if STACK_WIDTH == 3
                default: FN(stack_update_3)(job, p, w, desk, from, g->lds, largest);
#endif
                }
            }
            for (ptrdiff_t c = from; c < from + n && c < columns; c++)
                job->far[g->first + c / C] |=
                    FN(far)(((vec)largest[(c - from) / V])[(c - from) % V]);
        }
    FN(add_tree)(desk->dbias, one->slots, columns);
    for (ptrdiff_t c = 0; job->bias && c < columns; c++) {
        real *b = (real *)job->bias + g->first * C + c;
        vec step = FN(splat)((real)(desk->dbias[c] / *one->normalizers) * desk->rate[c]);
        ROUNDED(step);
        *b -= step[0];
    }
}

static void FN(group_step)(const stack_job *job, ptrdiff_t group, char *scratch) {
    const Group g = FN(find_group)(job, group);
    StackDesk desk;
    FN(lay_out_stack)(job, scratch, &desk);
    memset(job->far + g.first, 0, (size_t)g.models);
    FN(look)(job, &g, &desk);
    FN(group_scores)(job, &g, &desk);
    FN(group_losses)(job, &g, &desk);
    FN(group_update)(job, &g, &desk);
    FN(add_tree)(desk.loss, job->one.slots, g.models);
    for (ptrdiff_t m = 0; m < g.models; m++) job->losses[g.first + m] = desk.loss[m];
}

/* As linear_unit: all units of a stage before any of the next. */
static void FN(stack_unit)(stack_job *job, int stage, ptrdiff_t unit, char *scratch) {
    const linear_job *one = &job->one;
    const ptrdiff_t begin = unit * FEATURES;
    switch (stage) {
    case PREPARE:
        if (FN(kind)(one) != PLAIN)
            FN(fold_features)(one, begin, FN(smaller)(begin + FEATURES, one->D));
        break;
    case FOLD:
        FN(order_features)(job);
        job->scales = 0;
        for (ptrdiff_t d = 0; FN(folded)(one) && d < one->D; d++)
            job->scales |= FN(affine)(one, 2)[d] != 1;
        break;
    case ROWS: FN(take_strip)(job, unit, scratch); break;
    default: FN(group_step)(job, unit, scratch);
    }
}
