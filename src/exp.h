/* exp and log1p on vectors, for the arguments that a softmax has. (Included once per real.)
 *
 * exp(x), x <= 0 or NaN
 *   1. x below LOW, where exp rounds to zero, becomes LOW; NaN passes (it compares false).
 *   2. n = round(x / ln 2), by adding and subtracting 1.5 * 2^(mantissa bits): never under
 *      -fassociative-math, which folds that away (errors of 0.4).
 *   3. r = x - n ln 2, with ln 2 in two parts, the first short enough for n * LN2_HI to be exact.
 *   4. exp(r) = 1 + r + r^2 q(r): q is the minimax polynomial of relative error 3e-9 (float) and
 *      4e-18 (double) on |r| <= ln 2 / 2.
 *   5. times 2^n LIFT, which is a normal number, or 0 where exp rounds to it. The number added in 2
 *      is such that a shift of what it leaves is this factor. (The processor's own scaling,
 *      AVX-512 only, saves 15 % here and 5 % of a softmax.)
 *   6. Such a lifted result is lowered when it is last used, and subnormal numbers are formed as
 *      integers, rounded once: a vector with one in a product or a quotient takes an Intel
 * processor 80 ns, where others take 0.3. (Sums are free of that.) In float32 exp is subnormal
 * below -87: for scores with a spread of 30, row functions took 3 to 13 times as long, and linear
 * models' losses 4 to 19 times.
 *
 * log1p(x), x >= 0 or NaN
 *   1. u = 1 + x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); c = x - (u - 1) is what u lost.
 *   2. log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))), s = f / (2 + f), with R minimax (relative
 *      error 5e-12 and 1e-18).
 *   3. plus k ln 2 and c / u.
 *   +inf gives +inf, NaN gives NaN.
 *
 * log|u + c| for a sum u and what rounding took from it, c: steps 2 and 3; subnormal u times 2^64
 * before. 0 gives -inf.
 *
 * Worst errors seen, in units in the last place, and where (tests/test_exp.py looks again):
 *
 *                             without FMA                        with FMA (v3, v4)
 *   exp, float                0.989 at -0x1.b61052p+4            1.006 at -0x1.049e22p+4
 *   exp, double               1.005 at -0x1.0bb917036de4cp+9     1.036 at -0x1.59b3d31336dd5p+9
 *   exp, float, subnormal     0.747 at -0x1.5d5e22p+6            the same
 *   exp, double, subnormal    0.757 at -0x1.623ad76e61068p+9     0.761 at -0x1.625f1a625f45ep+9
 *   log1p, float              0.832 at 0x1.9c5a7ap-2             0.822 at 0x1.a82276p-2
 *   log1p, double             0.875 at 0x1.a08681bb94383p-2      0.849 at 0x1.a535f8729c31bp-2
 */
#undef LOW
#undef LOG2E
#undef LN2_HI
#undef LN2_LO
#undef ROUND
#undef SHIFT
#undef LIFT
#undef GRID
#undef FAR
#undef LITTLE
#undef NEAR
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef SQRT_HALF_BITS
#undef ONE_BITS
#undef LEAST_NORMAL
#if IS_DOUBLE
#define LOW -746.0
#define LN2_HI 0x1.62e42fee00000p-1
#define LN2_LO 0x1.a39ef35793c76p-33
#define ROUND 0x1.8p52
#define LIFT 0x1p53
#define GRID 0x1p52 /* from here on numbers are whole */
#define FAR 0x1p-900
#define LITTLE 0x1p-100 /* FAR LITTLE is a normal number */
#define NEAR -50.0      /* 1 - e^NEAR is 1 */
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcdLL
#define ONE_BITS 0x3ff0000000000000LL
#define LEAST_NORMAL 0x1p-1022
#else
#define LOW -104.7f
#define LN2_HI 0x1.62e400p-1f
#define LN2_LO 0x1.7f7d1cp-20f
#define ROUND 0x1.8p23f
#define LIFT 0x1p24f
#define GRID 0x1p23f
#define FAR 0x1p-80f
#define LITTLE 0x1p-40f
#define NEAR -25.0f
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define SQRT_HALF_BITS 0x3f3504f3
#define ONE_BITS 0x3f800000
#define LEAST_NORMAL 0x1p-126f
#endif
#define SHIFT (ROUND + EXPONENT_BIAS + MANTISSA_BITS + 1)
#define LOG2E ((real)0x1.71547652b82fep0)

/* v / lift, rounded once */
INLINE vec FN(lowered)(vec v, const real lift) {
    const ivec sign = (ivec)FN(splat)((real)-0.0);
    const vec size = (vec)((ivec)v & ~sign);
    const ivec tiny = size < (real)LEAST_NORMAL * lift;
    if (!FN(any)(tiny)) return v * (1 / lift);
    /* as a multiple of the smallest number, which is what its bits are */
    const vec whole = FN(keep)(tiny, size) * ((real)GRID / lift / (real)LEAST_NORMAL) + (real)GRID;
    const ivec bits = (ivec)whole - (ivec)FN(splat)((real)GRID);
    return FN(select)(tiny, (vec)(bits | ((ivec)v & sign)), FN(keep)(~tiny, v) * (1 / lift));
}

/* exp(x) LIFT; x below `low`, which is LOW or more, counts as that */
INLINE vec FN(vexp_from)(vec x, real low) {
    x = FN(larger)(FN(splat)(low), x);
    vec shifted = x * LOG2E + (real)SHIFT;
    vec n = shifted - (real)SHIFT;
    vec r = (x - n * (real)LN2_HI) - n * (real)LN2_LO;
#if IS_DOUBLE
    vec q = FN(splat)(2.499996535964057446564e-8);
    q = q * r + 2.763037862521098725365e-7;
    q = q * r + 2.755758734216402550031e-6;
    q = q * r + 2.480149276278181091800e-5;
    q = q * r + 1.984126950476653827939e-4;
    q = q * r + 1.388888894392265496502e-3;
    q = q * r + 8.333333333495623791375e-3;
    q = q * r + 4.166666666652918852417e-2;
    q = q * r + 0.1666666666666641023448;
    q = q * r + 0.5000000000000010720993;
#else
    vec q = FN(splat)(0.001381446705932651057898f);
    q = q * r + 0.008368780411180533649748f;
    q = q * r + 0.0416683942108938693285f;
    q = q * r + 0.1666652010781958942449f;
    q = q * r + 0.4999999341250156568691f;
#endif
    vec p = (real)1 + (r + r * r * q);
    return p * (vec)((ivec)shifted << MANTISSA_BITS);
}

INLINE vec FN(vexp_lifted)(vec x) { return FN(vexp_from)(x, (real)LOW); }
INLINE vec FN(vexp)(vec x) { return FN(lowered)(FN(vexp_lifted)(x), (real)LIFT); }

/* log(u) + rest, for positive u that is a normal number */
INLINE vec FN(log_normal)(vec u, vec rest) {
    /* exponent and mantissa of u, with the mantissa in [sqrt(1/2), sqrt(2)) */
    ivec bits = (ivec)u + (ONE_BITS - SQRT_HALF_BITS);
    ivec k = (bits >> MANTISSA_BITS) - EXPONENT_BIAS;
    ivec mantissa = (bits & ((((sint)1) << MANTISSA_BITS) - 1)) + SQRT_HALF_BITS;
    vec f = (vec)mantissa - (real)1;
    vec s = f / (f + (real)2);
    vec z = s * s;
#if IS_DOUBLE
    vec R = FN(splat)(0.1479898859863380860396);
    R = R * z + 0.153137640838320874897;
    R = R * z + 0.1818357481164347217753;
    R = R * z + 0.2222219838600540750349;
    R = R * z + 0.2857142874405828879682;
    R = R * z + 0.3999999999940792766848;
    R = R * z + 0.6666666666666735298184;
#else
    vec R = FN(splat)(0.2358492703485793851438f);
    R = R * z + 0.2853717166097132314666f;
    R = R * z + 0.4000033718081601210018f;
    R = R * z + 0.6666666563751255783081f;
#endif
    R = R * z;
    vec half_square = f * f * (real)0.5;
    /* k as a real: it is small, so the rounding trick works backwards, too */
    vec exponent = (vec)(k + (ivec)FN(splat)((real)ROUND)) - (real)ROUND;
    return exponent * (real)LN2_HI -
           ((half_square - (s * (half_square + R) + (exponent * (real)LN2_LO + rest))) - f);
}

/* of x whose lanes that are `tiny`, 0 or subnormal, are their own log1p, as inf and NaN are */
INLINE vec FN(log1p_but)(ivec tiny, vec x) {
    vec u = x + (real)1, c = FN(keep)(~tiny, x - (u - (real)1)), log = FN(log_normal)(u, c / u);
    return FN(select)(~tiny & (x < (real)INFINITY), log, x);
}
INLINE vec FN(vlog1p)(vec x) { return FN(log1p_but)(x < (real)LEAST_NORMAL, x); }

/* log(ones + e), for a sum e of lifted exponentials, and ones of 1 or more */
APART vec FN(tiny_log_sum)(vec ones, vec e) {
    return FN(vlog1p)((ones - 1) + FN(lowered)(e, (real)LIFT));
}
INLINE vec FN(log_sum)(vec ones, vec e) {
    if (FN(any)(e < (real)(LEAST_NORMAL * LIFT))) return FN(tiny_log_sum)(ones, e); /* 6 of exp */
    return FN(log1p_but)(FN(isplat)(0), (ones - 1) + e * (real)(1 / LIFT));
}

INLINE vec FN(vlog)(vec u, vec c) {
    vec size = FN(size)(u);
    ivec tiny = size < (real)LEAST_NORMAL;
    vec log = FN(log_normal)(FN(select)(tiny, size * (real)0x1p64, size), c / u);
    log -= FN(keep)(tiny, FN(splat)((real)(64 * 0x1.62e42fefa39efp-1)));
    log = FN(select)(size == 0, FN(splat)(-INFINITY), log);
    return FN(select)(size < (real)INFINITY, log, size);
}

/* a multiple of V numbers; for the tests */
static void FN(vector_math)(int log1p, const real *x, real *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i + V <= n; i += V)
        FN(store)(out + i, log1p ? FN(vlog1p)(FN(load)(x + i)) : FN(vexp)(FN(load)(x + i)));
}
