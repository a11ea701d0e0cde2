"""Blocks and strips -> whole arrays: the loops over threads. Trusts its input (_native/checks).

One function per pass over the data. Each fills in a job (jobs.h), plans it by its shape alone, and
hands its units of work to threads (threads.pxi); what a unit does is plain C (kernels.h). All
memory is allocated before; sums over units are merged in a fixed order.

Arrays come as objects, whose dtype float32 or float64 is told by the size of an element. Typed
memoryviews would cost a call of a few rows more than its work does: 0.13 us for each array, 0.3 us
for the choice by their type (Zen 5). What is asserted are errors in csoftmax, never in its input.
"""

cdef extern from *:
    """
    #ifdef _OPENMP
    #define CSOFTMAX_OPENMP _OPENMP
    #else
    #define CSOFTMAX_OPENMP 0
    #endif
    #ifndef CSOFTMAX_ISA
    #include "cpu.h"
    #define CSOFTMAX_ISA CSOFTMAX_BASELINE
    #endif
    #ifndef CSOFTMAX_OWN_THREADS
    #define CSOFTMAX_OWN_THREADS 0
    #endif
    """
    const int CSOFTMAX_OPENMP
    const int CSOFTMAX_OWN_THREADS
    const char *CSOFTMAX_ISA

include "threads.pxi"      # units of work for threads; first: the system's headers are in it
include "kernels.pxi"      # the C functions
include "views.pxi"        # looking at arrays; memory
include "indices.pxi"      # labels and indices within bounds?
include "rows.pxi"         # rows of logits: row functions, losses
include "boosting.pxi"     # rows of scores: gradients and Hessians for boosted trees
include "linear.pxi"       # rows of X: linear models
include "layer.pxi"        # the last layer of a network
include "stack.pxi"        # steps of many models on the same rows
include "vectors.pxi"      # products and weighted sums of long vectors
include "moments.pxi"      # means of the features, and squares about them
include "peaks.pxi"        # limits of the machine

OPENMP = CSOFTMAX_OPENMP
OWN_THREADS = bool(CSOFTMAX_OWN_THREADS)
MOST_THREADS = CREW_MOST
LOOKOUT_NS = crew_settings()
ISA = CSOFTMAX_ISA.decode()
ROW_FUNCTIONS = {
    "softmax": SOFTMAX,
    "log_softmax": LOG_SOFTMAX,
    "logsumexp": LOGSUMEXP,
    "softmax_backward": SOFTMAX_BACKWARD,
}
LOSSES = {"cross_entropy": CROSS_ENTROPY, "hinge": HINGE}
