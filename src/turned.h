/* Scores of many classes: the gradient's product, with rows and features in each other's places.
 * (Included once per real: see kernels.h.)
 *
 *     S[c][i] = bias[c] + sum_d wt[c][d] x[i][d]
 *
 * Rows are turned round, a few thousand numbers at a time, into what the gradient takes as packed
 * features; they stay in L1 while all panels of W pass. No lanes are left to be summed, which is
 * half of the work in `scores` for 100 features, and no vector of features is cut off. To turn a
 * row costs as much as four classes. (Zen 4, AVX-512, in cache, of 128 GFLOP/s: 100 features and
 * classes 65 -> 102, 512 features and 1000 classes 94 -> 107; AVX2 84 -> 98 and the same.)
 */
#ifndef AT_A_TIME
#define AT_A_TIME 128 /* features, at most */
#endif

/* More than 20 classes (with SSE2 never: 43 -> 30 GFLOP/s for 100 of them). Models that share a
   pass have the bits that they have alone, so it is one model's classes that count. */
INLINE int FN(turns)(const linear_job *job) {
    return VEC_BYTES > 16 && FN(columns)(job) / job->models > 2 * FORWARD;
}

/* features d..d+n of rows first..first+count -> to, side by side: to[k * count + i] */
static void FN(turn)(const Block *b, ptrdiff_t first, ptrdiff_t count, ptrdiff_t d, ptrdiff_t n,
                     real *to) {
    for (ptrdiff_t i = 0; i < count; i += TILE) {
        const char *row[TILE];
        UNROLLED (r, TILE) row[r] = b->x[FN(smaller)(first + i + r, b->rows - 1)];
        for (ptrdiff_t k = 0; k < n; k += TILE) {
            const ptrdiff_t at = FN(smaller)(k, n - TILE); /* the last ones again, if need be */
            piece p[TILE];
            UNROLLED (r, TILE) p[r] = FN(load_piece)((const real *)row[r] + d + at);
            FN(transpose)(p);
            UNROLLED (r, TILE) FN(store_piece)(to + (at + r) * count + i, p[r]);
        }
    }
}

/* The rows are PLAIN. Panels ask for the next block as those of `scores` do: the first one for half
   of it, and the second for the rest if no gradient follows. */
static void FN(scores_turned)(const Block *b, const real *wt, ptrdiff_t ld, ptrdiff_t C,
                              const real *bias, real *S, ptrdiff_t lds, real *packed) {
    const ptrdiff_t rows = FN(padded)(b->rows), width = FN(panel_width)(C, PANEL);
    const ptrdiff_t pieces = (b->D + AT_A_TIME - 1) / AT_A_TIME;
    const ptrdiff_t half = (b->rows + 1) / 2 * b->next_bytes;
    FN(biases)(b, C, bias, S, lds);
    for (ptrdiff_t piece = 0; piece < pieces; piece++) {
        const ptrdiff_t d = b->D * piece / pieces, n = b->D * (piece + 1) / pieces - d;
        const ptrdiff_t fit = PACKED_BYTES / (ptrdiff_t)sizeof(real) / n / (2 * V) * (2 * V);
        const ptrdiff_t begin = rows / (2 * V) * d * VEC_BYTES; /* what earlier pieces asked for */
        Block turned = {.kind = PACKED, .rows = n, .D = rows, .next_bytes = b->next_bytes};
        for (ptrdiff_t i = 0; i < rows; i += fit) {
            const ptrdiff_t end = FN(smaller)(i + fit, rows);
            real *to = packed;
            for (ptrdiff_t t = i; t < end; t += 2 * V) {
                const ptrdiff_t count = FN(smaller)(2 * V, end - t);
                FN(turn)(b, t, count, d, n, to);
                to += count * n;
            }
            for (ptrdiff_t c = 0; c < C; c += width) {
                const int asks = !b->narrow && (!c || (c == width && b->only_scores));
                FN(gradient_function) *panel =
                    FN(gradient_of_width)[PACKED][FN(smaller)(width, C - c) - 1];
                panel(&turned, packed, asks ? b->next : NULL, begin + (c ? half : 0), i, end,
                      wt + c * ld + d, ld, S + c * lds, lds);
            }
        }
    }
}
