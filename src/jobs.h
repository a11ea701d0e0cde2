/* What a pass works on, filled in by _kernels.pyx. Pointers are to float or double, as the pass is.
 */

enum { SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, SOFTMAX_BACKWARD }; /* row functions */
enum { CROSS_ENTROPY, HINGE };                              /* row losses */
enum { FROM_FLOAT, FROM_DOUBLE, FROM_UINT8 };               /* element types of X */

/* stages of a pass over X */
enum { PREPARE, FOLD, BLOCKS, GRADIENT, MERGE, ROWS, SCORES, KEEP };

/* How rows are taken: one at a time in place, or beside each other, copied into scratch. */
enum { ACROSS, BESIDE };

/* An array seen as (outer, n, inner): the middle axis is worked on. Strides count elements. */
typedef struct {
    void *data;
    ptrdiff_t stride[3];
    const ptrdiff_t *outer; /* (outer) where its places lie, or NULL: stride[0] apart */
} cube;

typedef struct {
    int function;
    ptrdiff_t outer, n, inner;
    cube x, y, out; /* y: second input of SOFTMAX_BACKWARD (the softmax), weights of a LOGSUMEXP
                       that has them (logsumexp.h), else the same as x */
    void *sign;     /* of each sum with weights, or NULL */
    int form;
    ptrdiff_t units, bundled; /* bundled: rows that may be taken together */
} row_job;

/* Targets of a loss: see `aim` in rows.h. */
typedef struct {
    const int64_t *index; /* class of each row, anything out of range: no target; or NULL */
    cube prob;            /* (rows, C, 1) probabilities (of a loss_job as z), data NULL: none */
    const void *weight;   /* (C) class weights, or NULL */
    const void *coef;     /* (rows) factor of each row's loss and gradient, or NULL: 1 */
    double factor;        /* and of all of them */
    double label_smoothing, delta;
} target_spec;

typedef struct {
    int loss;
    ptrdiff_t outer, n, inner; /* row r is at outer r / inner and inner r % inner */
    cube z, g;                 /* g.data NULL: no gradient */
    target_spec target;
    double *losses; /* (outer * inner) */
    int form;
    ptrdiff_t units, width; /* rows of a unit, if beside each other */
} loss_job;

/* What boosting takes from scores (boosting.h). */
typedef struct {
    ptrdiff_t outer, n, inner; /* as of a loss_job */
    cube z, g, h;              /* g and h of floats; g.data NULL: neither */
    target_spec target;
    double gamma;     /* of the focal loss; 0: cross-entropy */
    double scale;     /* of the scores */
    double curvature; /* factor of p (1 - p) in h; 0: h is |g| */
    double least;     /* of h */
    double *losses;   /* (outer * inner), or NULL */
    int form;
    ptrdiff_t units, width;
} boost_job;

/* X as SciPy's CSR: row r has the entries start[r] .. start[r + 1], sorted by feature */
typedef struct {
    const void *value, *index, *start; /* of entries: values, features */
    ptrdiff_t entries;
    int wide; /* index and start are int64, else int32 */
} csr_spec;

typedef struct {
    /* X: rows of D features, read through `rows` where that is given */
    const char *x; /* NULL: csr */
    csr_spec csr;
    int x_type;
    ptrdiff_t x_stride[2]; /* bytes */
    const int64_t *rows;
    const void *shift, *scale; /* (D) both or neither, in double where X is, else as W */
    /* the model */
    ptrdiff_t N, D, C;
    const void *w;
    ptrdiff_t w_stride[2];
    const void *bias; /* (C), or NULL */
    /* the direction of a Hessian-vector product; bias is then W's and behind it V's (2 C); or NULL
     */
    const void *v;
    ptrdiff_t v_stride[2];
    /* C / models columns of W are a model, with a loss and rows of its own: row i of X counts for
       model k where mask[mask_of_model[k]][i] is 1 (mask NULL: everywhere) */
    ptrdiff_t models;
    const uint8_t *mask;
    ptrdiff_t mask_stride;
    const int64_t *mask_of_model;
    /* what is kept: labels, probabilities, or loss and gradient */
    int loss;
    target_spec target;
    void *dw;
    ptrdiff_t dw_stride[2];
    double reg;                /* dw = sum / normalizer + reg w (or reg v) */
    const double *normalizers; /* (models) */
    int64_t *labels;           /* (N), (N, k) if there is `best`, or NULL */
    ptrdiff_t k;
    void *best; /* (N, k) probabilities of the k best, or NULL */
    cube proba; /* (N, C, 1); data NULL: none */
    /* the plan: rows in blocks, blocks in slots; a function of the shape alone */
    ptrdiff_t block, blocks, slots, ld; /* ld: row length of the transposed arrays */
    ptrdiff_t lds;    /* that of a block's scores, (C, lds); in tiles they are g, (block, lds) */
    ptrdiff_t pieces; /* of W, each with a sum of squares */
    /* work space */
    void *wt;           /* (C, ld) W transposed, padded with zeros, and behind it V */
    void *scaled;       /* the same, each feature times its scale: see affine.h */
    void *affine;       /* (4, ld) what affine.h says */
    double *shift_sums; /* (pieces, C), and of V */
    void *folded_bias;  /* (C), of CSR (ld), and V's */
    int64_t *strays;    /* (1 + pieces) how many numbers are too large to be folded, in all first */
    void *slot_dw;      /* (slots, C, ld) */
    double *slot_dbias; /* (slots, C) */
    double *slot_loss;  /* (slots, models) */
    double *square_sums; /* of W, one for each piece */
    /* for CSR (sparse.h) */
    ptrdiff_t round, row_length, ldw, lddw; /* blocks; classes, padded; from row to row */
    ptrdiff_t n_parts;
    const int64_t *parts; /* (n_parts + 1) features where the owners' parts begin and end */
    void *g;              /* (round * block, ld) gradients of scores */
    double *block_loss;   /* (round), or with tiles (block, models) */
    /* for many classes (tiles.h) */
    ptrdiff_t tiles;         /* 0: no tiles */
    void *x_rows, *x_turned; /* (block, ld) and (D, block): a block's features */
} linear_job;

/* The last layer of a network (layer.h). A row's numbers are neighbours; strides are between rows.
 */
typedef struct {
    ptrdiff_t N, D, C; /* D >= LANES */
    const void *x, *w, *bias;
    ptrdiff_t x_stride, w_stride;
    target_spec target;
    void *dx, *dw; /* NULL: not wanted */
    ptrdiff_t dx_stride, dw_stride;
    double *losses; /* (N) */
    /* the plan */
    ptrdiff_t tiles, shares, groups, rounds, block, ld;
    ptrdiff_t round; /* which is on */
    /* work space */
    void *g;       /* (groups, block / STRIP, C, STRIP) scores, then their gradients */
    void *dx_sums; /* (groups, shares, block, ld) */
    void *dw_sums; /* (groups, C, lddw), or dw itself if there is one group */
    ptrdiff_t lddw;
    double *dbias; /* (groups, C) sums, or NULL: not wanted */
} layer_job;

/* Models that are trained beside each other, a step at a time (stack.h). */
typedef struct {
    ptrdiff_t length; /* features that are summed one after the other */
    int merges;       /* sums of runs before it that are added to this one's, nearest first */
    int last;         /* whether the score then gets it */
} stack_run;
typedef struct {
    linear_job
        one; /* one of the models alone: X, targets, blocks and slots; w, dw and bias unused */
    /* the models, in groups of `group` that lie packed one behind the other */
    ptrdiff_t models, group;
    void *w;            /* see stack.h */
    void *bias;         /* (models, C), or NULL */
    const void *rates;  /* (models) */
    const double *regs; /* (models) */
    double *losses;     /* (models) sums over rows */
    double *squares;    /* (models) of W */
    uint8_t *far;       /* (models) whether W has become so large that it is not to be scaled */
    /* the plan */
    ptrdiff_t features, height; /* with zeros for short rows; to whole tiles */
    ptrdiff_t strips;           /* of STACK_STRIP rows */
    int scales;                 /* whether features have other scales than 1 */
    /* work space */
    int32_t *order, *place; /* (features) the feature at each place; the place of each */
    stack_run *runs;        /* (features + LANES) */
    ptrdiff_t n_runs;
    void *x; /* (strips, height, STACK_STRIP) rows in that order */
} stack_job;
enum { STACK_STRIP = 8 };

/* Long vectors, all of n numbers (vectors.h). */
enum { MOST_VECTORS = 64 };
typedef struct {
    ptrdiff_t n, n_a, n_b;
    const void *a[MOST_VECTORS], *b[MOST_VECTORS];
    double *sums; /* (units, n_a, n_b) */
    void *out;    /* of a weighted sum, else NULL */
    const double *factors;
} vectors_job;

/* Means and squares of the features (moments.h). */
typedef struct {
    const char *x;
    int x_type;
    ptrdiff_t x_stride[2]; /* bytes */
    const double *weight;  /* (N), or NULL: 1 */
    ptrdiff_t N, D;
    double *mean, *squares;  /* (D) */
    ptrdiff_t slots, pieces; /* the plan */
    double *weights;         /* (slots) sums of the rows' weights */
    double *sums;            /* (slots, 3, D) */
    double *rest;            /* (D) */
} moments_job;

/* features in a piece of the work before and after the pass: transposing W, merging the slots */
#define FEATURES 256
