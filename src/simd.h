/* Vectors as wide as the registers of this variant, in the compiler's own vector types: the
 * operators + - * / & | ~ < > == work lane by lane, a comparison gives all ones or zeros, and a
 * cast between vectors of one size keeps the bits. (Included once per real: see kernels.h.)
 */
#undef VEC_BYTES
#if defined(__AVX512F__)
#define VEC_BYTES 64
#elif defined(__AVX__)
#define VEC_BYTES 32
#else
#define VEC_BYTES 16
#endif

#undef V
#define V ((ptrdiff_t)(VEC_BYTES / sizeof(real)))
#undef vec
#undef ivec
#undef uvec
#define vec FN(vec)
#define ivec FN(ivec)
#define uvec FN(uvec)

/* A loop whose arrays of vectors are to be registers. gcc 12 by itself unrolls it too late to see
   that they never are in memory, and stores them there (scores: 157 against 206 GFLOP/s). */
#ifndef UNROLLED
#if defined(__clang__)
#define UNROLLED(k, n) for (int k = 0; k < (n); k++)
#else
#define UNROLLED(k, n) _Pragma("GCC unroll 16") for (int k = 0; k < (n); k++)
#endif
#endif

/* A vector that is in a register from here on (see IN_REGISTERS); and a product that is not to
   become a part of a fused multiplication and addition. */
#ifndef ROUNDED
#if defined(__x86_64__)
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#define ROUNDED IN_REGISTER
#elif defined(__aarch64__)
#define IN_REGISTER(v) __asm__("" : "+w"(v))
#define ROUNDED IN_REGISTER
#else
#define IN_REGISTER(v) (void)(v)
#define ROUNDED(v) __asm__("" : "+m"(v))
#endif
#endif

typedef real vec __attribute__((vector_size(VEC_BYTES)));
typedef sint ivec __attribute__((vector_size(VEC_BYTES)));
typedef unsigned_sint uvec __attribute__((vector_size(VEC_BYTES)));
/* the same at any address, over memory of any type */
typedef real FN(loose_vec) __attribute__((vector_size(VEC_BYTES), aligned(1), may_alias));

INLINE vec FN(splat)(real x) { return x - (vec){0}; } /* x - 0 keeps the sign of a zero */
INLINE ivec FN(isplat)(sint x) { return x - (ivec){0}; }
INLINE vec FN(load)(const real *p) { return *(const FN(loose_vec) *)p; }
INLINE void FN(store)(real *p, vec v) { *(FN(loose_vec) *)p = v; }

/* V bytes as reals, each with 2^23 (of doubles 2^52) added, which is done by setting a bit: what is
   subtracted next has it, too, and a conversion would take the units of the multiplications. */
#undef RAISED
#define RAISED (IS_DOUBLE ? (real)4503599627370496.0 : (real)8388608.0)
INLINE vec FN(widened)(const uint8_t *p) {
#if defined(__AVX512F__) && IS_DOUBLE
    uvec n = (uvec)_mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)p));
#elif defined(__AVX512F__)
    uvec n = (uvec)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
#elif defined(__AVX2__) && IS_DOUBLE
    int32_t four;
    memcpy(&four, p, sizeof four);
    uvec n = (uvec)_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
#elif defined(__AVX2__)
    uvec n = (uvec)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
#elif defined(__SSE2__)
    const __m128i zero = _mm_setzero_si128();
    int32_t few = 0;
    memcpy(&few, p, (size_t)V);
    __m128i m = _mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(few), zero), zero);
    uvec n = (uvec)(IS_DOUBLE ? _mm_unpacklo_epi32(m, zero) : m);
#elif defined(__aarch64__) /* of 4 or 2 bytes gcc 12 would widen one by one */
    uint32_t few = 0;
    memcpy(&few, p, (size_t)V);
    uint32x4_t m = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(few))));
    uvec n = IS_DOUBLE ? (uvec)vmovl_u32(vget_low_u32(m)) : (uvec)m;
#else
    typedef uint8_t narrow __attribute__((vector_size(VEC_BYTES / sizeof(real))));
    narrow bytes;
    memcpy(&bytes, p, sizeof bytes);
    uvec n = __builtin_convertvector(bytes, uvec);
#endif
    return (vec)(n | (uvec)FN(splat)(RAISED));
}

#undef LINE
#define LINE ((ptrdiff_t)(64 / sizeof(real))) /* a cache line */

/* numbers from p to the next cache line */
INLINE ptrdiff_t FN(to_line)(const real *p) {
    return (ptrdiff_t)(-(uintptr_t)p % 64 / sizeof(real));
}

/* Stores to memory itself: the line that is written is not read. p is aligned. Before other
   threads read it there must be a fence. */
INLINE void FN(stream)(real *p, vec v) {
#if defined(__AVX512F__)
    _mm512_stream_si512((__m512i *)p, (__m512i)v);
#elif defined(__AVX__)
    _mm256_stream_si256((__m256i *)p, (__m256i)v);
#elif defined(__SSE2__)
    _mm_stream_si128((__m128i *)p, (__m128i)v);
#else
    *(vec *)p = v;
#endif
}
INLINE void FN(fence)(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

INLINE ivec FN(iota)(void) {
    ivec v;
    for (sint k = 0; k < V; k++) v[k] = k;
    return v;
}

/* mask ? a : b */
INLINE vec FN(select)(ivec mask, vec a, vec b) {
    return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

/* mask ? a : 0 */
INLINE vec FN(keep)(ivec mask, vec a) { return (vec)((ivec)a & mask); }

/* |x| */
INLINE vec FN(size)(vec x) { return (vec)((ivec)x & ~(ivec)FN(splat)((real)-0.0)); }

/* whether any lane of a mask is set */
INLINE int FN(any)(ivec mask) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX__)
    return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#elif defined(__SSE2__)
    return _mm_movemask_epi8((__m128i)mask) != 0;
#else
    uint64_t part[VEC_BYTES / 8], all = 0;
    memcpy(part, &mask, sizeof part);
    for (int k = 0; k < VEC_BYTES / 8; k++) all |= part[k];
    return all != 0;
#endif
}

/* The larger and the lesser of two; b, if either is NaN. Compilers do not find the processor's own
   instructions, which do just that, from select(a > b, a, b). */
#undef EXTREME
#if defined(__AVX512F__) && IS_DOUBLE
#define EXTREME(op, a, b) ((vec)_mm512_##op##_pd((__m512d)(a), (__m512d)(b)))
#elif defined(__AVX512F__)
#define EXTREME(op, a, b) ((vec)_mm512_##op##_ps((__m512)(a), (__m512)(b)))
#elif defined(__AVX__) && IS_DOUBLE
#define EXTREME(op, a, b) ((vec)_mm256_##op##_pd((__m256d)(a), (__m256d)(b)))
#elif defined(__AVX__)
#define EXTREME(op, a, b) ((vec)_mm256_##op##_ps((__m256)(a), (__m256)(b)))
#elif defined(__SSE2__) && IS_DOUBLE
#define EXTREME(op, a, b) ((vec)_mm_##op##_pd((__m128d)(a), (__m128d)(b)))
#elif defined(__SSE2__)
#define EXTREME(op, a, b) ((vec)_mm_##op##_ps((__m128)(a), (__m128)(b)))
#endif
#ifdef EXTREME
INLINE vec FN(larger)(vec a, vec b) { return EXTREME(max, a, b); }
INLINE vec FN(lesser)(vec a, vec b) { return EXTREME(min, a, b); }
#else
INLINE vec FN(larger)(vec a, vec b) { return FN(select)(a > b, a, b); }
INLINE vec FN(lesser)(vec a, vec b) { return FN(select)(a < b, a, b); }
#endif

/* Two vectors in, one out, its lanes by their index among those of both. */
#ifndef SHUFFLE
#if defined(__clang__)
#define SHUFFLE(index, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(index, a, b, ...) __builtin_shuffle(a, b, (index){__VA_ARGS__})
#endif
#endif

/* Pieces of vectors: 16 bytes, TILE numbers. */
#undef piece
#define piece FN(piece)
#undef TILE
#define TILE ((ptrdiff_t)(16 / sizeof(real)))
typedef real piece __attribute__((vector_size(16)));
typedef sint FN(ipiece) __attribute__((vector_size(16)));
typedef real FN(loose_piece) __attribute__((vector_size(16), aligned(1), may_alias));

INLINE piece FN(load_piece)(const real *p) { return *(const FN(loose_piece) *)p; }
INLINE void FN(store_piece)(real *p, piece v) { *(FN(loose_piece) *)p = v; }

/* 8 bytes from each of two places */
typedef double FN(loose_half) __attribute__((aligned(1), may_alias));
typedef double FN(halves) __attribute__((vector_size(16)));
INLINE piece FN(load_halves)(const real *p, const real *q) {
    return (piece)(FN(halves)){*(const FN(loose_half) *)p, *(const FN(loose_half) *)q};
}
INLINE void FN(store_halves)(real *p, real *q, piece v) {
    *(FN(loose_half) *)p = ((FN(halves))v)[0];
    *(FN(loose_half) *)q = ((FN(halves))v)[1];
}

/* a square of TILE pieces: rows become columns */
INLINE void FN(transpose)(piece p[TILE]) {
#if IS_DOUBLE
    const piece a = p[0], b = p[1];
    p[0] = SHUFFLE(FN(ipiece), a, b, 0, 2);
    p[1] = SHUFFLE(FN(ipiece), a, b, 1, 3);
#else
    const piece a = SHUFFLE(FN(ipiece), p[0], p[2], 0, 4, 1, 5);
    const piece b = SHUFFLE(FN(ipiece), p[1], p[3], 0, 4, 1, 5);
    const piece c = SHUFFLE(FN(ipiece), p[0], p[2], 2, 6, 3, 7);
    const piece d = SHUFFLE(FN(ipiece), p[1], p[3], 2, 6, 3, 7);
    p[0] = SHUFFLE(FN(ipiece), a, b, 0, 4, 1, 5);
    p[1] = SHUFFLE(FN(ipiece), a, b, 2, 6, 3, 7);
    p[2] = SHUFFLE(FN(ipiece), c, d, 0, 4, 1, 5);
    p[3] = SHUFFLE(FN(ipiece), c, d, 2, 6, 3, 7);
#endif
}

/* Reductions over the lanes, in a fixed order. By pieces of 16 bytes, because gcc 12 turns loops
   over the lanes of a 64-byte vector into loops over memory. */

INLINE piece FN(piece_sum)(vec v) {
    piece p[VEC_BYTES / 16];
    memcpy(p, &v, sizeof v);
#if VEC_BYTES == 64
    p[0] += p[2];
    p[1] += p[3];
#endif
#if VEC_BYTES >= 32
    p[0] += p[1];
#endif
    return p[0];
}

INLINE real FN(lane_sum)(vec v) {
    const piece p = FN(piece_sum)(v);
#if IS_DOUBLE
    return p[0] + p[1];
#else
    return (p[0] + p[2]) + (p[1] + p[3]);
#endif
}

/* The sums over the lanes of TILE vectors. Neighbours within a piece are added,
   until it has a number of each vector; then the pieces. 4 instructions a sum, in place of 10. */
#undef EVEN
#undef ODD
#define LIST(...) __VA_ARGS__
#if VEC_BYTES == 64 && IS_DOUBLE
#define EVEN LIST(0, 8, 2, 10, 4, 12, 6, 14)
#define ODD LIST(1, 9, 3, 11, 5, 13, 7, 15)
#elif VEC_BYTES == 64
#define EVEN LIST(0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30)
#define ODD LIST(1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31)
#elif VEC_BYTES == 32 && IS_DOUBLE
#define EVEN LIST(0, 4, 2, 6)
#define ODD LIST(1, 5, 3, 7)
#elif VEC_BYTES == 32
#define EVEN LIST(0, 2, 8, 10, 4, 6, 12, 14)
#define ODD LIST(1, 3, 9, 11, 5, 7, 13, 15)
#elif IS_DOUBLE
#define EVEN LIST(0, 2)
#define ODD LIST(1, 3)
#else
#define EVEN LIST(0, 2, 4, 6)
#define ODD LIST(1, 3, 5, 7)
#endif
#undef FOLD
#define FOLD(to, v, w) (to) = SHUFFLE(ivec, v, w, EVEN) + SHUFFLE(ivec, v, w, ODD)
INLINE piece FN(lane_sums)(const vec v[TILE]) {
    vec a;
    FOLD(a, v[0], v[1]);
#if !IS_DOUBLE
    vec b;
    FOLD(b, v[2], v[3]);
    FOLD(a, a, b);
#endif
    return FN(piece_sum)(a);
}

INLINE real FN(lane_max)(vec v) {
    real a = v[0], b = v[1];
    for (ptrdiff_t k = 2; k < V; k += 2) {
        a = v[k] > a ? v[k] : a;
        b = v[k + 1] > b ? v[k + 1] : b;
    }
    return a > b ? a : b;
}
