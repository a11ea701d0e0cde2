/* The most that this machine reads and computes: the yardsticks of the benchmarks. (Included once
 * per real: see kernels.h. Not called limits.h, which is a header of C.)
 */
#undef CHAINS
#define CHAINS 12 /* independent sums: two 4-cycle units want 8, and 16 registers hold 12 */

/* Sum of x: n reals are read, and nothing else is worth mention. */
static real FN(read_sum)(const real *x, ptrdiff_t n) {
    vec sum[CHAINS], total = {0};
    real rest = 0;
    ptrdiff_t i = 0;
    for (int k = 0; k < CHAINS; k++) sum[k] = (vec){0};
    for (; i + CHAINS * V <= n; i += CHAINS * V)
        for (int k = 0; k < CHAINS; k++) sum[k] += FN(load)(x + i + k * V);
    for (; i < n; i++) rest += x[i];
    for (int k = 0; k < CHAINS; k++) total += sum[k];
    return FN(lane_sum)(total) + rest;
}

/* About so many multiplications and additions, in registers. The chains start apart, so that the
   compiler cannot take one for all; at x = 0.5 each ends at 1. Returns the sum of their lanes. */
static real FN(multiply_add)(real x, double flops) {
    vec chain[CHAINS], total = {0};
    const vec factor = FN(splat)(x);
    for (int k = 0; k < CHAINS; k++) chain[k] = FN(splat)((real)k);
    for (ptrdiff_t step = (ptrdiff_t)(flops / (double)(2 * CHAINS * V)); step > 0; step--)
        for (int k = 0; k < CHAINS; k++) chain[k] = chain[k] * factor + factor;
    for (int k = 0; k < CHAINS; k++) total += chain[k];
    return FN(lane_sum)(total);
}
