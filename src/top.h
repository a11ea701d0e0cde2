/* The k largest of a row's scores, best first. (Included once per real: see kernels.h.)
 *
 * A row's results are a heap while its scores pass by, the last of the best at its root: scores in
 * the place of the probabilities, beside their labels. Labels come in ascending order, so that what
 * comes later must be larger. A NaN counts as the largest, as in numpy.argmax.
 */

INLINE int FN(above)(real a, real b) { return a > b || (a != a && b == b); }
INLINE ivec FN(lanes_above)(vec a, vec b) { return (a > b) | ((a != a) & (b == b)); }

INLINE int FN(before)(const real *score, const int64_t *label, ptrdiff_t i, ptrdiff_t j) {
    return FN(above)(score[i], score[j]) || (!FN(above)(score[j], score[i]) && label[i] < label[j]);
}

INLINE void FN(swap)(real *score, int64_t *label, ptrdiff_t i, ptrdiff_t j) {
    const real s = score[i];
    const int64_t l = label[i];
    score[i] = score[j];
    label[i] = label[j];
    score[j] = s;
    label[j] = l;
}

/* what is at `at` goes down the heap of n, to where nothing below is behind it */
static void FN(sink)(real *score, int64_t *label, ptrdiff_t n, ptrdiff_t at) {
    for (ptrdiff_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && FN(before)(score, label, child, child + 1)) child++;
        if (!FN(before)(score, label, at, child)) return;
        FN(swap)(score, label, at, child);
    }
}

/* the first k of a row, whose scores are `step` apart, and the rule of a heap for them */
static void FN(first_of_row)(const real *s, ptrdiff_t step, ptrdiff_t k, real *score,
                             int64_t *label) {
    for (ptrdiff_t c = 0; c < k; c++) {
        score[c] = s[c * step];
        label[c] = c;
    }
    for (ptrdiff_t at = k / 2; at-- > 0;) FN(sink)(score, label, k, at);
}

INLINE void FN(put_in)(real s, ptrdiff_t c, ptrdiff_t k, real *score, int64_t *label) {
    score[0] = s;
    label[0] = c;
    FN(sink)(score, label, k, 0);
}

static void FN(sort_heap)(ptrdiff_t k, real *score, int64_t *label) {
    while (--k > 0) {
        FN(swap)(score, label, 0, k);
        FN(sink)(score, label, k, 0);
    }
}

/* of one row */
static void FN(top_of_row)(const real *s, ptrdiff_t C, ptrdiff_t k, real *score, int64_t *label) {
    FN(first_of_row)(s, 1, k, score, label);
    for (ptrdiff_t c = k; c < C; c += V) {
        if (c + V <= C && !FN(any)(FN(lanes_above)(FN(load)(s + c), FN(splat)(score[0])))) continue;
        for (ptrdiff_t j = c; j < C && j < c + V; j++)
            if (FN(above)(s[j], score[0])) FN(put_in)(s[j], j, k, score, label);
    }
    FN(sort_heap)(k, score, label);
}

/* of at most V rows beside each other, whose results lie one behind the other */
static void FN(top_of_strip)(const real *s, ptrdiff_t step, ptrdiff_t C, ptrdiff_t lanes,
                             ptrdiff_t k, real *score, int64_t *label) {
    vec last = FN(splat)((real)NAN); /* nothing is above it */
    for (ptrdiff_t i = 0; i < lanes; i++) {
        FN(first_of_row)(s + i, step, k, score + i * k, label + i * k);
        last[i] = score[i * k];
    }
    for (ptrdiff_t c = k; c < C; c++) {
        const vec scores = FN(load)(s + c * step);
        const ivec wins = FN(lanes_above)(scores, last);
        if (!FN(any)(wins)) continue;
        for (ptrdiff_t i = 0; i < lanes; i++) {
            if (!wins[i]) continue;
            FN(put_in)(scores[i], c, k, score + i * k, label + i * k);
            last[i] = score[i * k];
        }
    }
    for (ptrdiff_t i = 0; i < lanes; i++) FN(sort_heap)(k, score + i * k, label + i * k);
}
