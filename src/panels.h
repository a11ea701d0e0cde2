/* The two skinny products on one block of rows of X. (Included once per real: see kernels.h.)
 *
 *     scores:    S[c][i] += sum_d x[i][d] wt[c][d]
 *     gradient:  dwt[c][d] += sum_i G[c][i] x[i][d]
 *
 * W and dW are transposed and vectors run over features, so that every lane works whatever the
 * number of classes (over classes, 6 of 16 lanes would idle at C = 10). Accumulators stay in
 * registers: two rows x PANEL classes forward, PANEL classes x two vectors of features backward;
 * many classes are many panels. Rows come as pointers, so a block may lie anywhere; the features
 * behind the last full vector come from `tail`, a copy of V reals a row, padded with zeros.
 */
#ifndef PANEL
#if VEC_BYTES == 64 || defined(__aarch64__)
#define PANEL 10 /* 32 registers: 20 accumulators */
#else
#define PANEL 5 /* 16 registers: 10 accumulators */
#endif
/* bytes of the panel of W that the forward product goes back to for each pair of rows: it stays in
 * L1 */
#define STRETCH_BYTES 30720
#endif

#undef Block
#define Block FN(Block)
typedef struct {
    const real *const *x; /* rows of the block; one more than there are, so that pairs are whole */
    const real *const *tail;
    const real *const *next; /* rows to prefetch into L2 during the gradient, or NULL */
    ptrdiff_t rows, D;
} Block;

INLINE void FN(scores_panel)(const Block *b, const real *wt, ptrdiff_t ld, ptrdiff_t begin,
                             ptrdiff_t end, real *S, ptrdiff_t lds, const int P) {
    const int tail = end == b->D && b->D % V;
    const ptrdiff_t full = tail ? end - end % V : end;
    for (ptrdiff_t i = 0; i < b->rows; i += 2) {
        const real *x0 = b->x[i], *x1 = b->x[i + 1];
        vec sum0[PANEL], sum1[PANEL];
        for (int p = 0; p < P; p++) sum0[p] = sum1[p] = (vec){0};
        for (ptrdiff_t d = begin; d < full; d += V) {
            vec a = FN(load)(x0 + d), c = FN(load)(x1 + d);
            for (int p = 0; p < P; p++) {
                vec w = FN(load)(wt + p * ld + d);
                sum0[p] += a * w;
                sum1[p] += c * w;
            }
        }
        if (tail) {
            vec a = FN(load)(b->tail[i]), c = FN(load)(b->tail[i + 1]);
            for (int p = 0; p < P; p++) {
                vec w = FN(load)(wt + p * ld + full);
                sum0[p] += a * w;
                sum1[p] += c * w;
            }
        }
        for (int p = 0; p < P; p++) {
            S[p * lds + i] += FN(lane_sum)(sum0[p]);
            S[p * lds + i + 1] += FN(lane_sum)(sum1[p]);
        }
    }
}

/* `width` vectors of features from d on. The block's sum starts from zero: one chain of additions
   over all blocks had 10 times NumPy's error where a feature is constant. */
INLINE void FN(gradient_columns)(const Block *b, const real *const *x, const real *const *next,
                                 ptrdiff_t d, const real *G, ptrdiff_t ldg, real *dwt, ptrdiff_t ld,
                                 const int P, const int width) {
    vec sum[PANEL][2];
    for (int p = 0; p < P; p++)
        for (int k = 0; k < width; k++) sum[p][k] = (vec){0};
    for (ptrdiff_t i = 0; i < b->rows; i++) {
        vec a[2];
        for (int k = 0; k < width; k++) {
            a[k] = FN(load)(x[i] + d + k * V);
            if (next) __builtin_prefetch(next[i] + d + k * V, 0, 2);
        }
        for (int p = 0; p < P; p++) {
            vec g = FN(splat)(G[p * ldg + i]);
            for (int k = 0; k < width; k++) sum[p][k] += g * a[k];
        }
    }
    for (int p = 0; p < P; p++)
        for (int k = 0; k < width; k++) {
            real *to = dwt + p * ld + k * V;
            FN(store)(to, FN(load)(to) + sum[p][k]);
        }
}

INLINE void FN(gradient_panel)(const Block *b, const real *const *next, const real *G,
                               ptrdiff_t ldg, real *dwt, ptrdiff_t ld, const int P) {
    ptrdiff_t d = 0;
    for (; d + 2 * V <= b->D; d += 2 * V) {
        if (next)
            FN(gradient_columns)(b, b->x, next, d, G, ldg, dwt + d, ld, P, 2);
        else
            FN(gradient_columns)(b, b->x, NULL, d, G, ldg, dwt + d, ld, P, 2);
    }
    if (d + V <= b->D) {
        FN(gradient_columns)(b, b->x, NULL, d, G, ldg, dwt + d, ld, P, 1);
        d += V;
    }
    if (d < b->D) FN(gradient_columns)(b, b->tail, NULL, 0, G, ldg, dwt + d, ld, P, 1);
}

/* A panel's width must be a constant for its accumulators to be registers. */
#undef EACH_WIDTH
#if PANEL == 10
#define EACH_WIDTH(call)                                                                           \
    case 1: call(1); break;                                                                        \
    case 2: call(2); break;                                                                        \
    case 3: call(3); break;                                                                        \
    case 4: call(4); break;                                                                        \
    case 5: call(5); break;                                                                        \
    case 6: call(6); break;                                                                        \
    case 7: call(7); break;                                                                        \
    case 8: call(8); break;                                                                        \
    case 9: call(9); break;                                                                        \
    default: call(10)
#else
#define EACH_WIDTH(call)                                                                           \
    case 1: call(1); break;                                                                        \
    case 2: call(2); break;                                                                        \
    case 3: call(3); break;                                                                        \
    case 4: call(4); break;                                                                        \
    default: call(5)
#endif

/* classes in each panel: all PANEL or fewer, none much narrower than the others (11 = 6 + 5, not 10
 * + 1) */
INLINE ptrdiff_t FN(panel_width)(ptrdiff_t C) {
    ptrdiff_t panels = (C + PANEL - 1) / PANEL;
    return (C + panels - 1) / panels;
}

static void FN(scores)(const Block *b, const real *wt, ptrdiff_t ld, ptrdiff_t C, real *S,
                       ptrdiff_t lds) {
    const ptrdiff_t width = FN(panel_width)(C);
    ptrdiff_t stretch = STRETCH_BYTES / (width * (ptrdiff_t)sizeof(real)) / V * V;
    for (ptrdiff_t begin = 0; begin < b->D; begin += stretch) {
        ptrdiff_t end = begin + stretch < b->D ? begin + stretch : b->D;
        for (ptrdiff_t c = 0; c < C; c += width) {
#define CALL(P) FN(scores_panel)(b, wt + c * ld, ld, begin, end, S + c * lds, lds, P)
            switch (C - c < width ? C - c : width) { EACH_WIDTH(CALL); }
#undef CALL
        }
    }
}

static void FN(gradient)(const Block *b, ptrdiff_t C, const real *G, ptrdiff_t ldg, real *dwt,
                         ptrdiff_t ld) {
    const ptrdiff_t width = FN(panel_width)(C);
    for (ptrdiff_t c = 0; c < C; c += width) {
        const real *const *next = c ? NULL : b->next;
#define CALL(P) FN(gradient_panel)(b, next, G + c * ldg, ldg, dwt + c * ld, ld, P)
        switch (C - c < width ? C - c : width) { EACH_WIDTH(CALL); }
#undef CALL
    }
}
