/* Long vectors: products of many with a few, and weighted sums. It is what L-BFGS does between two
 * passes over X. (Included once per real: see kernels.h.)
 *
 * A unit of the elements stays in L2 while all vectors pass, one after the other: the processor
 * fetches one stream ahead by itself, 11 of them it does not (2 x 10 vectors of 936000 floats, two
 * threads, Zen 4: by 4 KiB 4.1 ms, by 64 KiB 2.6).
 */
#ifndef VECTOR_UNIT
#define VECTOR_UNIT 32768 /* elements */
#endif

INLINE double FN(product)(const real *a, const real *b, ptrdiff_t n) {
    double total = 0;
    ptrdiff_t i = 0;
    while (i + 64 * V <= n) { /* floats are added up 64 at a time, not a million */
        vec sum[4] = {{0}, {0}, {0}, {0}};
        for (const ptrdiff_t end = i + 64 * V; i < end; i += 4 * V)
            UNROLLED (k, 4) sum[k] += FN(load)(a + i + k * V) * FN(load)(b + i + k * V);
        total += (double)FN(lane_sum)((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    for (; i < n; i++) total += (double)a[i] * (double)b[i];
    return total;
}

/* a unit's part of sum_i a[k][i] b[l][i], to sums[unit][k][l] */
static void FN(products)(const vectors_job *job, ptrdiff_t begin, ptrdiff_t n, double *sums) {
    for (ptrdiff_t k = 0; k < job->n_a; k++)
        for (ptrdiff_t l = 0; l < job->n_b; l++)
            sums[k * job->n_b + l] =
                FN(product)((const real *)job->a[k] + begin, (const real *)job->b[l] + begin, n);
}

/* a unit's part of out = sum_k factors[k] a[k] */
static void FN(combined)(const vectors_job *job, ptrdiff_t begin, ptrdiff_t n) {
    real *out = (real *)job->out + begin;
    for (ptrdiff_t k = 0; k < job->n_a; k++) {
        const real *a = (const real *)job->a[k] + begin;
        const vec factor = FN(splat)((real)job->factors[k]);
        ptrdiff_t i = 0;
        for (; i + V <= n; i += V)
            FN(store)(out + i,
                      k ? FN(load)(out + i) + factor * FN(load)(a + i) : factor * FN(load)(a + i));
        for (; i < n; i++) out[i] = k ? out[i] + factor[0] * a[i] : factor[0] * a[i];
    }
}

static void FN(vectors_unit)(const vectors_job *job, ptrdiff_t unit) {
    const ptrdiff_t begin = unit * VECTOR_UNIT, n = FN(smaller)(VECTOR_UNIT, job->n - begin);
    if (job->out)
        FN(combined)(job, begin, n);
    else
        FN(products)(job, begin, n, job->sums + unit * job->n_a * job->n_b);
}
