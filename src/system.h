/* What crew.h wants of the operating system: locks, conditions, threads, a clock, processors.
 *
 * Threads are detached and never end. On Windows the end of the process stops them wherever they
 * are; whatever lock one of them holds then, nobody waits for any more. (Python never unloads a
 * module, in which they would still be.)
 */
#ifndef CSOFTMAX_SYSTEM_H
#define CSOFTMAX_SYSTEM_H

#include <stdint.h>

enum {
    SYSTEM_STACK = 1 << 20, /* bytes of a thread's: kernels need some KiB, musl's default is 128 */
};

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#undef far /* of 16 bits, and of jobs.h */

typedef SRWLOCK system_lock;
typedef CONDITION_VARIABLE system_condition;
#define SYSTEM_LOCK SRWLOCK_INIT
#define SYSTEM_CONDITION CONDITION_VARIABLE_INIT

static void system_acquire(system_lock *lock) { AcquireSRWLockExclusive(lock); }
static void system_release(system_lock *lock) { ReleaseSRWLockExclusive(lock); }

static void system_wait(system_condition *condition, system_lock *lock) {
    SleepConditionVariableSRW(condition, lock, INFINITE, 0);
}
static void system_wake_one(system_condition *condition) { WakeConditionVariable(condition); }
static void system_wake_all(system_condition *condition) { WakeAllConditionVariable(condition); }

/* Nanoseconds. (A count times 1e9 would not fit into 64 bits after a quarter of an hour.) */
static int64_t system_clock(void) {
    LARGE_INTEGER count, rate;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&rate);
    return count.QuadPart / rate.QuadPart * 1000000000 +
           count.QuadPart % rate.QuadPart * 1000000000 / rate.QuadPart;
}

static DWORD WINAPI system_thread(void *work) {
    ((void (*)(void))work)();
    return 0;
}

/* A thread for this work; whether there is one. */
static int system_start(void (*work)(void)) {
    HANDLE thread = CreateThread(NULL, SYSTEM_STACK, system_thread, (void *)work,
                                 STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return thread && CloseHandle(thread);
}

static int system_at_fork(void (*in_child)(void)) {
    (void)in_child; /* there are no forks */
    return 1;
}

#else

#include <pthread.h>
#include <signal.h>
#include <time.h>

typedef pthread_mutex_t system_lock;
typedef pthread_cond_t system_condition;
#define SYSTEM_LOCK PTHREAD_MUTEX_INITIALIZER
#define SYSTEM_CONDITION PTHREAD_COND_INITIALIZER

static void system_acquire(system_lock *lock) { pthread_mutex_lock(lock); }
static void system_release(system_lock *lock) { pthread_mutex_unlock(lock); }

static void system_wait(system_condition *condition, system_lock *lock) {
    pthread_cond_wait(condition, lock);
}
static void system_wake_one(system_condition *condition) { pthread_cond_signal(condition); }
static void system_wake_all(system_condition *condition) { pthread_cond_broadcast(condition); }

/* Nanoseconds. */
static int64_t system_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *system_thread(void *work) {
    ((void (*)(void))work)();
    return NULL;
}

/* A thread for this work; whether there is one. */
static int system_start(void (*work)(void)) {
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    if (pthread_attr_init(&attributes)) return 0;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, SYSTEM_STACK);
    sigfillset(&all); /* signals are the program's own threads' */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread, &attributes, system_thread, (void *)work);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

/* Have a forked child call this; whether it will. */
static int system_at_fork(void (*in_child)(void)) { return !pthread_atfork(NULL, NULL, in_child); }

#endif

/* Where threads run can be said on Linux alone: macOS has no way, and Windows, of which nobody has
   measured that it wants one, has groups of 64 processors each. */
#if defined(__linux__)

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef pid_t system_id;

static system_id system_self(void) { return (pid_t)syscall(SYS_gettid); }

/* The processor of the caller; -1 where that is not known. */
static int system_processor(void) { return sched_getcpu(); }

/* Have these threads run wherever the caller may run, but on this processor: whether they do. */
static int system_keep_off(int processor, const system_id *threads, int n_threads) {
    cpu_set_t others;
    if (processor >= CPU_SETSIZE || sched_getaffinity(0, sizeof others, &others)) return 0;
    CPU_CLR(processor, &others);
    for (int k = 0; k < n_threads; k++) sched_setaffinity(threads[k], sizeof others, &others);
    return 1;
}

#else

typedef char system_id;

static system_id system_self(void) { return 0; }
static int system_processor(void) { return -1; }
static int system_keep_off(int processor, const system_id *threads, int n_threads) {
    (void)processor, (void)threads, (void)n_threads;
    return 0;
}

#endif
#endif
