/* All C code of the kernels, compiled once for float and once for double.
 *
 *   simd.h         vectors of the widest registers that this variant may use
 *   exp.h          exp and log1p
 *   rows.h         row functions on a strip of scores
 *   losses.h       row losses on a strip of scores
 *   panels.h       the two skinny products on one block of rows
 *   strips.h       from arrays of rows to strips and back; the row functions on arrays
 *   loss_strips.h  the losses on arrays of scores
 *   boosting.h     gradient and Hessian's diagonal of a softmax, on strips and on arrays
 *   logsumexp.h    a sum of exponentials with weights, on strips and on arrays
 *   affine.h       shifted and scaled features, folded into the model
 *   sources.h      rows of X as reals
 *   turned.h       scores of many classes: the second product, on rows turned round
 *   top.h          the k largest scores of a row
 *   blocks.h       from X, whatever it is made of, to a pass over a slot of blocks of rows
 *   sparse.h       the same from CSR rows, with the two products for them
 *   tiles.h        the same for many classes, in tiles of W and dW
 *   layer.h        the last layer of a network: gradients to its rows, weights and bias
 *   stack.h        steps of many models on the same rows: how these and those lie
 *   stack_step.h   what they become
 *   vectors.h      products and weighted sums of long vectors
 *   moments.h      means of the features, and squares about them (only for double)
 *   peaks.h        how fast this machine reads, multiplies and adds
 *
 * In these files `real` is float or double, `sint` the signed integer of its size, and FN(name) a
 * name of its own for each of the two. No Python, no threads and no malloc below this line.
 */
#ifndef CSOFTMAX_KERNELS_H
#define CSOFTMAX_KERNELS_H

#if !defined(__GNUC__) && !defined(__clang__) /* clang-cl is no GNUC */
#error "csoftmax needs gcc or clang: its kernels use their vector types"
#endif

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))
/* What is compiled for each number of classes and each kind of rows. The debug and the sanitizers'
   builds have one function for all of them: they would take half an hour. */
#ifdef CSOFTMAX_CHECKED
#define SPECIALISED static __attribute__((noinline))
#else
#define SPECIALISED INLINE
#endif

/* For what is rare: registers are for what is not. */
#define APART static __attribute__((noinline))

/* Rows of a block are padded to a multiple of this, whatever the registers' width, so that blocks
   (and with them the order of every sum over rows) are the same in all variants. */
#define LANES ((ptrdiff_t)(64 / sizeof(real)))

#include "jobs.h"

#define IS_DOUBLE 0
#define real float
#define sint int32_t
#define unsigned_sint uint32_t
#define FN(name) name##_f32
#include "simd.h"
#include "exp.h"
#include "rows.h"
#include "losses.h"
#include "panels.h"
#include "strips.h"
#include "loss_strips.h"
#include "boosting.h"
#include "logsumexp.h"
#include "affine.h"
#include "sources.h"
#include "turned.h"
#include "top.h"
#include "blocks.h"
#include "sparse.h"
#include "tiles.h"
#include "layer.h"
#include "stack.h"
#include "stack_step.h"
#include "vectors.h"
#include "peaks.h"
#undef IS_DOUBLE
#undef real
#undef sint
#undef unsigned_sint
#undef FN

#define IS_DOUBLE 1
#define real double
#define sint int64_t
#define unsigned_sint uint64_t
#define FN(name) name##_f64
#include "simd.h"
#include "exp.h"
#include "rows.h"
#include "losses.h"
#include "panels.h"
#include "strips.h"
#include "loss_strips.h"
#include "boosting.h"
#include "logsumexp.h"
#include "affine.h"
#include "sources.h"
#include "turned.h"
#include "top.h"
#include "blocks.h"
#include "sparse.h"
#include "tiles.h"
#include "layer.h"
#include "stack.h"
#include "stack_step.h"
#include "vectors.h"
#include "moments.h"
#include "peaks.h"
#undef IS_DOUBLE
#undef real
#undef sint
#undef unsigned_sint
#undef FN

#endif
