# Scores of boosted trees -> gradients and Hessians. (Included in _kernels.pyx.)


cdef void boost_float(const void *job, int _stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    boost_unit_f32(<const boost_job *> job, unit, <float *> scratch)


cdef void boost_double(const void *job, int _stage, ptrdiff_t unit, char *scratch) noexcept nogil:
    boost_unit_f64(<const boost_job *> job, unit, <double *> scratch)


cdef int turned(cube *to, bint turn) except -1:
    """A matrix as a cube: its rows on the outer axis, or as neighbours on the inner one."""
    if turn:
        to.stride[2], to.stride[0] = to.stride[0], 0
    else:
        to.stride[2] = 0
    return 0


def row_boost(
    object z,                       # IN (n_rows, n_classes) scores, of any strides
    object index,                   # IN (n_rows) int64 class indices; no class: no target; or None
    object prob,                    # IN probabilities, as z, or None
    object weight,                  # IN (n_classes) class weights, or None
    object coef,                    # IN (n_rows) factors of the rows, or None
    double label_smoothing,
    double gamma,                   # of the focal loss
    double scale,                   # of the scores
    double curvature,               # factor of p (1 - p), or 0: absolute gradients
    double least,                   # of the Hessian
    object g,                       # OUT float32 gradient, of z's shape, or None
    object h,                       # OUT float32 Hessian's diagonal, of z's shape, or None
    object losses,                  # OUT (n_rows) float64, without coef, or None
    int n_threads,
):
    cdef boost_job job
    cdef view seen
    cdef size_t scratch
    cdef bint turn
    memset(&job, 0, sizeof(job))
    see(z, &seen)
    job.outer, job.n, job.inner = seen.shape[0], seen.shape[1], 1
    job.z.data = matrix(z, job.outer, job.n, seen.itemsize, job.z.stride)
    job.g.data = matrix(g, job.outer, job.n, sizeof(float), job.g.stride)
    job.h.data = matrix(h, job.outer, job.n, sizeof(float), job.h.stride)
    aim(
        &job.target, job.outer, job.n, seen.itemsize, index, prob, weight, coef, 1,
        label_smoothing, 0,
    )
    job.losses = <double *> vector(losses, job.outer, sizeof(double))
    job.gamma, job.scale, job.curvature, job.least = gamma, scale, curvature, least
    turn = job.z.stride[1] != 1 and abs(job.z.stride[0]) < abs(job.z.stride[1])
    turned(&job.z, turn)
    turned(&job.g, turn)
    turned(&job.h, turn)
    turned(&job.target.prob, turn)
    if turn:
        job.outer, job.inner = 1, job.outer
    if seen.itemsize == sizeof(float):
        scratch = plan_boost_f32(&job)
        run(boost_float, &job, job.units, scratch, n_threads)
    else:
        scratch = plan_boost_f64(&job)
        run(boost_double, &job, job.units, scratch, n_threads)
