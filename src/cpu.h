/* The x86-64 microarchitecture level of this processor under this operating system.
 *
 * A level counts only as a whole (x86-64 psABI, table "Micro-Architecture Levels"), because the
 * compiler may use any instruction of the level that a variant is built for (setup.py has the same
 * lists), and because virtual machines and emulators do hide single features. The wide registers
 * need the operating system, too: it says in XCR0 which of them it saves when it switches threads.
 * (macOS turns the AVX-512 bits of XCR0 on at first use, so that v4 is not chosen there: slower,
 * never wrong.)
 *
 * Nothing here may be compiled for more than the baseline: it runs before anything is known.
 */
#ifndef CSOFTMAX_CPU_H
#define CSOFTMAX_CPU_H

#if defined(__clang__)
#define CSOFTMAX_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define CSOFTMAX_COMPILER "gcc " __VERSION__
#else
#error "csoftmax needs gcc or clang"
#endif

/* The variant that every processor of this architecture runs, by name. */
#if defined(__aarch64__)
#define CSOFTMAX_BASELINE "neon"
#else
#define CSOFTMAX_BASELINE "baseline"
#endif

#if defined(__x86_64__)
#include <cpuid.h>

enum {
    /* leaf 1, ecx */
    CPU_SSE3 = 1 << 0,
    CPU_SSSE3 = 1 << 9,
    CPU_FMA = 1 << 12,
    CPU_CX16 = 1 << 13,
    CPU_SSE41 = 1 << 19,
    CPU_SSE42 = 1 << 20,
    CPU_MOVBE = 1 << 22,
    CPU_POPCNT = 1 << 23,
    CPU_OSXSAVE = 1 << 27,
    CPU_AVX = 1 << 28,
    CPU_F16C = 1 << 29,
    /* leaf 7, ebx */
    CPU_BMI1 = 1 << 3,
    CPU_AVX2 = 1 << 5,
    CPU_BMI2 = 1 << 8,
    CPU_AVX512F = 1 << 16,
    CPU_AVX512DQ = 1 << 17,
    CPU_AVX512CD = 1 << 28,
    CPU_AVX512BW = 1 << 30,
    /* leaf 0x80000001, ecx */
    CPU_LAHF = 1 << 0,
    CPU_LZCNT = 1 << 5,
    /* XCR0 */
    XCR0_YMM = 0x06,
    XCR0_ZMM = 0xe6,
};
#define CPU_AVX512VL (1u << 31)

static inline int cpu_has(unsigned found, unsigned wanted) { return (found & wanted) == wanted; }

static inline unsigned cpu_xcr0(void) {
    unsigned low, high;
    /* The intrinsic would need -mxsave. */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static inline int cpu_level(void) {
    unsigned eax, ebx, ecx, edx;
    unsigned leaf1, leaf7 = 0, extended = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return 1;
    leaf1 = ecx;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) leaf7 = ebx;
    if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx)) extended = ecx;

    if (!cpu_has(leaf1, CPU_CX16 | CPU_POPCNT | CPU_SSE3 | CPU_SSSE3 | CPU_SSE41 | CPU_SSE42) ||
        !cpu_has(extended, CPU_LAHF))
        return 1;
    /* Without OSXSAVE, xgetbv itself is an illegal instruction. */
    if (!cpu_has(leaf1, CPU_AVX | CPU_F16C | CPU_FMA | CPU_MOVBE | CPU_OSXSAVE) ||
        !cpu_has(leaf7, CPU_AVX2 | CPU_BMI1 | CPU_BMI2) || !cpu_has(extended, CPU_LZCNT) ||
        !cpu_has(cpu_xcr0(), XCR0_YMM))
        return 2;
    if (!cpu_has(leaf7, CPU_AVX512F | CPU_AVX512BW | CPU_AVX512CD | CPU_AVX512DQ | CPU_AVX512VL) ||
        !cpu_has(cpu_xcr0(), XCR0_ZMM))
        return 3;
    return 4;
}

#else

static inline int cpu_level(void) { return 0; }

#endif
#endif
