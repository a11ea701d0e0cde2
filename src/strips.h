/* From arrays of rows to strips and back, and the units of the row functions. (Included once per
 * real: see kernels.h.)
 *
 * A unit is one long row, or some strips of V rows beside each other; nothing is summed over units.
 */

/* Shorter rows are put side by side, V at a time; longer ones are taken one by one. In cache the
   two take the same time at 320 bytes, whatever the registers' width; from memory at 192. */
#undef LONG_ROW
#define LONG_ROW ((ptrdiff_t)(192 / sizeof(real)))

INLINE real *FN(place_of)(const cube *a, ptrdiff_t outer) {
    return (real *)a->data + (a->outer ? a->outer[outer] : outer * a->stride[0]);
}

INLINE real *FN(row_of)(const cube *a, ptrdiff_t inner, ptrdiff_t r) {
    if (inner == 1) return FN(place_of)(a, r); /* four divisions are a tenth of a row of 100 */
    return FN(place_of)(a, r / inner) + r % inner * a->stride[2];
}

/* Rows beside each other are copied into scratch, some strips of them at a time, and results copied
   out: three passes over the rows where they lie would fetch each cache line three times, and at
   strides of 4 KiB they fight for one set of the level-1 cache. Rows of many elements take wider
   pieces of memory at each of their places (AVX2, (N, 21, 128, 128), Zen 4, two threads: 0.8 of the
   time; 1.07 at 10 places). */
#ifndef SCRATCH_BYTES
#define SCRATCH_BYTES 262144
#define MAX_STRIPS 8
#define STRIPS_BYTES 512
#define MANY_PLACES 16
#endif
INLINE ptrdiff_t FN(strips_at_once)(ptrdiff_t n) {
    const ptrdiff_t fit = SCRATCH_BYTES / (n * VEC_BYTES);
    const ptrdiff_t most = n < MANY_PLACES ? MAX_STRIPS : STRIPS_BYTES / VEC_BYTES;
    return fit < 1 ? 1 : fit > most ? most : fit;
}

/* Rows of scores n long, a row for each class, are an odd number of cache lines apart: those of a
   strip, one of each row, would else be in a few places of the first-level cache (linear models of
   100 classes 1.03 to 1.17x; softmax of (2, 300, 64, 64) 1.0 to 1.1x, AVX2 the most). */
INLINE ptrdiff_t FN(spread)(ptrdiff_t n) {
    const ptrdiff_t lines = (n + LINE - 1) / LINE;
    return (lines % 2 ? lines : lines + 1) * LINE;
}
INLINE ptrdiff_t FN(strips_apart)(ptrdiff_t width) { return width == V ? V : FN(spread)(width); }

INLINE ptrdiff_t FN(distance)(ptrdiff_t stride) { return stride < 0 ? -stride : stride; }

INLINE int FN(rows_are_close)(const cube *a, ptrdiff_t inner) {
    return FN(distance)(a->stride[1]) > FN(distance)(a->stride[inner > 1 ? 2 : 0]);
}

#undef Bundle
#define Bundle FN(Bundle)
/* `lanes` rows of an array, from row r on: the address of each, and how they lie. They come in runs
   of one place on the outer axis. */
typedef struct {
    real *row[STRIPS_BYTES / sizeof(real)]; /* adjacent: of the first of each run only */
    ptrdiff_t lanes, step;                  /* step: from one element of a row to the next */
    ptrdiff_t first, each;                  /* rows of the first run, and of those after it */
    int adjacent;                           /* a run's elements are neighbours in memory */
    int close;                              /* they are closer than those of one row */
} Bundle;

static void FN(bind)(const cube *a, ptrdiff_t inner, ptrdiff_t r, ptrdiff_t lanes, Bundle *rows) {
    ptrdiff_t outer = r / inner, i = r % inner, run;
    rows->lanes = lanes;
    rows->step = a->stride[1];
    rows->first = FN(smaller)(inner - i, lanes);
    rows->each = inner;
    rows->close = FN(rows_are_close)(a, inner);
    rows->adjacent = rows->close && a->stride[2] == 1 && inner > 1;
    if (inner == 1) {
        for (ptrdiff_t k = 0; k < lanes; k++) rows->row[k] = FN(place_of)(a, r + k);
        return;
    }
    for (ptrdiff_t k = 0; k < lanes; k += run, i = 0) {
        real *first = FN(place_of)(a, outer++) + i * a->stride[2];
        run = FN(smaller)(inner - i, lanes - k);
        for (ptrdiff_t e = 0; e < (rows->adjacent ? 1 : run); e++)
            rows->row[k + e] = first + e * a->stride[2];
    }
}

/* n numbers, by vectors that overlap */
INLINE void FN(copy)(real *to, const real *from, ptrdiff_t n) {
    ptrdiff_t k = 0;
    for (; k + V <= n; k += V) FN(store)(to + k, FN(load)(from + k));
    if (k == n) return;
    if (n >= V)
        FN(store)(to + n - V, FN(load)(from + n - V));
    else if (n >= TILE) {
        for (; k + TILE <= n; k += TILE) FN(store_piece)(to + k, FN(load_piece)(from + k));
        FN(store_piece)(to + n - TILE, FN(load_piece)(from + n - TILE));
    } else
        for (; k < n; k++) to[k] = from[k];
}

/* the same past the caches (`stream`: see simd.h), but for lines that are written in part */
INLINE void FN(copy_past)(real *to, const real *from, ptrdiff_t n) {
    ptrdiff_t k = FN(smaller)(FN(to_line)(to), n);
    FN(copy)(to, from, k);
    for (; k + V <= n; k += V) FN(stream)(to + k, FN(load)(from + k));
    FN(copy)(to + k, from + k, n - k);
}

/* element j of each row, into a strip or back */
INLINE void FN(copy_level)(const Bundle *rows, ptrdiff_t j, real *strip, const int back,
                           const int stream) {
    if (rows->adjacent && rows->first == rows->lanes && !stream) { /* 1.1x for columns */
        real *at = rows->row[0] + j * rows->step;
        FN(copy)(back ? at : strip, back ? strip : at, rows->lanes);
        return;
    }
    if (!rows->adjacent) {
        for (ptrdiff_t k = 0; k < rows->lanes; k++) {
            real *at = rows->row[k] + j * rows->step;
            if (back)
                *at = strip[k];
            else
                strip[k] = *at;
        }
        return;
    }
    for (ptrdiff_t k = 0, run = rows->first; k < rows->lanes;
         k += run, run = FN(smaller)(rows->each, rows->lanes - k)) {
        real *at = rows->row[k] + j * rows->step;
        if (back && stream)
            FN(copy_past)(at, strip + k, run);
        else
            FN(copy)(back ? at : strip + k, back ? strip + k : at, run);
    }
}

/* Where a row's elements are neighbours: TILE rows at a time are turned in registers, into the
   strip or back (the last tile overlaps the one before it), which takes a third of the time of
   copying them one by one. Returns the rows that are done. */
INLINE ptrdiff_t FN(turn_tiles)(const Bundle *rows, ptrdiff_t n, real *strip, ptrdiff_t width,
                                const int back) {
    if (rows->step != 1 || n < TILE) return 0;
    const ptrdiff_t whole = rows->lanes / TILE * TILE;
    for (ptrdiff_t k = 0; k < whole; k += TILE)
        for (ptrdiff_t t = 0; t < n; t += TILE) {
            const ptrdiff_t j = t + TILE <= n ? t : n - TILE;
            real *row[TILE], *column[TILE];
            piece p[TILE];
            for (int i = 0; i < TILE; i++) row[i] = rows->row[k + i] + j;
            for (int i = 0; i < TILE; i++) column[i] = strip + (j + i) * width + k;
            for (int i = 0; i < TILE; i++) p[i] = FN(load_piece)(back ? column[i] : row[i]);
            FN(transpose)(p);
            for (int i = 0; i < TILE; i++) FN(store_piece)(back ? row[i] : column[i], p[i]);
        }
    return whole;
}

/* rows -> (n, width); lanes without a row, up to whole vectors, repeat the first one */
static void FN(pack)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t r, ptrdiff_t lanes,
                     real *strip, ptrdiff_t width) {
    Bundle rows;
    FN(bind)(a, inner, r, lanes, &rows);
    for (ptrdiff_t j = 0; rows.close && j < n; j++)
        FN(copy_level)(&rows, j, strip + j * width, 0, 0);
    for (ptrdiff_t k = rows.close ? lanes : FN(turn_tiles)(&rows, n, strip, width, 0); k < lanes;
         k++)
        for (ptrdiff_t j = 0; j < n; j++) strip[j * width + k] = rows.row[k][j * rows.step];
    for (ptrdiff_t k = lanes; k % V; k++)
        for (ptrdiff_t j = 0; j < n; j++) strip[j * width + k] = strip[j * width];
}

static void FN(unpack)(real *strip, ptrdiff_t width, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t r,
                       ptrdiff_t lanes, const cube *a, int stream) {
    Bundle rows;
    FN(bind)(a, inner, r, lanes, &rows);
    stream = stream && rows.adjacent;
    for (ptrdiff_t j = 0; rows.close && j < n; j++)
        FN(copy_level)(&rows, j, strip + j * width, 1, stream);
    if (stream) FN(fence)();
    for (ptrdiff_t k = rows.close ? lanes : FN(turn_tiles)(&rows, n, strip, width, 1); k < lanes;
         k++)
        for (ptrdiff_t j = 0; j < n; j++) rows.row[k][j * rows.step] = strip[j * width + k];
}

/* Results far larger than caches go past them, since a line that is written would be fetched first,
   a third of the traffic. Where exponentials are kept meanwhile (`kept`) they then lie in scratch,
   which must stay in a level-2 cache; and rows of 4 KB lose more by that than they gain, so the
   next row's lines are fetched ahead instead (20000 x 1000, float32, Zen 5, one thread: 5.8 ms
   against 9.2). */
#ifndef STREAM_BYTES
#define STREAM_BYTES 67108864
#define STREAM_STRIPS 16777216
#define KEPT_LEAST 32768
#define KEPT_MOST 262144
#endif
INLINE int FN(is_streamed)(const cube *out, ptrdiff_t rows, ptrdiff_t n, int kept) {
    const ptrdiff_t bytes = n * (ptrdiff_t)sizeof(real);
    return out->data && out->stride[1] == 1 && (uintptr_t)out->data % sizeof(real) == 0 &&
           rows * bytes >= STREAM_BYTES && (!kept || (bytes >= KEPT_LEAST && bytes <= KEPT_MOST));
}

/* Where neighbours are rows, a strip goes to as many places as a row has elements, too many for the
   processor to fetch ahead: strips pass the caches sooner ((N, 21, 128, 128), float32, Zen 4, two
   threads: 0.82 of the time at 42 MB, 0.89 at 11 MB, but 1.04 where that is read next). */
INLINE int FN(strips_are_streamed)(const cube *out, ptrdiff_t rows, ptrdiff_t n) {
    return n >= MANY_PLACES && (uintptr_t)out->data % sizeof(real) == 0 &&
           rows * n * (ptrdiff_t)sizeof(real) >= STREAM_STRIPS;
}

/* Long rows go one by one, unless their elements lie further apart than they do; others in bundles
   that do not cross the outer axis where they need not. Returns the bytes of scratch of a thread.
 */
static size_t FN(plan_rows)(row_job *job) {
    const ptrdiff_t rows = job->outer * job->inner;
    if (job->n >= LONG_ROW && (job->x.stride[1] == 1 || !FN(rows_are_close)(&job->x, job->inner))) {
        const int in_place = job->x.stride[1] == 1 && job->y.stride[1] == 1 &&
                             (job->function == LOGSUMEXP || job->out.stride[1] == 1);
        const int kept = job->function == SOFTMAX && FN(is_streamed)(&job->out, rows, job->n, 1);
        job->form = ACROSS;
        job->units = rows;
        return in_place && !kept ? 0 : 2 * (size_t)(job->n + LINE) * sizeof(real);
    }
    const ptrdiff_t width = FN(strips_at_once)(job->n) * V;
    job->form = BESIDE;
    job->bundled = job->inner >= V ? job->inner : rows;
    job->units = rows / job->bundled * ((job->bundled + width - 1) / width);
    return 2 * (size_t)(job->n * FN(strips_apart)(width)) * sizeof(real);
}

/* one row: where it is, or a copy of it if its elements lie apart */
INLINE const real *FN(gather)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t r,
                              real *copy) {
    const real *row = FN(row_of)(a, inner, r);
    if (a->stride[1] == 1) return row;
    for (ptrdiff_t j = 0; j < n; j++) copy[j] = row[j * a->stride[1]];
    return copy;
}

/* row r, if it is there to be fetched, or NULL */
INLINE const real *FN(row_ahead)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t rows,
                                 ptrdiff_t r) {
    return a->stride[1] == 1 && r < rows && n * (ptrdiff_t)sizeof(real) <= KEPT_MOST
               ? FN(row_of)(a, inner, r)
               : NULL;
}

/* where exponentials are kept: at the same place in a cache line as the result */
INLINE real *FN(beneath)(const real *out, real *scratch) {
    return scratch + LINE - FN(to_line)(out);
}

static void FN(long_row)(const row_job *job, ptrdiff_t r, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner, rows = job->units;
    const cube *out = &job->out;
    real *to = FN(row_of)(out, inner, r), *row = out->stride[1] == 1 ? to : scratch;
    real *second = scratch + (n + LINE - 1) / LINE * LINE;
    const int stream = FN(is_streamed)(out, rows, n, job->function == SOFTMAX);
    const real *x = FN(gather)(&job->x, inner, n, r, scratch), *y;
    Ahead next = {FN(row_ahead)(&job->x, inner, n, rows, r + 1), NULL, NULL};
    if (!stream && job->function != LOGSUMEXP) next.out = FN(row_ahead)(out, inner, n, rows, r + 1);
    switch (job->function) {
    case SOFTMAX:
        FN(softmax)(x, V, stream ? FN(beneath)(to, second) : row, V, row, V, n, next, 1, stream);
        break;
    case LOG_SOFTMAX: FN(log_softmax)(x, V, row, V, n, next, 1, stream); break;
    case LOGSUMEXP: FN(logsumexp)(x, V, to, n, next, 1); return;
    default:
        y = FN(gather)(&job->y, inner, n, r, second);
        next.y = FN(row_ahead)(&job->y, inner, n, rows, r + 1);
        FN(softmax_backward)(x, V, y, V, row, V, n, next, 1, stream);
    }
    for (ptrdiff_t j = 0; row != to && j < n; j++) to[j * out->stride[1]] = row[j];
}

/* Fetches rows r to r + lanes - 1, if they are there and lie one after the other: they come from
   memory while those before them are worked on (between 0.9x and 1.4x at 200000 x 10, float32 and
   float64, Zen 5; 0.95x for the losses, which do without). */
INLINE void FN(fetch_rows)(const cube *a, ptrdiff_t inner, ptrdiff_t n, ptrdiff_t rows, ptrdiff_t r,
                           ptrdiff_t lanes, int to_write) {
    if (a->stride[1] != 1 || a->stride[inner > 1 ? 2 : 0] != n || r + lanes > rows) return;
    const real *first = FN(row_of)(a, inner, r);
    for (ptrdiff_t j = 0; j < lanes * n; j += LINE)
        if (to_write)
            __builtin_prefetch(first + j, 1);
        else
            __builtin_prefetch(first + j, 0);
}

static void FN(short_rows)(const row_job *job, ptrdiff_t unit, real *scratch) {
    const ptrdiff_t n = job->n, inner = job->inner, width = FN(strips_at_once)(n) * V;
    const ptrdiff_t each = (job->bundled + width - 1) / width, begin = unit % each * width;
    const ptrdiff_t lanes = job->bundled - begin < width ? job->bundled - begin : width;
    const ptrdiff_t r = unit / each * job->bundled + begin;
    const ptrdiff_t apart = FN(strips_apart)(width);
    real *x = scratch, *y = scratch + n * apart;
    const Ahead none = {NULL, NULL, NULL};
    FN(fetch_rows)(&job->x, inner, n, job->outer * inner, r + lanes, lanes, 0);
    if (job->function != LOGSUMEXP)
        FN(fetch_rows)(&job->out, inner, n, job->outer * inner, r, lanes, 1);
    FN(pack)(&job->x, inner, n, r, lanes, x, apart);
    if (job->function == SOFTMAX_BACKWARD) FN(pack)(&job->y, inner, n, r, lanes, y, apart);
    for (ptrdiff_t k = 0; k < lanes; k += V, x += V, y += V) switch (job->function) {
        case SOFTMAX: FN(softmax)(x, apart, x, apart, x, apart, n, none, 0, 0); break;
        case LOG_SOFTMAX: FN(log_softmax)(x, apart, x, apart, n, none, 0, 0); break;
        case LOGSUMEXP: FN(logsumexp)(x, apart, x, n, none, 0); break;
        default: FN(softmax_backward)(x, apart, y, apart, x, apart, n, none, 0, 0);
        }
    const ptrdiff_t results = job->function == LOGSUMEXP ? 1 : n;
    FN(unpack)(scratch, apart, inner, results, r, lanes, &job->out,
               FN(strips_are_streamed)(&job->out, job->outer * inner, results));
}

static void FN(row_unit)(const row_job *job, ptrdiff_t unit, real *scratch) {
    if (job->form == ACROSS)
        FN(long_row)(job, unit, scratch);
    else
        FN(short_rows)(job, unit, scratch);
}
