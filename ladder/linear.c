/* Rungs of the linear pass, C = 10, float32, one thread: each is checked against a double loop,
 * then timed.
 *
 *     gcc -O3 -march=native -mprefer-vector-width=512 -fno-math-errno -fno-trapping-math linear.c
 * -lm
 *     ./a.out
 *
 * First the two products alone, on 32 rows of 3088 features in L2, in GFLOP/s; then whole passes
 * over rows in memory by blocks of 16, in ms, with ways to ask for the next block.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { C = 10, V = 16, D = 3088, ROWS = 32, BLOCK = 16, STRETCH = 512, N = 16000 };
typedef float vec __attribute__((vector_size(64)));
typedef float loose __attribute__((vector_size(64), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))
INLINE vec load(const float *p) { return *(const loose *)p; }
INLINE void store(float *p, vec v) { *(loose *)p = v; }
INLINE float lane_sum(vec v) {
    float s[8], t[4];
    for (int k = 0; k < 8; k++) s[k] = v[k] + v[k + 8];
    for (int k = 0; k < 4; k++) t[k] = s[k] + s[k + 4];
    return (t[0] + t[2]) + (t[1] + t[3]);
}

/* ---- scores: S[c][i] = sum_d x[i][d] w[c][d] ---- */

static void one_by_one(const float *x, const float *w, float *S, int rows) {
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < C; c++) {
            vec sum = {0};
            for (int d = 0; d < D; d += V) sum += load(x + i * D + d) * load(w + c * D + d);
            S[c * ROWS + i] = lane_sum(sum);
        }
}

/* R rows x P classes in registers, over a stretch of features; lanes are summed after each stretch,
   or kept apart until the end (by_lane). `once`: each vector of W is loaded once. */
INLINE void tiles(const float *x, const float *w, float *S, int rows, const int R, const int P,
                  const int by_lane, const int once) {
    static vec kept[C][ROWS];
    memset(S, 0, C * ROWS * sizeof(float));
    memset(kept, 0, sizeof kept);
    for (int begin = 0; begin < D; begin += STRETCH)
        for (int c = 0; c < C; c += P)
            for (int i = 0; i < rows; i += R) {
                int end = begin + STRETCH < D ? begin + STRETCH : D;
                vec sum[10][4];
                for (int p = 0; p < P; p++)
                    for (int r = 0; r < R; r++) sum[p][r] = (vec){0};
                for (int d = begin; d < end; d += V) {
                    vec a[4];
                    for (int r = 0; r < R; r++) a[r] = load(x + (i + r) * D + d);
                    for (int p = 0; p < P; p++) {
                        vec b = load(w + (c + p) * D + d);
#if defined(__x86_64__)
                        if (once) __asm__("" : "+v"(b));
#endif
                        for (int r = 0; r < R; r++) sum[p][r] += a[r] * b;
                    }
                }
                for (int p = 0; p < P; p++)
                    for (int r = 0; r < R; r++)
                        if (by_lane)
                            kept[c + p][i + r] += sum[p][r];
                        else
                            S[(c + p) * ROWS + i + r] += lane_sum(sum[p][r]);
            }
    /* (the package's tree of shuffles sums 16 of them at a time: simd.h) */
    for (int c = 0; by_lane && c < C; c++)
        for (int i = 0; i < rows; i++) S[c * ROWS + i] = lane_sum(kept[c][i]);
}
static void two_by_ten(const float *x, const float *w, float *S, int n) {
    tiles(x, w, S, n, 2, 10, 0, 0);
}
static void by_lane(const float *x, const float *w, float *S, int n) {
    tiles(x, w, S, n, 2, 10, 1, 0);
}
static void loaded_once(const float *x, const float *w, float *S, int n) {
    tiles(x, w, S, n, 2, 10, 1, 1);
}
static void four_by_five(const float *x, const float *w, float *S, int n) {
    tiles(x, w, S, n, 4, 5, 1, 1);
}

/* ---- gradient: dw[c][d] += sum_i G[c][i] x[i][d]; and asking for the next block ---- */

enum { NOT, BY_COLUMNS, IN_ORDER, BY_HALVES };

INLINE void gradient_tiles(const float *x, const float *G, float *dw, int rows, const int P,
                           const int K, const int ask, const float *next) {
    for (int d = 0; d < D; d += K * V)
        for (int c = 0; c < C; c += P) {
            vec sum[10][4];
            const int width = d + K * V <= D ? K : (D - d) / V;
            for (int p = 0; p < P; p++)
                for (int k = 0; k < K; k++) sum[p][k] = (vec){0};
            for (int i = 0; i < rows; i++) {
                vec a[4];
                for (int k = 0; k < K; k++) a[k] = load(x + i * D + d + (k < width ? k : 0) * V);
                if (ask == BY_COLUMNS)
                    for (int k = 0; k < K; k++) __builtin_prefetch(next + i * D + d + k * V, 0, 2);
                if (ask == IN_ORDER)
                    for (int k = 0; k < K; k++)
                        __builtin_prefetch(next + d * rows + (i * K + k) * V, 0, 2);
                if (ask == BY_HALVES)
                    __builtin_prefetch(next + (rows * D + d * rows) / 2 + i * V, 0, 2);
                for (int p = 0; p < P; p++) {
                    vec g = G[(c + p) * ROWS + i] - (vec){0};
                    for (int k = 0; k < K; k++) sum[p][k] += g * a[k];
                }
            }
            for (int p = 0; p < P; p++)
                for (int k = 0; k < width; k++) {
                    float *to = dw + (c + p) * D + d + k * V;
                    store(to, load(to) + sum[p][k]);
                }
        }
}
static void ten_by_two(const float *x, const float *G, float *dw, int n) {
    gradient_tiles(x, G, dw, n, 10, 2, NOT, x);
}
static void five_by_four(const float *x, const float *G, float *dw, int n) {
    gradient_tiles(x, G, dw, n, 5, 4, NOT, x);
}

INLINE void scores_and_ask(const float *x, const float *w, float *S, const float *next) {
    for (int i = 0; next && i < BLOCK;
         i += 2) /* the lines of half a block, in a burst for brevity */
        for (int d = 0; d < D; d += V) __builtin_prefetch(next + i / 2 * D + d, 0, 2);
    loaded_once(x, w, S, BLOCK);
}
static void pass(const float *x, const float *w, float *S, float *dw, const int ask) {
    memset(dw, 0, C * D * sizeof(float));
    for (int b = 0; b < N; b += BLOCK) {
        const float *next = b + BLOCK < N ? x + (size_t)BLOCK * D : x;
        scores_and_ask(x, w, S, ask == BY_HALVES ? next : NULL);
        if (ask == NOT) gradient_tiles(x, S, dw, BLOCK, 10, 2, NOT, next);
        if (ask == BY_COLUMNS) gradient_tiles(x, S, dw, BLOCK, 10, 2, BY_COLUMNS, next);
        if (ask == IN_ORDER) gradient_tiles(x, S, dw, BLOCK, 10, 2, IN_ORDER, next);
        if (ask == BY_HALVES) gradient_tiles(x, S, dw, BLOCK, 10, 2, BY_HALVES, next);
        x += (size_t)BLOCK * D;
    }
}

/* ---- check and time ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(const char *name, const float *got, const double *want, int n, double scale) {
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-5 * scale)) {
            printf("%s: wrong at %d: %g, not %g\n", name, i, got[i], want[i]);
            exit(1);
        }
}

int main(void) {
    float *x = aligned_alloc(64, (size_t)N * D * sizeof(float)), *w = malloc(C * D * sizeof(float));
    float *S = calloc(C * ROWS, sizeof(float)), *dw = calloc(C * D, sizeof(float));
    double *want = calloc(C * ROWS, sizeof(double)), *want_dw = calloc(C * D, sizeof(double));
    for (size_t i = 0; i < (size_t)N * D; i++)
        x[i] = (float)((i * 2654435761u >> 9) % 1000) / 1000 - 0.5f;
    for (int i = 0; i < C * D; i++) w[i] = (float)(i % 97) / 97 - 0.5f;
    for (int c = 0; c < C; c++)
        for (int i = 0; i < ROWS; i++)
            for (int d = 0; d < D; d++)
                want[c * ROWS + i] += (double)x[i * D + d] * (double)w[c * D + d];

    struct {
        const char *name;
        void (*run)(const float *, const float *, float *, int);
        int scores;
    } rungs[] = {
        {"scores: one row, one class", one_by_one, 1},
        {"scores: 2 x 10, lanes summed each stretch", two_by_ten, 1},
        {"scores: 2 x 10, lanes kept apart", by_lane, 1},
        {"scores: and W loaded once", loaded_once, 1},
        {"scores: 4 x 5", four_by_five, 1},
        {"gradient: 10 x 2", ten_by_two, 0},
        {"gradient: 5 x 4", five_by_four, 0},
    };
    for (size_t k = 0; k < sizeof rungs / sizeof *rungs; k++) {
        double best = 1e9;
        if (rungs[k].scores) {
            rungs[k].run(x, w, S, ROWS);
            check(rungs[k].name, S, want, C * ROWS, 1e3);
        } else {
            memset(dw, 0, C * D * sizeof(float));
            memset(want_dw, 0, C * D * sizeof(double));
            rungs[k].run(x, S, dw, ROWS);
            for (int c = 0; c < C; c++)
                for (int i = 0; i < ROWS; i++)
                    for (int d = 0; d < D; d++)
                        want_dw[c * D + d] += (double)S[c * ROWS + i] * (double)x[i * D + d];
            check(rungs[k].name, dw, want_dw, C * D, 1e3);
        }
        for (int r = 0; r < 200; r++) {
            double t = now();
            rungs[k].run(x, rungs[k].scores ? w : S, rungs[k].scores ? S : dw, ROWS);
            t = now() - t;
            best = t < best ? t : best;
        }
        printf("%-45s %6.0f GFLOP/s\n", rungs[k].name, 2e-9 * ROWS * C * D / best);
    }

    const char *asks[] = {"nothing asked for", "backward, by columns",
                          "backward, in the order of memory", "half forward, half backward"};
    for (int ask = 0; ask < 4; ask++) {
        double best = 1e9, sum = 0;
        static double first;
        for (int r = 0; r < 7; r++) {
            double t = now();
            pass(x, w, S, dw, ask);
            t = now() - t;
            best = t < best ? t : best;
        }
        for (int i = 0; i < C * D; i++) sum += (double)dw[i];
        if (!ask) first = sum;
        if (sum != first) return printf("pass, %s: another result\n", asks[ask]), 1;
        printf("pass: %-39s %6.1f ms\n", asks[ask], 1e3 * best);
    }
    return 0;
}
