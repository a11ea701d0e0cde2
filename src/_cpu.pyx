"""What csoftmax._native.dispatch must know before it may load any kernel. Baseline code only."""

cdef extern from "cpu.h":
    const char* CSOFTMAX_COMPILER
    const char* CSOFTMAX_BASELINE
    int cpu_level() nogil


#: The compiler of this build, with its version.
COMPILER = CSOFTMAX_COMPILER.decode("ascii")

#: The variant of `csoftmax._kernels`, which every processor of this architecture runs.
BASELINE = CSOFTMAX_BASELINE.decode("ascii")


def level():
    """The x86-64 level, 1 to 4, that processor and operating system have; 0 elsewhere."""
    return cpu_level()
