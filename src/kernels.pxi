# What kernels.h offers, as Cython sees it. (Included in _kernels.pyx.)

from libc.stdint cimport int32_t, int64_t, uint8_t

cdef extern from "kernels.h" nogil:
    enum:
        SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, SOFTMAX_BACKWARD
        CROSS_ENTROPY, HINGE
        FROM_FLOAT, FROM_DOUBLE, FROM_UINT8
        FEATURES
        PREPARE, FOLD, BLOCKS, GRADIENT, MERGE, ROWS, SCORES, KEEP
        MOST_VECTORS, VECTOR_UNIT
        STACK_STRIP

    ctypedef struct cube:
        void *data
        ptrdiff_t stride[3]
        const ptrdiff_t *outer

    ctypedef struct row_job:
        int function
        ptrdiff_t outer, n, inner, units
        cube x, y, out
        void *sign

    ctypedef struct target_spec:
        const int64_t *index
        cube prob
        const void *weight
        const void *coef
        double factor, label_smoothing, delta

    ctypedef struct loss_job:
        int loss
        ptrdiff_t outer, n, inner, units
        cube z, g
        target_spec target
        double *losses

    ctypedef struct boost_job:
        ptrdiff_t outer, n, inner, units
        cube z, g, h
        target_spec target
        double gamma, scale, curvature, least
        double *losses

    ctypedef struct csr_spec:
        const void *value
        const void *index
        const void *start
        ptrdiff_t entries
        bint wide

    ctypedef struct linear_job:
        const char *x
        csr_spec csr
        int x_type
        ptrdiff_t x_stride[2]
        const int64_t *rows
        const void *shift
        const void *scale
        ptrdiff_t N, D, C
        const void *w
        ptrdiff_t w_stride[2]
        const void *bias
        const void *v
        ptrdiff_t v_stride[2]
        ptrdiff_t models
        const uint8_t *mask
        ptrdiff_t mask_stride
        const int64_t *mask_of_model
        int loss
        target_spec target
        void *dw
        ptrdiff_t dw_stride[2]
        double reg
        const double *normalizers
        int64_t *labels
        ptrdiff_t k
        void *best
        cube proba
        ptrdiff_t block, blocks, slots, ld, pieces
        void *wt
        void *scaled
        void *affine
        double *shift_sums
        void *folded_bias
        int64_t *strays
        void *slot_dw
        double *slot_dbias
        double *slot_loss
        double *square_sums
        ptrdiff_t round, row_length, n_parts
        const int64_t *parts
        void *g
        double *block_loss
        ptrdiff_t tiles, lds
        void *x_rows
        void *x_turned

    ctypedef struct layer_job:
        ptrdiff_t N, D, C
        const void *x
        const void *w
        const void *bias
        ptrdiff_t x_stride, w_stride
        target_spec target
        void *dx
        void *dw
        ptrdiff_t dx_stride, dw_stride
        double *losses
        ptrdiff_t tiles, shares, groups, rounds, block, ld, round
        void *g
        void *dx_sums
        void *dw_sums
        ptrdiff_t lddw
        double *dbias

    ctypedef struct stack_run:
        ptrdiff_t length

    ctypedef struct stack_job:
        linear_job one
        ptrdiff_t models, group
        void *w
        void *bias
        const void *rates
        const double *regs
        double *losses
        double *squares
        uint8_t *far
        ptrdiff_t features, height, strips
        int32_t *order
        int32_t *place
        stack_run *runs
        void *x

    ctypedef struct vectors_job:
        ptrdiff_t n, n_a, n_b
        const void *a[64]
        const void *b[64]
        double *sums
        void *out
        const double *factors

    ctypedef struct moments_job:
        const char *x
        int x_type
        ptrdiff_t x_stride[2]
        const double *weight
        ptrdiff_t N, D
        double *mean
        double *squares
        ptrdiff_t slots, pieces
        double *weights
        double *sums
        double *rest

    size_t plan_rows_f32(row_job *job)
    size_t plan_rows_f64(row_job *job)
    void row_unit_f32(const row_job *job, ptrdiff_t unit, float *scratch)
    void row_unit_f64(const row_job *job, ptrdiff_t unit, double *scratch)
    size_t plan_logsumexp_f32(row_job *job)
    size_t plan_logsumexp_f64(row_job *job)
    void logsumexp_unit_f32(const row_job *job, ptrdiff_t unit, float *scratch)
    void logsumexp_unit_f64(const row_job *job, ptrdiff_t unit, double *scratch)
    size_t plan_losses_f32(loss_job *job)
    size_t plan_losses_f64(loss_job *job)
    void loss_unit_f32(const loss_job *job, ptrdiff_t unit, float *scratch)
    void loss_unit_f64(const loss_job *job, ptrdiff_t unit, double *scratch)
    size_t plan_boost_f32(boost_job *job)
    size_t plan_boost_f64(boost_job *job)
    void boost_unit_f32(const boost_job *job, ptrdiff_t unit, float *scratch)
    void boost_unit_f64(const boost_job *job, ptrdiff_t unit, double *scratch)
    void vector_math_f32(int log1p, const float *x, float *out, ptrdiff_t n)
    void vector_math_f64(int log1p, const double *x, double *out, ptrdiff_t n)
    size_t plan_linear_f32(linear_job *job)
    size_t plan_linear_f64(linear_job *job)
    void linear_unit_f32(const linear_job *job, int stage, ptrdiff_t unit, char *scratch)
    void linear_unit_f64(const linear_job *job, int stage, ptrdiff_t unit, char *scratch)
    size_t plan_sparse_f32(linear_job *job)
    size_t plan_sparse_f64(linear_job *job)
    void sparse_unit_f32(const linear_job *job, int stage, ptrdiff_t unit, char *scratch)
    void sparse_unit_f64(const linear_job *job, int stage, ptrdiff_t unit, char *scratch)
    bint in_tiles_f32(const linear_job *job)
    bint in_tiles_f64(const linear_job *job)
    size_t plan_tiles_f32(linear_job *job)
    size_t plan_tiles_f64(linear_job *job)
    void tiles_unit_f32(const linear_job *job, int stage, ptrdiff_t unit, char *scratch)
    void tiles_unit_f64(const linear_job *job, int stage, ptrdiff_t unit, char *scratch)
    size_t plan_layer_f32(layer_job *job)
    size_t plan_layer_f64(layer_job *job)
    void layer_unit_f32(const layer_job *job, int stage, ptrdiff_t unit, char *scratch)
    void layer_unit_f64(const layer_job *job, int stage, ptrdiff_t unit, char *scratch)
    ptrdiff_t fold_features_f32(const linear_job *job, ptrdiff_t begin, ptrdiff_t end)
    ptrdiff_t fold_features_f64(const linear_job *job, ptrdiff_t begin, ptrdiff_t end)
    size_t plan_stack_f32(stack_job *job)
    size_t plan_stack_f64(stack_job *job)
    ptrdiff_t packed_size_f32(const stack_job *job, ptrdiff_t models)
    ptrdiff_t packed_size_f64(const stack_job *job, ptrdiff_t models)
    void order_features_f32(stack_job *job)
    void order_features_f64(stack_job *job)
    int copy_model_f32(const stack_job *job, ptrdiff_t model, const cube *w, int back)
    int copy_model_f64(const stack_job *job, ptrdiff_t model, const cube *w, int back)
    void stack_unit_f32(stack_job *job, int stage, ptrdiff_t unit, char *scratch)
    void stack_unit_f64(stack_job *job, int stage, ptrdiff_t unit, char *scratch)
    void vectors_unit_f32(const vectors_job *job, ptrdiff_t unit)
    void vectors_unit_f64(const vectors_job *job, ptrdiff_t unit)
    size_t plan_moments(moments_job *job)
    void moments_unit(const moments_job *job, int stage, ptrdiff_t unit, char *scratch)
    float read_sum_f32(const float *x, ptrdiff_t n)
    double read_sum_f64(const double *x, ptrdiff_t n)
    float multiply_add_f32(float x, double flops)
    double multiply_add_f64(double x, double flops)
