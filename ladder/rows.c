/* Rungs of the row functions: softmax in float32, one thread. Each is checked against a plain
 * double loop and timed; nanoseconds a logit, best of several.
 *
 *     gcc -O3 -march=native -fno-math-errno -fno-trapping-math -ffp-contract=fast rows.c -lm &&
 * ./a.out
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __AVX512F__
#define BYTES 64
#define MAX(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define STREAM(p, v) _mm512_stream_ps(p, (__m512)(v))
#else
#define BYTES 32
#define MAX(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define STREAM(p, v) _mm256_stream_ps(p, (__m256)(v))
#endif
#define V ((long)(BYTES / 4))
#define INLINE static inline __attribute__((always_inline))
typedef float vec __attribute__((vector_size(BYTES)));
typedef int32_t ivec __attribute__((vector_size(BYTES)));
typedef uint32_t uvec __attribute__((vector_size(BYTES)));
typedef float loose __attribute__((vector_size(BYTES), aligned(1), may_alias));
typedef float piece __attribute__((vector_size(16)));
typedef float loose_piece __attribute__((vector_size(16), aligned(1), may_alias));
INLINE vec load(const float *p) { return *(const loose *)p; }
INLINE void store(float *p, vec v) { *(loose *)p = v; }
INLINE vec splat(float x) { return x - (vec){0}; }
INLINE vec select_(ivec m, vec a, vec b) { return (vec)(((ivec)a & m) | ((ivec)b & ~m)); }
INLINE vec keep(ivec m, vec a) { return (vec)((ivec)a & m); }

/* ---- exp ---- */

INLINE vec polynomial(vec r) {
    vec q = splat(0.001381446705932651057898f);
    q = q * r + 0.008368780411180533649748f;
    q = q * r + 0.0416683942108938693285f;
    q = q * r + 0.1666652010781958942449f;
    q = q * r + 0.4999999341250156568691f;
    return 1 + (r + r * r * q);
}

/* 1: clamp by a selection, scale by two factors of half the exponent each */
INLINE vec exp_1(vec x) {
    x = select_(x < -104.0f, splat(-104), x);
    vec shifted = x * 0x1.71547652b82fep0f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    vec p = polynomial((x - n * 0x1.62e400p-1f) - n * 0x1.7f7d1cp-20f);
    ivec k = (ivec)shifted - (ivec)splat(0x1.8p23f), half = (ivec)((uvec)(k + 254) >> 1) - 127;
    return p * (vec)((half + 127) << 23) * (vec)((k - half + 127) << 23);
}

/* 2: clamp by the maximum that passes NaN; 192 added to the rounding constant makes a shift of its
   low bits the number 2^(n + 65), and one constant factor takes the 65 back: the same bits */
INLINE vec exp_2(vec x) {
    x = MAX(splat(-104), x);
    vec shifted = x * 0x1.71547652b82fep0f + (0x1.8p23f + 192), n = shifted - (0x1.8p23f + 192);
    vec p = polynomial((x - n * 0x1.62e400p-1f) - n * 0x1.7f7d1cp-20f);
    return p * (vec)((ivec)shifted << 23) * 0x1p-65f;
}

/* 3: the processor's scaling, AVX-512 only */
INLINE vec exp_3(vec x) {
#ifdef __AVX512F__
    x = MAX(splat(-104), x);
    vec shifted = x * 0x1.71547652b82fep0f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    vec p = polynomial((x - n * 0x1.62e400p-1f) - n * 0x1.7f7d1cp-20f);
    return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    return exp_2(x);
#endif
}

/* ---- short rows: packed beside each other, V at a time ---- */

enum { BUNDLE = 128 };

INLINE void transpose(piece p[4]) {
    const piece a = __builtin_shufflevector(p[0], p[2], 0, 4, 1, 5);
    const piece b = __builtin_shufflevector(p[1], p[3], 0, 4, 1, 5);
    const piece c = __builtin_shufflevector(p[0], p[2], 2, 6, 3, 7);
    const piece d = __builtin_shufflevector(p[1], p[3], 2, 6, 3, 7);
    p[0] = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    p[1] = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    p[2] = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    p[3] = __builtin_shufflevector(c, d, 2, 6, 3, 7);
}

INLINE void copy(const float *x, long n, float *strip, int tiles) {
    if (!tiles)
        for (long k = 0; k < BUNDLE; k++)
            for (long j = 0; j < n; j++) strip[j * BUNDLE + k] = x[k * n + j];
    for (long k = 0; tiles && k < BUNDLE; k += 4)
        for (long t = 0; t < n; t += 4) {
            const long j = t + 4 <= n ? t : n - 4;
            piece p[4];
            for (int i = 0; i < 4; i++) p[i] = *(const loose_piece *)(x + (k + i) * n + j);
            transpose(p);
            for (int i = 0; i < 4; i++) *(loose_piece *)(strip + (j + i) * BUNDLE + k) = p[i];
        }
}

INLINE void copy_back(const float *strip, long n, float *out, int tiles) {
    if (!tiles)
        for (long k = 0; k < BUNDLE; k++)
            for (long j = 0; j < n; j++) out[k * n + j] = strip[j * BUNDLE + k];
    for (long k = 0; tiles && k < BUNDLE; k += 4)
        for (long t = 0; t < n; t += 4) {
            const long j = t + 4 <= n ? t : n - 4;
            piece p[4];
            for (int i = 0; i < 4; i++) p[i] = *(const loose_piece *)(strip + (j + i) * BUNDLE + k);
            transpose(p);
            for (int i = 0; i < 4; i++) *(loose_piece *)(out + (k + i) * n + j) = p[i];
        }
}

/* ties: the row's maximum summed apart */
INLINE void strip(float *x, long n, int newton, int ties) {
    vec m = load(x), sum = {0}, ones = {0};
    for (long j = 1; j < n; j++) m = MAX(m, load(x + j * BUNDLE));
    for (long j = 0; j < n; j++) {
        vec z = load(x + j * BUNDLE), e = exp_2(z - m);
        store(x + j * BUNDLE, e);
        if (ties)
            ones += keep(z == m, e), sum += keep(z != m, e);
        else
            sum += e;
    }
    sum += ones;
    vec inverse = 1 / sum;
    for (long j = 0; j < n; j++) {
        vec e = load(x + j * BUNDLE), q = e * inverse;
        store(x + j * BUNDLE, newton ? q + inverse * (e - q * sum) : e / sum);
    }
}

INLINE void short_rows(const float *x, float *out, long rows, long n, int tiles, int newton,
                       int ties, int ahead) {
    static float scratch[BUNDLE * 64] __attribute__((aligned(64)));
    for (long i = 0; i + BUNDLE <= rows; i += BUNDLE) {
        for (long j = 0; ahead && j < BUNDLE * n; j += 16) {
            __builtin_prefetch(x + (i + BUNDLE) * n + j);
            __builtin_prefetch(out + i * n + j, 1);
        }
        copy(x + i * n, n, scratch, tiles);
        for (long k = 0; k < BUNDLE; k += V) strip(scratch + k, n, newton, ties);
        copy_back(scratch, n, out + i * n, tiles);
    }
}

/* ---- long rows: one at a time (n a multiple of V here, to keep the rungs short) ---- */

INLINE float lanes_max(vec v) {
    float m = v[0];
    for (int k = 1; k < V; k++) m = v[k] > m ? v[k] : m;
    return m;
}
INLINE float lanes_sum(vec v) {
    float s = 0;
    for (int k = 0; k < V; k++) s += v[k];
    return s;
}

enum { PLAIN, FETCH, FETCH_OUT, AGAIN, SCRATCH };
INLINE void long_row(const float *x, float *out, long n, int maxima, int ties, int how) {
    static float scratch[1 << 17] __attribute__((aligned(64)));
    float *e = how == SCRATCH ? scratch : out;
    vec m[4] = {load(x), load(x), load(x), load(x)}, sum = {0}, ones = {0};
    long j = 0;
    for (; maxima == 4 && j + 4 * V <= n; j += 4 * V)
        for (int k = 0; k < 4; k++) m[k] = MAX(m[k], load(x + j + k * V));
    for (; j < n; j += V) m[0] = MAX(m[0], load(x + j));
    vec top = splat(lanes_max(MAX(MAX(m[0], m[1]), MAX(m[2], m[3]))));
    for (j = 0; j < n; j += V) {
        vec z = load(x + j), ej = exp_2(z - top);
        if (how != AGAIN) store(e + j, ej);
        if (how != PLAIN) __builtin_prefetch(x + n + j, 0, 2);
        if (how == FETCH_OUT) __builtin_prefetch(out + n + j, 1, 3);
        if (ties)
            ones += keep(z == top, ej), sum += keep(z != top, ej);
        else
            sum += ej;
    }
    vec total = splat(lanes_sum(sum + ones)), inverse = 1 / total;
    for (j = 0; j < n; j += V) {
        vec ej = how == AGAIN ? exp_2(load(x + j) - top) : load(e + j), q = ej * inverse;
        q += inverse * (ej - q * total);
        if (how >= AGAIN)
            STREAM(out + j, q);
        else
            store(out + j, q);
    }
    if (how >= AGAIN) _mm_sfence();
}

/* ---- the rungs ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * t.tv_sec + t.tv_nsec;
}

static void check(const float *x, const float *out, long rows, long n) {
    double worst = 0;
    for (long i = 0; i < rows; i += rows / 50 + 1) {
        double m = -INFINITY, sum = 0;
        for (long j = 0; j < n; j++) m = x[i * n + j] > m ? x[i * n + j] : m;
        for (long j = 0; j < n; j++) sum += exp(x[i * n + j] - m);
        for (long j = 0; j < n; j++) {
            double p = exp(x[i * n + j] - m) / sum, error = fabs(out[i * n + j] - p) / p;
            worst = error > worst ? error : worst;
        }
    }
    if (!(worst < 2e-6)) printf("WRONG by %g\n", worst), exit(1);
}

#define RUNG(name, rows, n, code)                                                                  \
    do {                                                                                           \
        double best = INFINITY;                                                                    \
        memset(out, 0, sizeof(float) * (rows) * (n));                                              \
        for (int repeat = 0; repeat < 7; repeat++) {                                               \
            double start = now();                                                                  \
            code;                                                                                  \
            double each = (now() - start) / ((double)(rows) * (n));                                \
            best = each < best ? each : best;                                                      \
        }                                                                                          \
        check(x, out, rows, n);                                                                    \
        printf("%-58s %6.3f\n", name, best);                                                       \
    } while (0)

#define EXP(name, f)                                                                               \
    do {                                                                                           \
        double best = INFINITY;                                                                    \
        for (int repeat = 0; repeat < 200; repeat++) {                                             \
            double start = now();                                                                  \
            for (long j = 0; j < 4096; j += V) store(out + j, f(-load(x + j)));                    \
            double each = (now() - start) / 4096;                                                  \
            best = each < best ? each : best;                                                      \
        }                                                                                          \
        for (long j = 0; j < 4096; j++)                                                            \
            if (!(fabs(out[j] / exp(-x[j]) - 1) < 2e-7)) printf("WRONG\n"), exit(1);               \
        printf("%-58s %6.3f\n", name, best);                                                       \
    } while (0)

#define SHORT(name, n, ...) RUNG(name, 199936, n, short_rows(x, out, 199936, n, __VA_ARGS__))
#define LONG(name, rows, n, ...)                                                                   \
    RUNG(name, rows, n,                                                                            \
         for (long i = 0; i < (rows); i++) long_row(x + i * (n), out + i * (n), n, __VA_ARGS__))

int main(void) {
    const long size = 2048L * 50256 + 65536;
    float *x = aligned_alloc(64, size * 4), *out = aligned_alloc(64, size * 4);
    uint64_t seed = 1;
    for (long i = 0; i < size; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(seed >> 40) / (1 << 24) * 6;
        out[i] = 0;
    }
    EXP("exp 1: selection, two factors", exp_1);
    EXP("exp 2: maximum, one shift and a constant", exp_2);
    EXP("exp 3: scalef", exp_3);
    SHORT("200000 x 10, 1: packed one by one, divided, ties apart", 10L, 0, 0, 1, 0);
    SHORT("200000 x 10, 2: packed in tiles of 4 x 4", 10L, 1, 0, 1, 0);
    SHORT("200000 x 10, 3: and multiplied by 1 / sum, corrected", 10L, 1, 1, 1, 0);
    SHORT("200000 x 10, 4: and one sum", 10L, 1, 1, 0, 0);
    SHORT("200000 x 10, 5: and the next bundle fetched", 10L, 1, 1, 0, 1);
    LONG("20000 x 1008, 1: one maximum, ties apart", 20000L, 1008L, 1, 1, PLAIN);
    LONG("20000 x 1008, 2: four maxima", 20000L, 1008L, 4, 1, PLAIN);
    LONG("20000 x 1008, 3: and one sum", 20000L, 1008L, 4, 0, PLAIN);
    LONG("20000 x 1008, 4: and the next row fetched", 20000L, 1008L, 4, 0, FETCH);
    LONG("20000 x 1008, 5: and where it goes", 20000L, 1008L, 4, 0, FETCH_OUT);
    LONG("20000 x 1008, 6: streamed, exp formed twice", 20000L, 1008L, 4, 0, AGAIN);
    LONG("20000 x 1008, 7: streamed, exp kept in scratch", 20000L, 1008L, 4, 0, SCRATCH);
    LONG("2048 x 50256, 3", 2048L, 50256L, 4, 0, PLAIN);
    LONG("2048 x 50256, 4", 2048L, 50256L, 4, 0, FETCH);
    LONG("2048 x 50256, 5", 2048L, 50256L, 4, 0, FETCH_OUT);
    LONG("2048 x 50256, 6", 2048L, 50256L, 4, 0, AGAIN);
    LONG("2048 x 50256, 7", 2048L, 50256L, 4, 0, SCRATCH);
}
