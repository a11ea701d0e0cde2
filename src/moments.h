/* Means of the features, and sums of squares about them, in one look at X, in double.
 *
 *     mean[d] = sum_i w[i] x[i][d] / sum_i w[i]
 *     squares[d] = sum_i w[i] (x[i][d] - mean[d])^2
 *
 * Sums are of u = x - centre and of u^2. The centre moves to the mean of all rows so far after each
 * block of rows, and a block weighs no more than the rows before it: then no move takes off more
 * than half of the squares, whatever the features' offsets and the order of the rows. So nothing
 * cancels, and no row is looked at twice. (The first blocks have 1, 1, 2, 4, ... rows.) What is
 * lost when the centre is rounded remains in the sum of u.
 *
 * Rows are cut into slots, features into pieces, by the shape and type of X alone; slots are merged
 * in order, by Chan, Golub and LeVeque's update. (Included for double alone: see kernels.h.)
 */
#define MOMENT_ROWS 256   /* of a block: 257 at most, for `count` */
#define MOMENT_SLOT 1024  /* rows of a slot, at least */
#define MOMENT_UNITS 64   /* at most, unless there are more pieces */
#define MOMENT_BYTES 4096 /* of a row, in a piece: its sums stay in L1 */
#define BESIDE_EACH 4     /* rows that share reading and writing of the sums */
#define CHAINS_DOWN 4     /* independent sums of one feature */
#define COUNTED 512       /* bytes of a row between askings */
/* How far ahead memory is asked for, at least. (Without: 784 floats 10 in place of 19 GB/s with one
   thread, Zen 4.) */
#define MOMENT_AHEAD 8192

typedef struct {
    ptrdiff_t n;                     /* features of the piece */
    double *centre, *first, *second; /* sums of w u, w u^2 */
    double weight;                   /* of all rows so far */
    /* of a block: its rows' weights; its sums; and where bytes are counted, those of x, x^2 */
    double *w, *block_first, *block_second;
    uint32_t *count_squares;
    uint16_t *counts;
} Sums;

INLINE ptrdiff_t piece_begin(const moments_job *job, ptrdiff_t piece) {
    return job->D / job->pieces * piece + job->D % job->pieces * piece / job->pieces;
}

INLINE ptrdiff_t slot_begin(const moments_job *job, ptrdiff_t slot) {
    return job->N / job->slots * slot + job->N % job->slots * slot / job->slots;
}

/* The bytes of scratch for a piece of n features. */
static size_t lay_out_sums(ptrdiff_t n, char *scratch, Sums *of) {
    const size_t doubles = (size_t)n * sizeof(double);
    of->n = n;
    of->w = (double *)scratch;
    of->block_first = of->w + MOMENT_ROWS;
    of->block_second = of->block_first + n;
    of->count_squares = (uint32_t *)(of->block_second + n);
    of->counts = (uint16_t *)(of->count_squares + n);
    return MOMENT_ROWS * sizeof(double) + 3 * doubles;
}

INLINE ptrdiff_t size_of_type(int type) {
    return type == FROM_FLOAT ? 4 : type == FROM_DOUBLE ? 8 : 1;
}

static size_t plan_moments(moments_job *job) {
    const ptrdiff_t bytes = job->D * size_of_type(job->x_type);
    Sums of;
    job->pieces = bytes > MOMENT_BYTES ? (bytes + MOMENT_BYTES - 1) / MOMENT_BYTES : 1;
    job->slots = job->N / MOMENT_SLOT;
    if (job->slots > MOMENT_UNITS / job->pieces) job->slots = MOMENT_UNITS / job->pieces;
    if (job->slots < 1) job->slots = 1;
    return lay_out_sums(job->D / job->pieces + 1, NULL, &of);
}

INLINE double number_at(const char *x, ptrdiff_t at, const int type) {
    switch (type) {
    case FROM_FLOAT: return (double)((const float *)x)[at];
    case FROM_DOUBLE: return ((const double *)x)[at];
    default: return (double)((const uint8_t *)x)[at];
    }
}

/* V floats. (Two of them gcc 12 would convert one by one.) */
INLINE vec widened_floats(const float *p) {
#if defined(__SSE2__) && !defined(__AVX__)
    return (vec)_mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)p)));
#elif defined(__aarch64__)
    return (vec)vcvt_f64_f32(vld1_f32(p));
#else
    typedef float floats __attribute__((vector_size(VEC_BYTES / 2), aligned(1), may_alias));
    return __builtin_convertvector(*(const floats *)p, vec);
#endif
}

INLINE vec numbers_at(const char *x, ptrdiff_t at, const int type) {
    switch (type) {
    case FROM_FLOAT: return widened_floats((const float *)x + at);
    case FROM_DOUBLE: return FN(load)((const double *)x + at);
    default: return FN(widened)((const uint8_t *)x + at) - FN(splat)(RAISED);
    }
}

/* From a row to the one to be asked for meanwhile. */
INLINE ptrdiff_t bytes_ahead(ptrdiff_t down) {
    const ptrdiff_t bytes = BESIDE_EACH * (down < 0 ? -down : down);
    return bytes ? BESIDE_EACH * down * ((MOMENT_AHEAD + bytes - 1) / bytes) : 0;
}

/* Features d .. d + V - 1 of some rows, all but the first `skip`. */
INLINE void add_vectors(const char *const *row, ptrdiff_t d, ptrdiff_t skip, ptrdiff_t ahead,
                        const double *w, const Sums *of, const int rows, const int type) {
    const vec centre = FN(load)(of->centre + d);
    double *first = of->block_first + d, *second = of->block_second + d;
    vec sum = {0}, square = {0};
    UNROLLED (r, rows) {
        const vec u = numbers_at(row[r], d, type) - centre, wu = w[r] * u;
        PREFETCH(row[r] + ahead + d * size_of_type(type));
        sum = r ? sum + wu : wu;
        square = r ? square + wu * u : wu * u;
    }
    if (skip) {
        const ivec wanted = FN(iota)() >= FN(isplat)(skip);
        sum = FN(keep)(wanted, sum);
        square = FN(keep)(wanted, square);
    }
    FN(store)(first, FN(load)(first) + sum);
    FN(store)(second, FN(load)(second) + square);
}

/* Some rows, beside each other. */
INLINE void add_rows(const moments_job *job, const char *x, ptrdiff_t step, ptrdiff_t ahead,
                     const double *w, const Sums *of, const int rows, const int type) {
    const Sums to = *of; /* a copy, which no store can change: else all is loaded again */
    const char *row[BESIDE_EACH];
    double by[BESIDE_EACH];
    ptrdiff_t d = 0;
    UNROLLED (r, rows) {
        row[r] = x + r * job->x_stride[0];
        by[r] = w[r];
    }
    if (step == 1 && to.n >= V) {
        for (; d + V <= to.n; d += V) add_vectors(row, d, 0, ahead, by, &to, rows, type);
        if (d < to.n) add_vectors(row, to.n - V, d - (to.n - V), ahead, by, &to, rows, type);
        return;
    }
    for (; d < to.n; d++) {
        double sum = 0, square = 0;
        UNROLLED (r, rows) {
            const double u = number_at(row[r], d * step, type) - to.centre[d], wu = by[r] * u;
            sum = r ? sum + wu : wu;
            square = r ? square + wu * u : wu * u;
        }
        to.block_first[d] += sum;
        to.block_second[d] += square;
    }
}

INLINE void add_across(const moments_job *job, const char *x, ptrdiff_t rows, ptrdiff_t step,
                       const Sums *of, const int type) {
    const ptrdiff_t down = job->x_stride[0], ahead = bytes_ahead(down);
    ptrdiff_t i = 0;
    for (; i + BESIDE_EACH <= rows; i += BESIDE_EACH)
        add_rows(job, x + i * down, step, ahead, of->w + i, of, BESIDE_EACH, type);
    for (; i < rows; i++) add_rows(job, x + i * down, step, ahead, of->w + i, of, 1, type);
}

/* One feature after the other, where a feature's numbers are closer together than a row's. */
INLINE void add_down(const moments_job *job, const char *x, ptrdiff_t rows, ptrdiff_t step,
                     const Sums *of, const int type) {
    for (ptrdiff_t d = 0; d < of->n; d++, x += job->x_stride[1]) {
        const double centre = of->centre[d], *w = of->w;
        vec sum[CHAINS_DOWN], square[CHAINS_DOWN];
        double rest = 0, rest_square = 0;
        ptrdiff_t i = 0;
        UNROLLED (k, CHAINS_DOWN) sum[k] = square[k] = (vec){0};
        for (; step == 1 && i + CHAINS_DOWN * V <= rows; i += CHAINS_DOWN * V)
            UNROLLED (k, CHAINS_DOWN) {
                const vec u = numbers_at(x, i + k * V, type) - centre;
                const vec wu = FN(load)(w + i + k * V) * u;
                PREFETCH(x + (MOMENT_ROWS + i + k * V) * size_of_type(type)); /* the next block */
                sum[k] += wu;
                square[k] += wu * u;
            }
        for (; i < rows; i++) {
            const double u = number_at(x, i * step, type) - centre, wu = w[i] * u;
            rest += wu;
            rest_square += wu * u;
        }
        for (int k = 1; k < CHAINS_DOWN; k++) sum[0] += sum[k], square[0] += square[k];
        of->block_first[d] = FN(lane_sum)(sum[0]) + rest;
        of->block_second[d] = FN(lane_sum)(square[0]) + rest_square;
    }
}

/* A step that is the constant 1 lets the compiler use vectors. */
SPECIALISED void add_of_type(const moments_job *job, const char *x, ptrdiff_t rows, const Sums *of,
                             const int type) {
    const ptrdiff_t down = job->x_stride[0] / size_of_type(type);
    const ptrdiff_t across = job->x_stride[1] / size_of_type(type);
    const int is_down = (down < 0 ? -down : down) < (across < 0 ? -across : across);
    for (ptrdiff_t d = 0; d < of->n; d++) of->block_first[d] = of->block_second[d] = 0;
    if (is_down && down == 1)
        add_down(job, x, rows, 1, of, type);
    else if (is_down)
        add_down(job, x, rows, down, of, type);
    else if (across == 1)
        add_across(job, x, rows, 1, of, type);
    else
        add_across(job, x, rows, across, of, type);
}

INLINE void count_rows(const uint8_t *restrict x, ptrdiff_t stride, ptrdiff_t ahead, ptrdiff_t n,
                       uint16_t *restrict counts, uint32_t *restrict squares, const int rows) {
    for (ptrdiff_t begin = 0; begin < n; begin += COUNTED) {
        const ptrdiff_t end = begin + COUNTED < n ? begin + COUNTED : n;
        for (ptrdiff_t d = begin; d < end; d += 64)
            UNROLLED (r, rows) PREFETCH(x + r * stride + ahead + d);
        for (ptrdiff_t d = begin; d < end; d++) {
            uint16_t sum = 0;
            uint32_t square = 0;
            UNROLLED (r, rows) {
                const uint16_t number = x[r * stride + d];
                sum = (uint16_t)(sum + number);
                square += (uint16_t)(number * number);
            }
            counts[d] = (uint16_t)(counts[d] + sum);
            squares[d] += square;
        }
    }
}

/* Bytes that have no weights: their sums are whole numbers, and exact, as the centre is whole. */
static void count(const moments_job *job, const char *x, ptrdiff_t rows, const Sums *of) {
    const uint8_t *row = (const uint8_t *)x;
    const ptrdiff_t stride = job->x_stride[0], ahead = bytes_ahead(stride), n = of->n;
    ptrdiff_t i = 0;
    memset(of->counts, 0, (size_t)n * sizeof *of->counts);
    memset(of->count_squares, 0, (size_t)n * sizeof *of->count_squares);
    for (; i + BESIDE_EACH <= rows; i += BESIDE_EACH, row += BESIDE_EACH * stride)
        count_rows(row, stride, ahead, n, of->counts, of->count_squares, BESIDE_EACH);
    for (; i < rows; i++, row += stride)
        count_rows(row, stride, ahead, n, of->counts, of->count_squares, 1);
    for (ptrdiff_t d = 0; d < n; d++) {
        const double sum = of->counts[d], less = sum - (double)rows * of->centre[d];
        of->block_first[d] = less;
        of->block_second[d] = of->count_squares[d] - of->centre[d] * (sum + less);
    }
}

static void add_block(const moments_job *job, const char *x, ptrdiff_t rows, const Sums *of) {
    if (job->x_type == FROM_FLOAT)
        add_of_type(job, x, rows, of, FROM_FLOAT);
    else if (job->x_type == FROM_DOUBLE)
        add_of_type(job, x, rows, of, FROM_DOUBLE);
    else if (job->weight || job->x_stride[1] != 1)
        add_of_type(job, x, rows, of, FROM_UINT8);
    else
        count(job, x, rows, of);
}

/* A feature's sums about another centre; it stays where it is if that is not finite. */
INLINE void move_centre(double weight, double to, double *centre, double *first, double *second) {
    const double at = *centre, new = to - to == 0 ? to : at, by = new - at;
    const double rest = *first - weight * by;
    *second -= by * (*first + rest);
    *first = rest;
    *centre = new;
}

/* `whole` is added for a moment, to round centres: bytes' are to be whole numbers. */
INLINE void settle(ptrdiff_t n, double weight, double whole, const double *restrict block_first,
                   const double *restrict block_second, double *restrict centre,
                   double *restrict first, double *restrict second) {
    const double share = 1 / weight;
    for (ptrdiff_t d = 0; d < n; d++) {
        first[d] += block_first[d];
        second[d] += block_second[d];
        move_centre(weight, centre[d] + first[d] * share + whole - whole, centre + d, first + d,
                    second + d);
    }
}

/* How many rows from i on make the next block. */
static ptrdiff_t next_block(const moments_job *job, ptrdiff_t i, ptrdiff_t end, const Sums *of,
                            double *weight) {
    ptrdiff_t rows = 0;
    *weight = 0;
    for (; rows < MOMENT_ROWS && i + rows < end; rows++) {
        of->w[rows] = job->weight ? job->weight[i + rows] : 1;
        if (rows && *weight + of->w[rows] > of->weight) break;
        *weight += of->w[rows];
    }
    return rows;
}

static void moments_slot(const moments_job *job, ptrdiff_t unit, char *scratch) {
    const ptrdiff_t slot = unit / job->pieces, piece = unit % job->pieces;
    const ptrdiff_t begin = piece_begin(job, piece), n = piece_begin(job, piece + 1) - begin;
    const ptrdiff_t end = slot_begin(job, slot + 1);
    ptrdiff_t rows;
    double weight;
    Sums of;
    lay_out_sums(n, scratch, &of);
    of.centre = job->sums + slot * 3 * job->D + begin;
    of.first = of.centre + job->D;
    of.second = of.first + job->D;
    of.weight = 0;
    for (ptrdiff_t d = 0; d < n; d++) of.centre[d] = of.first[d] = of.second[d] = 0;
    for (ptrdiff_t i = slot_begin(job, slot); i < end; i += rows) {
        const char *x = job->x + i * job->x_stride[0] + begin * job->x_stride[1];
        rows = next_block(job, i, end, &of, &weight);
        if (weight > of.weight) /* one row: the centre is to lie there */
            for (ptrdiff_t d = 0; d < n; d++)
                move_centre(of.weight, number_at(x + d * job->x_stride[1], 0, job->x_type),
                            of.centre + d, of.first + d, of.second + d);
        add_block(job, x, rows, &of);
        of.weight += weight;
        settle(n, of.weight, job->x_type == FROM_UINT8 ? RAISED : 0, of.block_first,
               of.block_second, of.centre, of.first, of.second);
    }
    if (!piece) job->weights[slot] = of.weight;
}

/* The sums of one slot more, to the means, what those are rounded by, and the squares. */
INLINE void merge_slot(ptrdiff_t n, double total, double weight, const double *restrict centre,
                       const double *restrict first, const double *restrict second,
                       double *restrict mean, double *restrict rest, double *restrict squares) {
    const double share = weight / (total + weight);
    for (ptrdiff_t d = 0; d < n; d++) {
        const double at = total > 0 ? mean[d] : centre[d], part = first[d] / weight;
        const double apart = centre[d] - at + (part - rest[d]), step = rest[d] + apart * share;
        mean[d] = at + step;
        rest[d] = step - (mean[d] - at);
        squares[d] += second[d] - first[d] * part + apart * apart * (total * share);
    }
}

static void merge_moments(const moments_job *job, ptrdiff_t piece) {
    const ptrdiff_t begin = piece_begin(job, piece), n = piece_begin(job, piece + 1) - begin;
    double *mean = job->mean + begin, *rest = job->rest + begin, *squares = job->squares + begin;
    double total = 0;
    for (ptrdiff_t d = 0; d < n; d++) mean[d] = rest[d] = squares[d] = 0;
    for (ptrdiff_t slot = 0; slot < job->slots; slot++) {
        const double weight = job->weights[slot];
        const double *sums = job->sums + slot * 3 * job->D + begin;
        if (!(weight > 0)) continue;
        merge_slot(n, total, weight, sums, sums + job->D, sums + 2 * job->D, mean, rest, squares);
        total += weight;
    }
    for (ptrdiff_t d = 0; d < n; d++) /* inf - inf, where squares of finite numbers are inf */
        squares[d] = squares[d] != squares[d] && mean[d] - mean[d] == 0 ? INFINITY : squares[d];
}

static void moments_unit(const moments_job *job, int stage, ptrdiff_t unit, char *scratch) {
    if (stage == MERGE)
        merge_moments(job, unit);
    else
        moments_slot(job, unit, scratch);
}
