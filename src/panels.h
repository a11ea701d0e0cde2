/* The two skinny products on one block of rows of X. (Included once per real: see kernels.h.)
 *
 *     scores:    S[c][i] = bias[c] + sum_d x[i][d] wt[c][d]
 *     gradient:  dwt[c][d] += sum_i G[c][i] x[i][d]
 *
 * W and dW are transposed and vectors run over features, so that every lane works whatever the
 * number of classes (over classes, 6 of 16 lanes would idle at C = 10). Accumulators stay in
 * registers: ABREAST rows x AT_ONCE classes forward, PANEL classes x two vectors of features
 * backward; many classes are many panels. (What else was tried, and what it gave, is in ladder/.)
 * Rows come as pointers, so a block may lie anywhere. The last vector of features overlaps the one
 * before it, and lanes that were done already are masked.
 *
 * While it computes, a block's first panel asks for the next block: half of its lines forward, half
 * backward, in the order in which they lie in memory. A core can wait for two dozen lines at a
 * time, about 13 GB/s, so the whole pass must ask. Rows of 3073 floats on two threads: no prefetch
 * 46 ms, all of it backward by columns 34 ms, in the order of memory 31 ms, by halves 28 ms.
 */
#ifndef PANEL
#if VEC_BYTES == 64 || defined(__aarch64__)
#define PANEL 10 /* 32 registers: 20 accumulators */
#define ABREAST 4
#else
#define PANEL 5 /* 16 registers: 10 accumulators */
#define ABREAST 2
#endif
#define AT_ONCE 5   /* classes, of a panel's */
#define GROUP 32    /* rows whose sums are kept lane by lane */
#define FEW_ROWS 32 /* so many do not hide what it costs to ask for a tile of dW */
/* of the panel of W that the rows go over one after the other: it stays in L1 */
#define STRETCH_BYTES 20480
#define PREFETCH(address) __builtin_prefetch(address, 0, 2) /* to read, into L2 */
/* Keeps vectors in registers from here on. gcc 12 loads w again for each use, and then loads, not
   the arithmetic, are the limit (117 against 180 GFLOP/s); or it leaves one row's vector in memory,
   depending on the code around the loop (213 against 272). */
#if defined(__x86_64__)
#define IN_REGISTERS(w, a) __asm__("" : "+v"(w) : "v"((a)[0]), "v"((a)[1]), LAST_TWO("v", a))
#elif defined(__aarch64__)
#define IN_REGISTERS(w, a) __asm__("" : "+w"(w) : "w"((a)[0]), "w"((a)[1]), LAST_TWO("w", a))
#else
#define IN_REGISTERS(w, a) (void)(w)
#endif
#define LAST_TWO(kind, a) kind((a)[ABREAST - 2]), kind((a)[ABREAST - 1])
#endif

#undef Block
#define Block FN(Block)
typedef struct {
    const real *const *x; /* rows of the block, the last one again to a multiple of ABREAST */
    ptrdiff_t rows, D;    /* D >= V */
    /* What to prefetch: the rows of the block after this one, as many, or NULL. If they are
       `narrow` they will be widened to reals, and are so short that the gradient alone asks for
       them. */
    const char *const *next;
    ptrdiff_t next_bytes; /* of a row */
    int narrow;
    int only_scores; /* no gradient follows that could ask for a part */
} Block;

/* the last V features of D, with 0 for those before `begin` */
INLINE vec FN(not_before)(ptrdiff_t begin, ptrdiff_t D, vec last) {
    return FN(keep)(FN(iota)() >= FN(isplat)((sint)(begin - (D - V))), last);
}

/* ABREAST rows x P classes over features begin..end, lane by lane, to sums[p][r]. Meanwhile it asks
   for the same features of `asks` rows, at most MOST. */
INLINE void FN(scores_tile)(const real *const *x, const char *const *ask, int asks, const real *wt,
                            ptrdiff_t ld, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t D,
                            vec (*sums)[GROUP], const int P, const int MOST) {
    const char *next[ABREAST];
    const ptrdiff_t full = end - (end - begin) % V;
    const real *row[ABREAST];
    vec sum[AT_ONCE][ABREAST], a[ABREAST];
    UNROLLED (r, ABREAST) row[r] = x[r];
    UNROLLED (k, MOST) next[k] = ask && k < asks ? ask[k] : NULL;
    UNROLLED (p, P)
        UNROLLED (r, ABREAST) sum[p][r] = (vec){0};
    for (ptrdiff_t d = begin; d < full; d += V) {
        UNROLLED (r, ABREAST) a[r] = FN(load)(row[r] + d);
        UNROLLED (k, MOST)
            if (next[k]) PREFETCH(next[k] + d * (ptrdiff_t)sizeof(real));
        UNROLLED (p, P) {
            vec w = FN(load)(wt + p * ld + d);
            IN_REGISTERS(w, a);
            UNROLLED (r, ABREAST) sum[p][r] += a[r] * w;
        }
    }
    if (full < end) {
        UNROLLED (r, ABREAST) a[r] = FN(not_before)(full, D, FN(load)(row[r] + D - V));
        UNROLLED (p, P) {
            vec w = FN(not_before)(full, D, FN(load)(wt + p * ld + D - V)); /* 0 * inf is NaN */
            UNROLLED (r, ABREAST) sum[p][r] += a[r] * w;
        }
    }
    UNROLLED (p, P)
        UNROLLED (r, ABREAST) sums[p][r] = begin ? sums[p][r] + sum[p][r] : sum[p][r];
}

/* P classes of GROUP rows from `first` on. Lanes are summed once, at the end. */
INLINE void FN(scores_panel)(const Block *b, const char *const *next, ptrdiff_t first,
                             const real *wt, ptrdiff_t ld, const real *bias, real *S, ptrdiff_t lds,
                             const int P) {
    const ptrdiff_t rows = b->rows - first < GROUP ? b->rows - first : GROUP;
    const ptrdiff_t stretch = STRETCH_BYTES / (P * (ptrdiff_t)sizeof(real)) / V * V;
    const int tiles = P > AT_ONCE ? 2 : 1, lower = (P + tiles - 1) / tiles, most = ABREAST / tiles;
    const int asks = b->only_scores ? most : most / 2; /* for all of the next block, or for half */
    vec sums[PANEL][GROUP];
    for (ptrdiff_t begin = 0; begin < b->D; begin += stretch) {
        const ptrdiff_t end = begin + stretch < b->D ? begin + stretch : b->D;
        for (ptrdiff_t i = 0; i < rows; i += ABREAST) {
            const real *const *x = b->x + first + i;
            const char *const *ask = next ? next + (first + i) * asks / most : NULL;
            FN(scores_tile)(x, ask, asks, wt, ld, begin, end, b->D, (vec(*)[GROUP]) & sums[0][i],
                            lower, most);
            if (tiles == 2)
                FN(scores_tile)(x, ask ? ask + asks : NULL, asks, wt + lower * ld, ld, begin, end,
                                b->D, (vec(*)[GROUP]) & sums[lower][i], P - lower, most);
        }
    }
    for (int p = 0; p < P; p++)
        for (ptrdiff_t i = 0; i < rows; i += V)
            FN(store)(S + p * lds + first + i,
                      FN(lane_sums)(&sums[p][i]) + (bias ? bias[p] : (real)0));
}

/* P classes x `width` vectors of features from d on, of which those before `begin` are done. The
   block's sum starts from zero: one chain of additions over all blocks had 10 times NumPy's error
   where a feature is constant. */
INLINE void FN(gradient_tile)(const Block *b, const char *next, ptrdiff_t step, ptrdiff_t d,
                              ptrdiff_t begin, const real *G, ptrdiff_t ldg, real *dwt,
                              ptrdiff_t ld, const int P, const int width) {
    vec sum[PANEL][2];
    UNROLLED (p, P)
        UNROLLED (k, width) sum[p][k] = (vec){0};
    /* Of many classes, dW is out of L2: its lines are on their way while the rows pass (1000
       classes, two threads: 1.06 to 1.09x). */
    if (b->rows > FEW_ROWS)
        UNROLLED (p, P)
            UNROLLED (k, width) __builtin_prefetch(dwt + p * ld + d + k * V, 1, 3);
    for (ptrdiff_t i = 0; i < b->rows; i++) {
        vec a[2];
        UNROLLED (k, width) a[k] = FN(load)(b->x[i] + d + k * V);
        if (next) PREFETCH(next + i * step);
        UNROLLED (p, P) {
            vec g = FN(splat)(G[p * ldg + i]);
            UNROLLED (k, width) sum[p][k] += g * a[k];
        }
    }
    UNROLLED (p, P)
        UNROLLED (k, width) {
            real *to = dwt + p * ld + d + k * V;
            if (begin > d) sum[p][k] = FN(not_before)(begin, b->D, sum[p][k]);
            FN(store)(to, FN(load)(to) + sum[p][k]);
        }
}

INLINE void FN(gradient_panel)(const Block *b, const char *const *next, const real *G,
                               ptrdiff_t ldg, real *dwt, ptrdiff_t ld, const int P) {
    /* one prefetch for each tile and row, for half of the next block or for all of narrow rows */
    const ptrdiff_t start = b->narrow ? 0 : (b->rows + 1) / 2 * b->next_bytes;
    const ptrdiff_t step = b->narrow ? 2 * V * b->next_bytes / b->D : VEC_BYTES;
    ptrdiff_t d = 0;
    for (; d + 2 * V <= b->D; d += 2 * V) {
        if (next) {
            const ptrdiff_t at = start + d / (2 * V) * b->rows * step;
            const char *from = next[at / b->next_bytes] + at % b->next_bytes;
            FN(gradient_tile)(b, from, step, d, d, G, ldg, dwt, ld, P, 2);
        } else {
            FN(gradient_tile)(b, NULL, 0, d, d, G, ldg, dwt, ld, P, 2);
        }
    }
    for (; d < b->D; d += V)
        FN(gradient_tile)(b, NULL, 0, d + V <= b->D ? d : b->D - V, d, G, ldg, dwt, ld, P, 1);
}

/* A panel's width must be a constant for its accumulators to be registers: a function for each. (In
   one function of all widths gcc 12 left vectors in memory: 213 in place of 272 GFLOP/s.) */
#undef DEFINE_WIDTH
#define DEFINE_WIDTH(P)                                                                            \
    static void FN(scores_##P)(const Block *b, const char *const *next, ptrdiff_t first,           \
                               const real *wt, ptrdiff_t ld, const real *bias, real *S,            \
                               ptrdiff_t lds) {                                                    \
        FN(scores_panel)(b, next, first, wt, ld, bias, S, lds, P);                                 \
    }                                                                                              \
    static void FN(gradient_##P)(const Block *b, const char *const *next, const real *G,           \
                                 ptrdiff_t ldg, real *dwt, ptrdiff_t ld) {                         \
        FN(gradient_panel)(b, next, G, ldg, dwt, ld, P);                                           \
    }
DEFINE_WIDTH(1)
DEFINE_WIDTH(2)
DEFINE_WIDTH(3)
DEFINE_WIDTH(4)
DEFINE_WIDTH(5)
#if PANEL == 10
DEFINE_WIDTH(6)
DEFINE_WIDTH(7)
DEFINE_WIDTH(8)
DEFINE_WIDTH(9)
DEFINE_WIDTH(10)
#endif

#undef WIDTHS
#if PANEL == 10
#define WIDTHS(name)                                                                               \
    {FN(name##_1), FN(name##_2), FN(name##_3), FN(name##_4), FN(name##_5),                         \
     FN(name##_6), FN(name##_7), FN(name##_8), FN(name##_9), FN(name##_10)}
#else
#define WIDTHS(name) {FN(name##_1), FN(name##_2), FN(name##_3), FN(name##_4), FN(name##_5)}
#endif
typedef void FN(scores_function)(const Block *, const char *const *, ptrdiff_t, const real *,
                                 ptrdiff_t, const real *, real *, ptrdiff_t);
typedef void FN(gradient_function)(const Block *, const char *const *, const real *, ptrdiff_t,
                                   real *, ptrdiff_t);
static FN(scores_function) *const FN(scores_of_width)[PANEL] = WIDTHS(scores);
static FN(gradient_function) *const FN(gradient_of_width)[PANEL] = WIDTHS(gradient);

/* classes in each panel: all PANEL or fewer, none much narrower than the others (11 = 6 + 5, not 10
 * + 1) */
INLINE ptrdiff_t FN(panel_width)(ptrdiff_t C) {
    ptrdiff_t panels = (C + PANEL - 1) / PANEL;
    return (C + panels - 1) / panels;
}

INLINE ptrdiff_t FN(smaller)(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

static void FN(scores)(const Block *b, const real *wt, ptrdiff_t ld, ptrdiff_t C, const real *bias,
                       real *S, ptrdiff_t lds) {
    const ptrdiff_t width = FN(panel_width)(C);
    for (ptrdiff_t c = 0; c < C; c += width) {
        FN(scores_function) *panel = FN(scores_of_width)[FN(smaller)(width, C - c) - 1];
        for (ptrdiff_t i = 0; i < b->rows; i += GROUP)
            panel(b, c || b->narrow ? NULL : b->next, i, wt + c * ld, ld, bias ? bias + c : NULL,
                  S + c * lds, lds);
    }
}

static void FN(gradient)(const Block *b, ptrdiff_t C, const real *G, ptrdiff_t ldg, real *dwt,
                         ptrdiff_t ld) {
    const ptrdiff_t width = FN(panel_width)(C);
    for (ptrdiff_t c = 0; c < C; c += width) {
        FN(gradient_function) *panel = FN(gradient_of_width)[FN(smaller)(width, C - c) - 1];
        panel(b, c ? NULL : b->next, G + c * ldg, ldg, dwt + c * ld, ld);
    }
}
