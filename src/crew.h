/* Threads that help a caller with its units of work, and whom it never waits for in vain.
 *
 * A caller publishes a job and starts on it at once. Helpers that wake up in time take units, too;
 * one that the system has not given a processor yet has no part in it, and the caller waits only
 * for units that somebody has begun. (A team of OpenMP waits for all of its threads: a call after a
 * rest of 20 ms takes 0.8 to 16 ms there, where one thread takes 0.7; ladder/README.md.)
 *
 * Each thread takes units of a share of its own first, the same at each call, so that what it had
 * in its caches is there; then those that are left of others' shares. What a unit computes does not
 * depend on who does it. Several callers may have jobs at once; helpers go where there is room.
 *
 * Helpers keep off their caller's processor (on Linux): woken there, as some systems do (virtual
 * machines whose processors seem to share no cache; a busy process on the other one), they would
 * run when it has ended. A forked child has no helpers and starts its own. One that cannot be
 * started is not missed.
 *
 * Not the place where anybody decides how many threads a call is worth:
 * csoftmax/_native/threads.py.
 */
#ifndef CSOFTMAX_CREW_H
#define CSOFTMAX_CREW_H

#include <stddef.h>
#include <stdint.h>

#ifdef CSOFTMAX_OWN_THREADS

#include <stdatomic.h>
#include <stdlib.h>

#include "system.h"

enum {
    CREW_MOST = 256,       /* threads of a job, the caller's included */
    CREW_PIECES = 8,       /* of a share: one is taken at a time */
    CREW_LOOKOUT = 100000, /* ns that a helper looks out for another job before it sleeps: calls in
                              a row find it awake, and another program has its processor soon */
    CREW_PATIENCE = 20000, /* ns that a caller looks out for a helper's last unit, then it sleeps */
};

typedef void (*crew_work)(void *of, ptrdiff_t unit, int thread);

typedef struct crew_job {
    crew_work work;
    void *of;
    int threads;              /* at most */
    int joined, asleep;       /* under the lock: threads so far; whether the caller sleeps */
    atomic_int active;        /* helpers at work */
    ptrdiff_t end[CREW_MOST]; /* of each thread's share, */
    _Atomic ptrdiff_t next[CREW_MOST]; /* and the first of its units that nobody has taken */
    struct crew_job *others;
} crew_job;

static struct {
    system_lock lock;
    system_condition job_is_there, job_is_done;
    crew_job *jobs; /* of all callers */
    atomic_uint published;
    int helpers, asleep;
    int ready, steers; /* made ready for forks; keeps helpers off the caller's processor */
    int64_t lookout;
    int processor; /* the caller's, which helpers keep off */
    system_id helper[CREW_MOST];
    int known;
} crew = {
    .lock = SYSTEM_LOCK,
    .job_is_there = SYSTEM_CONDITION,
    .job_is_done = SYSTEM_CONDITION,
};

/* How long helpers look out for work, in ns, as the user wants it. To be called at import. */
static int64_t crew_settings(void) {
    const char *policy = getenv("OMP_WAIT_POLICY");
    crew.lookout = CREW_LOOKOUT;
    if (policy && (*policy == 'p' || *policy == 'P')) crew.lookout = 0;
    if (policy && (*policy == 'a' || *policy == 'A')) crew.lookout = 100 * (int64_t)CREW_LOOKOUT;
    crew.steers = !getenv("OMP_PROC_BIND");
    return crew.lookout;
}

static void crew_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- a job ---- */

static void crew_units(crew_job *job, int thread) {
    for (int k = 0; k < job->threads; k++) {
        const int share = (thread + k) % job->threads;
        const ptrdiff_t end = job->end[share];
        const ptrdiff_t size = end - atomic_load_explicit(&job->next[share], memory_order_relaxed);
        const ptrdiff_t at_once = size < CREW_PIECES ? 1 : size / CREW_PIECES;
        while (atomic_load_explicit(&job->next[share], memory_order_relaxed) < end) {
            ptrdiff_t unit =
                atomic_fetch_add_explicit(&job->next[share], at_once, memory_order_relaxed);
            for (const ptrdiff_t last = unit + at_once; unit < last && unit < end; unit++)
                job->work(job->of, unit, thread);
        }
    }
}

/* Under the lock: a job that has room for another thread. */
static crew_job *crew_room(void) {
    crew_job *job = crew.jobs;
    while (job && job->joined == job->threads) job = job->others;
    return job;
}

/* ---- helpers ---- */

static void crew_help(void) {
    system_acquire(&crew.lock);
    crew.helper[crew.known++] = system_self();
    crew.processor = -1;
    for (;;) {
        crew_job *job = crew_room();
        if (!job) {
            const unsigned seen = atomic_load(&crew.published);
            system_release(&crew.lock);
            const int64_t until = system_clock() + crew.lookout;
            while (atomic_load(&crew.published) == seen && system_clock() < until)
                for (int k = 0; k < 16; k++) crew_pause();
            system_acquire(&crew.lock);
            crew.asleep++;
            while (!(job = crew_room())) system_wait(&crew.job_is_there, &crew.lock);
            crew.asleep--;
        }
        const int thread = job->joined++;
        atomic_fetch_add(&job->active, 1);
        system_release(&crew.lock);
        crew_units(job, thread);
        system_acquire(&crew.lock);
        const int asleep = job->asleep; /* the job may be gone after the next line */
        if (atomic_fetch_sub(&job->active, 1) == 1 && asleep) system_wake_all(&crew.job_is_done);
    }
}

static void crew_after_fork(void) {
    crew.lock = (system_lock)SYSTEM_LOCK;
    crew.job_is_there = crew.job_is_done = (system_condition)SYSTEM_CONDITION;
    crew.jobs = NULL;
    crew.helpers = crew.asleep = crew.known = 0;
}

/* Under the lock: more helpers, or as many as the system lets us have. */
static void crew_recruit(int wanted) {
    if (!crew.ready) crew.ready = system_at_fork(crew_after_fork);
    while (crew.ready && crew.helpers < wanted && system_start(crew_help)) crew.helpers++;
}

/* Under the lock: wake up to so many, away from this processor. */
static void crew_wake(int wanted) {
    const int processor = crew.steers ? system_processor() : crew.processor;
    if (processor != crew.processor && system_keep_off(processor, crew.helper, crew.known))
        crew.processor = processor;
    if (wanted >= crew.asleep)
        system_wake_all(&crew.job_is_there);
    else
        while (wanted--) system_wake_one(&crew.job_is_there);
}

/* ---- callers ---- */

/* Do the units begin .. end - 1, on at most so many threads. */
static void crew_run(int threads, ptrdiff_t begin, ptrdiff_t end, crew_work work, void *of) {
    crew_job job = {.work = work, .of = of, .joined = 1};
    const ptrdiff_t units = end - begin;
    job.threads = threads < CREW_MOST ? threads : CREW_MOST;
    if (units < job.threads) job.threads = (int)units;
    for (int k = 0; k < job.threads; k++) {
        job.end[k] = begin + units * (k + 1) / job.threads;
        atomic_init(&job.next[k], begin + units * k / job.threads);
    }
    system_acquire(&crew.lock);
    if (crew.helpers < job.threads - 1) crew_recruit(job.threads - 1);
    job.others = crew.jobs;
    crew.jobs = &job;
    atomic_fetch_add(&crew.published, 1);
    if (crew.asleep) crew_wake(job.threads - 1);
    system_release(&crew.lock);

    crew_units(&job, 0);

    system_acquire(&crew.lock);
    crew_job **place = &crew.jobs;
    while (*place != &job) place = &(*place)->others;
    *place = job.others;
    system_release(&crew.lock);
    const int64_t until = atomic_load(&job.active) ? system_clock() + CREW_PATIENCE : 0;
    while (atomic_load(&job.active) && system_clock() < until)
        for (int k = 0; k < 16; k++) crew_pause();
    if (!atomic_load(&job.active)) return;
    system_acquire(&crew.lock);
    job.asleep = 1;
    while (atomic_load(&job.active)) system_wait(&crew.job_is_done, &crew.lock);
    system_release(&crew.lock);
}

#else /* OpenMP, see threads.pxi */

enum { CREW_MOST = 256 };
typedef void (*crew_work)(void *of, ptrdiff_t unit, int thread);
static int64_t crew_settings(void) { return 0; }
static void crew_run(int threads, ptrdiff_t begin, ptrdiff_t end, crew_work work, void *of) {
    (void)threads;
    for (ptrdiff_t unit = begin; unit < end; unit++) work(of, unit, 0);
}

#endif
#endif
