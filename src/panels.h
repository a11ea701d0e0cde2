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
 * x is read as it lies: reals, reals less the middle of each feature, or bytes less it, which
 * become reals in registers. (Through a copy of the block as reals, pixels took 1.5 times as long.)
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
#define FORWARD 10  /* classes of a panel of scores: two tiles over the same rows */
#define FEW_ROWS 32 /* so many do not hide what it costs to ask for a tile of dW */
/* rows' numbers are: reals; reals, less the middle; bytes, less it; reals that the next panels
   want, too; packed by the panel before */
enum { PLAIN, CENTRED, PIXELS, SHARED, PACKED };
/* of the panel of W that the rows go over one after the other: it stays in L1 */
#define STRETCH_BYTES 21504
/* and of the rows, as reals, that they leave there for the next tile */
#define STRETCH (4096 / (ptrdiff_t)sizeof(real))
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
    int kind;             /* of the first three */
    const char *const *x; /* rows of the block, the last one again to a multiple of ABREAST */
    ptrdiff_t rows, D;    /* D >= V */
    const real *middle;   /* (D), of PIXELS as `widened` wants it; not read of PLAIN rows */
    /* Whether scores come FORWARD classes at a time, as rows want that are not PLAIN: two tiles
       share what becomes of them. Of reals, W of one tile at a time is 3 % faster. */
    int paired;
    /* What to prefetch: the rows of the block after this one, as many, or NULL. If they are
       `narrow`, bytes, they are so short that one product asks for them: the gradient, if any. */
    const char *const *next;
    ptrdiff_t next_bytes; /* of a row */
    int narrow;
    int only_scores; /* no gradient follows that could ask for a part */
} Block;

/* V numbers of a row from feature d on, less `middle`, theirs */
INLINE vec FN(numbers)(const char *row, ptrdiff_t d, vec middle, const int kind) {
    if (kind == PIXELS) return FN(widened)((const uint8_t *)row + d) - middle;
    vec x = FN(load)((const real *)row + d);
    return kind == CENTRED ? x - middle : x;
}

INLINE vec FN(middle_at)(const real *middle, ptrdiff_t d, const int kind) {
    return kind == CENTRED || kind == PIXELS ? FN(load)(middle + d) : (vec){0};
}

/* the last V features of D, with 0 for those before `begin` */
INLINE vec FN(not_before)(ptrdiff_t begin, ptrdiff_t D, vec last) {
    return FN(keep)(FN(iota)() >= FN(isplat)((sint)(begin - (D - V))), last);
}

/* ABREAST rows x P classes over features begin..end, added to S[p][r]. Meanwhile it asks for the
   same features, of `size` bytes, of `asks` rows, at most MOST. If the rows are not PLAIN, it
   leaves them as reals in `plain`, one row STRETCH numbers behind the other, for the next tile.

   Lanes are summed while they are in registers. (Through memory, once for all of a row's features,
   with AVX-512: 64 features and 10 classes 76 -> 58 GFLOP/s, 3073 features the same.) */
SPECIALISED void FN(scores_tile)(const char *const *x, const real *middle, real *plain,
                                 const char *const *ask, int asks, const real *wt, ptrdiff_t ld,
                                 ptrdiff_t begin, ptrdiff_t end, ptrdiff_t D, real *S,
                                 ptrdiff_t lds, const int P, const int MOST, const int kind,
                                 const ptrdiff_t size) {
    const char *next[ABREAST];
    const ptrdiff_t full = end - (end - begin) % V;
    const char *row[ABREAST];
    vec sum[AT_ONCE][ABREAST], a[ABREAST];
    UNROLLED (r, ABREAST) row[r] = x[r];
    UNROLLED (k, MOST) next[k] = ask && k < asks ? ask[k] : NULL;
    UNROLLED (p, P)
        UNROLLED (r, ABREAST) sum[p][r] = (vec){0};
    for (ptrdiff_t d = begin; d < full; d += V) {
        vec m = FN(middle_at)(middle, d, kind);
        UNROLLED (r, ABREAST) a[r] = FN(numbers)(row[r], d, m, kind);
        if (kind != PLAIN)
            UNROLLED (r, ABREAST) FN(store)(plain + r * STRETCH + d - begin, a[r]);
        UNROLLED (k, MOST)
            if (next[k]) PREFETCH(next[k] + d * size);
        UNROLLED (p, P) {
            vec w = FN(load)(wt + p * ld + d);
            IN_REGISTERS(w, a);
            UNROLLED (r, ABREAST) sum[p][r] += a[r] * w;
        }
    }
    if (full < end) {
        vec m = FN(middle_at)(middle, D - V, kind);
        UNROLLED (r, ABREAST) a[r] = FN(numbers)(row[r], D - V, m, kind);
        if (kind != PLAIN)
            UNROLLED (r, ABREAST) FN(store)(plain + r * STRETCH + D - V - begin, a[r]);
        UNROLLED (r, ABREAST) a[r] = FN(not_before)(full, D, a[r]);
        UNROLLED (p, P) {
            vec w = FN(not_before)(full, D, FN(load)(wt + p * ld + D - V)); /* 0 * inf is NaN */
            UNROLLED (r, ABREAST) sum[p][r] += a[r] * w;
        }
    }
    UNROLLED (p, P) {
        real *s = S + p * lds;
        if (ABREAST >= TILE) {
            UNROLLED (r, ABREAST)
                if (r % TILE == 0)
                    FN(store_piece)(s + r, FN(load_piece)(s + r) + FN(lane_sums)(&sum[p][r]));
        } else if (p % 2 == 0) { /* two rows of two classes; of the last one twice, if need be */
            const int q = p + 1 < P ? p + 1 : p;
            real *t = S + q * lds;
            vec four[] = {sum[p][0], sum[p][1], sum[q][0], sum[q][1]};
            FN(store_halves)(s, t, FN(load_halves)(s, t) + FN(lane_sums)(four));
        }
    }
}

/* features that rows go over at a time, for panels of `width` classes: equal pieces */
INLINE ptrdiff_t FN(stretch)(ptrdiff_t D, ptrdiff_t width, int paired) {
    ptrdiff_t most = STRETCH_BYTES / (width * (ptrdiff_t)sizeof(real));
    if (paired && most > STRETCH - 2 * V) most = STRETCH - 2 * V;
    const ptrdiff_t pieces = (D + most - 1) / most;
    return ((D + pieces - 1) / pieces + V - 1) / V * V;
}

/* P classes of all rows */
SPECIALISED void FN(scores_panel)(const Block *b, const char *const *next, ptrdiff_t stretch,
                                  const real *wt, ptrdiff_t ld, real *S, ptrdiff_t lds, const int P,
                                  const int kind) {
    const int tiles = P > AT_ONCE ? 2 : 1, lower = (P + tiles - 1) / tiles, most = ABREAST / tiles;
    const int asks = b->only_scores ? most : most / 2; /* for all of the next block, or for half */
    const ptrdiff_t size = kind == PIXELS ? 1 : (ptrdiff_t)sizeof(real);
    real plain[ABREAST * STRETCH]; /* from V on: the last vector begins before */
    for (ptrdiff_t begin = 0; begin < b->D; begin += stretch) {
        const ptrdiff_t end = begin + stretch < b->D ? begin + stretch : b->D;
        for (ptrdiff_t i = 0; i < b->rows; i += ABREAST) {
            const char *const *x = b->x + i;
            const char *const *ask = next ? next + i * asks / most : NULL;
            const char *reals[ABREAST];
            UNROLLED (r, ABREAST)
                reals[r] = kind == PLAIN ? x[r] : (const char *)(plain + V + r * STRETCH - begin);
            FN(scores_tile)(x, b->middle, plain + V, ask, asks, wt, ld, begin, end, b->D, S + i,
                            lds, lower, most, kind, size);
            if (tiles == 2)
                FN(scores_tile)(reals, NULL, NULL, ask ? ask + asks : NULL, asks, wt + lower * ld,
                                ld, begin, end, b->D, S + lower * lds + i, lds, P - lower, most,
                                PLAIN, size);
        }
    }
}

/* P classes x `width` vectors of features from d on, of which those before `begin` are done. The
   block's sum starts from zero: one chain of additions over all blocks had 10 times NumPy's error
   where a feature is constant. Rows that are not PLAIN are left in `packed`, side by side. */
SPECIALISED void FN(gradient_tile)(const Block *b, real *packed, const char *next, ptrdiff_t step,
                                   ptrdiff_t d, ptrdiff_t begin, const real *G, ptrdiff_t ldg,
                                   real *dwt, ptrdiff_t ld, const int P, const int width,
                                   const int kind) {
    vec sum[PANEL][2], m[2];
    if (kind != PACKED)
        UNROLLED (k, width) m[k] = FN(middle_at)(b->middle, d + k * V, kind);
    UNROLLED (p, P)
        UNROLLED (k, width) sum[p][k] = (vec){0};
    /* Of many classes, dW is out of L2: its lines are on their way while the rows pass (1000
       classes, two threads: 1.06 to 1.09x). */
    if (b->rows > FEW_ROWS)
        UNROLLED (p, P)
            UNROLLED (k, width) __builtin_prefetch(dwt + p * ld + d + k * V, 1, 3);
    for (ptrdiff_t i = 0; i < b->rows; i++) {
        real *tile = packed + i * width * V;
        vec a[2];
        UNROLLED (k, width) {
            if (kind == PACKED) {
                a[k] = FN(load)(tile + k * V);
            } else {
                a[k] = FN(numbers)(b->x[i], d + k * V, m[k], kind);
                if (kind != PLAIN) FN(store)(tile + k * V, a[k]);
            }
        }
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

/* P classes of features from..to */
SPECIALISED void FN(gradient_panel)(const Block *b, real *packed, const char *const *next,
                                    ptrdiff_t start, ptrdiff_t from, ptrdiff_t to, const real *G,
                                    ptrdiff_t ldg, real *dwt, ptrdiff_t ld, const int P,
                                    const int kind) {
    /* one prefetch for each tile and row, from byte `start` of the next block on: half of it, or
       all of narrow rows */
    const ptrdiff_t step = b->narrow ? 2 * V * b->next_bytes / b->D : VEC_BYTES;
    ptrdiff_t d = from;
    for (; d + 2 * V <= to; d += 2 * V, packed += 2 * V * b->rows) {
        if (next) {
            const ptrdiff_t at = start + d / (2 * V) * b->rows * step;
            const char *ask = next[at / b->next_bytes] + at % b->next_bytes;
            FN(gradient_tile)(b, packed, ask, step, d, d, G, ldg, dwt, ld, P, 2, kind);
        } else {
            FN(gradient_tile)(b, packed, NULL, 0, d, d, G, ldg, dwt, ld, P, 2, kind);
        }
    }
    for (; d < to; d += V, packed += V * b->rows)
        FN(gradient_tile)(b, packed, NULL, 0, d + V <= b->D ? d : b->D - V, d, G, ldg, dwt, ld, P,
                          1, kind);
}

/* A panel's width must be a constant for its accumulators to be registers: a function for each. (In
   one function of all widths gcc 12 left vectors in memory: 213 in place of 272 GFLOP/s.) */
#undef DEFINE_SCORES
#define DEFINE_SCORES(P, kind)                                                                     \
    static void FN(scores_##kind##_##P)(const Block *b, const char *const *next,                   \
                                        ptrdiff_t stretch, const real *wt, ptrdiff_t ld, real *S,  \
                                        ptrdiff_t lds) {                                           \
        FN(scores_panel)(b, next, stretch, wt, ld, S, lds, P, kind);                               \
    }
#undef DEFINE_GRADIENT
#define DEFINE_GRADIENT(P, kind)                                                                   \
    static void FN(gradient_##kind##_##P)(const Block *b, real *packed, const char *const *next,   \
                                          ptrdiff_t start, ptrdiff_t from, ptrdiff_t to,           \
                                          const real *G, ptrdiff_t ldg, real *dwt, ptrdiff_t ld) { \
        FN(gradient_panel)(b, packed, next, start, from, to, G, ldg, dwt, ld, P, kind);            \
    }
#undef WIDTHS_1_TO_5
#define WIDTHS_1_TO_5(define, kind)                                                                \
    define(1, kind) define(2, kind) define(3, kind) define(4, kind) define(5, kind)
#undef WIDTHS_6_TO_10
#define WIDTHS_6_TO_10(define, kind)                                                               \
    define(6, kind) define(7, kind) define(8, kind) define(9, kind) define(10, kind)
WIDTHS_1_TO_5(DEFINE_SCORES, PLAIN)
WIDTHS_1_TO_5(DEFINE_SCORES, CENTRED)
WIDTHS_1_TO_5(DEFINE_SCORES, PIXELS)
WIDTHS_6_TO_10(DEFINE_SCORES, PLAIN)
WIDTHS_6_TO_10(DEFINE_SCORES, CENTRED)
WIDTHS_6_TO_10(DEFINE_SCORES, PIXELS)
WIDTHS_1_TO_5(DEFINE_GRADIENT, PLAIN)
WIDTHS_1_TO_5(DEFINE_GRADIENT, CENTRED)
WIDTHS_1_TO_5(DEFINE_GRADIENT, PIXELS)
WIDTHS_1_TO_5(DEFINE_GRADIENT, SHARED)
WIDTHS_1_TO_5(DEFINE_GRADIENT, PACKED)
#if PANEL == 10
WIDTHS_6_TO_10(DEFINE_GRADIENT, PLAIN)
WIDTHS_6_TO_10(DEFINE_GRADIENT, CENTRED)
WIDTHS_6_TO_10(DEFINE_GRADIENT, PIXELS)
WIDTHS_6_TO_10(DEFINE_GRADIENT, SHARED)
WIDTHS_6_TO_10(DEFINE_GRADIENT, PACKED)
#endif

#undef TO_10
#define TO_10(name)                                                                                \
    {FN(name##_1), FN(name##_2), FN(name##_3), FN(name##_4), FN(name##_5),                         \
     FN(name##_6), FN(name##_7), FN(name##_8), FN(name##_9), FN(name##_10)}
#undef WIDTHS
#if PANEL == 10
#define WIDTHS(name) TO_10(name)
#else
#define WIDTHS(name) {FN(name##_1), FN(name##_2), FN(name##_3), FN(name##_4), FN(name##_5)}
#endif
typedef void FN(scores_function)(const Block *, const char *const *, ptrdiff_t, const real *,
                                 ptrdiff_t, real *, ptrdiff_t);
typedef void FN(gradient_function)(const Block *, real *, const char *const *, ptrdiff_t, ptrdiff_t,
                                   ptrdiff_t, const real *, ptrdiff_t, real *, ptrdiff_t);
static FN(scores_function) *const FN(scores_of_width)[][FORWARD] = {
    TO_10(scores_PLAIN), TO_10(scores_CENTRED), TO_10(scores_PIXELS)};
static FN(gradient_function) *const FN(gradient_of_width)[][PANEL] = {
    WIDTHS(gradient_PLAIN), WIDTHS(gradient_CENTRED), WIDTHS(gradient_PIXELS),
    WIDTHS(gradient_SHARED), WIDTHS(gradient_PACKED)};

/* classes in each panel: all `most` or fewer, none much narrower than the others (11 = 6 + 5, not
   10 + 1) */
INLINE ptrdiff_t FN(panel_width)(ptrdiff_t C, ptrdiff_t most) {
    ptrdiff_t panels = (C + most - 1) / most;
    return (C + panels - 1) / panels;
}

INLINE ptrdiff_t FN(smaller)(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* every score begins as its class's bias */
static void FN(biases)(const Block *b, ptrdiff_t C, const real *bias, real *S, ptrdiff_t lds) {
    for (ptrdiff_t c = 0; c < C; c++)
        for (ptrdiff_t i = 0; i < b->rows; i += V)
            FN(store)(S + c * lds + i, FN(splat)(bias ? bias[c] : (real)0));
}

static void FN(scores)(const Block *b, const real *wt, ptrdiff_t ld, ptrdiff_t C, const real *bias,
                       real *S, ptrdiff_t lds) {
    const ptrdiff_t width = FN(panel_width)(C, b->paired ? FORWARD : PANEL);
    const ptrdiff_t stretch = FN(stretch)(b->D, width, b->paired);
    const int asks = !b->narrow || (b->only_scores && b->kind == PIXELS);
    FN(biases)(b, C, bias, S, lds);
    for (ptrdiff_t c = 0; c < C; c += width) {
        FN(scores_function) *panel = FN(scores_of_width)[b->kind][FN(smaller)(width, C - c) - 1];
        panel(b, c || !asks ? NULL : b->next, stretch, wt + c * ld, ld, S + c * lds, lds);
    }
}

/* Whether lines at one place of the block's rows crowd in the first-level cache, where a place has
   room for 8 of 64 bytes: rows of 1024 or 3073 floats do. */
static int FN(crowded)(const Block *b) {
    uint8_t wanted[64] = {0}, most = 0;
    for (ptrdiff_t i = 0; i < b->rows; i++) {
        const uint8_t n = ++wanted[(uintptr_t)b->x[i] / 64 % 64];
        most = n > most ? n : most;
    }
    return most > 8;
}

/* Where there are several panels, a few features at a time go through all of them. The first panel
   leaves its rows' numbers side by side, where the others find them in L1. 1000 classes, 256 rows
   of 512, in cache: 34 -> 44 GFLOP/s of 45 (AVX2). With two panels, and no crowd, it costs 8 %. */
#undef PACKED_BYTES
#define PACKED_BYTES 16384
static void FN(gradient)(const Block *b, ptrdiff_t C, const real *G, ptrdiff_t ldg, real *dwt,
                         ptrdiff_t ld, real *packed) {
    const ptrdiff_t width = FN(panel_width)(C, PANEL);
    const int packs = b->kind != PLAIN || C > 2 * PANEL || (C > PANEL && FN(crowded)(b));
    const int first = b->kind == PLAIN && packs ? SHARED : b->kind, later = packs ? PACKED : PLAIN;
    const ptrdiff_t fit = PACKED_BYTES / (ptrdiff_t)sizeof(real) / b->rows / (2 * V) * (2 * V);
    const ptrdiff_t start = b->narrow ? 0 : (b->rows + 1) / 2 * b->next_bytes;
    const ptrdiff_t chunk = !packs ? b->D : fit < 2 * V ? 2 * V : fit;
    for (ptrdiff_t d = 0; d < b->D; d += chunk)
        for (ptrdiff_t c = 0; c < C; c += width) {
            const ptrdiff_t P = FN(smaller)(width, C - c), end = FN(smaller)(d + chunk, b->D);
            FN(gradient_function) *panel = FN(gradient_of_width)[c ? later : first][P - 1];
            panel(b, packed, c ? NULL : b->next, start, d, end, G + c * ldg, ldg, dwt + c * ld, ld);
        }
}
