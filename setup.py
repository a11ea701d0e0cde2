"""What pyproject.toml cannot say: the table of variants, threads and the stable ABI.

Environment:
    CC                            the compiler, gcc or clang (on Windows it is clang-cl)
    CSOFTMAX_OPENMP=1             OpenMP in place of the kernels' own threads, or fail
    CSOFTMAX_DEBUG=1              bounds, initialisation and C assertions checked; slow
    CSOFTMAX_SANITIZE=address,... the sanitizers of gcc and clang
    CSOFTMAX_WERROR=1             a warning of the C compiler is an error
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# One compilation of src/_kernels.pyx each; csoftmax/_native/dispatch.py picks one at import, and
# src/cpu.h checks the same levels. The lists are explicit for the sake of compilers that do not
# know -march=x86-64-v3 (gcc < 11), and start from -march=x86-64, so that CFLAGS cannot add to a
# level.
V2 = "-march=x86-64 -mcx16 -msahf -mpopcnt -msse4.2"
V3 = V2 + " -mavx2 -mbmi -mbmi2 -mf16c -mfma -mlzcnt -mmovbe"
V4 = V3 + " -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl -mprefer-vector-width=512"
VARIANTS: dict[str, list[str]] = {"baseline": []}
if sysconfig.get_platform().endswith(("-x86_64", "-amd64")) and sys.maxsize > 2**32:
    VARIANTS |= {"v3": V3.split(), "v4": V4.split()}

# Microsoft's compiler takes pointers of all types for aliases, and so would this one. Cython marks
# what it leaves unused for __GNUC__ alone.
CLANG_CL = (
    "/nologo --target=x86_64-pc-windows-msvc /MD /DNDEBUG -fstrict-aliasing "
    "/DCYTHON_UNUSED=__attribute__((unused))"
)
ON_WINDOWS = sysconfig.get_platform().startswith(("win", "mingw"))

# No option that lets the compiler assume away NaN, infinities or the order of operations: the
# rounding trick of exp dies with -fassociative-math, and linking a shared object with -ffast-math
# flushes subnormals in the whole process.
FORBIDDEN = (
    "-ffast-math",
    "-Ofast",
    "-ffinite-math-only",
    "-fassociative-math",
    "-funsafe-math-optimizations",
    "/fp:fast",
)
# -fno-trapping-math and -fno-math-errno change no value, and let loops with comparisons vectorise:
# 3x (baseline) to 6x (v3) on a row of losses, gcc 12, Zen 5.
OPTIMISE = "-O3 -std=gnu11 -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd -g0"
DEBUG = "-O1 -std=gnu11 -fno-math-errno -fno-trapping-math -ffp-contract=fast -UNDEBUG -g"

# A function that the stable ABI does not declare would lose half of its pointers.
WARN = "-Wall -Wextra -Werror=implicit-function-declaration -Werror=int-conversion"

WINDOWS = (
    "csoftmax on Windows is built by clang-cl and lld-link: cl.exe does not know the vector types "
    "of its kernels. They come with LLVM (winget install LLVM.LLVM), beside Microsoft's C++ build "
    r"tools, and are looked for on PATH and in %ProgramFiles%\LLVM\bin"
)

# Tried in this order: gcc (libgomp) and clang (libomp); Apple's clang, with Homebrew's libomp.
OPENMP = (
    (["-fopenmp"], ["-fopenmp"]),
    (["-Xpreprocessor", "-fopenmp"], ["-lomp"]),
)
OPENMP_PROGRAM = """
#include <omp.h>
int main(void)
{
    int threads = 0;
    #pragma omp parallel num_threads(2) reduction(+ : threads)
    threads += omp_get_thread_num() >= 0;
    return threads < 1;
}
"""

# For every variant alike: a "# cython:" line does not reach through an include.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "freethreading_compatible": True,
}
CHECKS = {"boundscheck": True, "wraparound": True, "initializedcheck": True}

# Free-threaded builds have no stable ABI.
ABI3 = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")


def setting(name: str) -> bool | None:
    """A switch in the environment: True, False, or None where it is not set."""
    value = os.environ.get(name, "")
    if value not in ("", "0", "1"):
        raise SystemExit(f"{name} is {value!r}: wanted 0 or 1")
    return value == "1" if value else None


def flags() -> tuple[list[str], list[str]]:
    """Flags of the compiler and of the linker that all extensions share, OpenMP aside."""
    for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "CL", "_CL_"):  # the last two: clang-cl's
        words = os.environ.get(name, "").replace("/clang:", "").split()
        found = sorted(set(words).intersection(FORBIDDEN))
        if found:
            raise SystemExit(f"{name} has {found[0]}, with which csoftmax gives wrong results")
    sanitizers = os.environ.get("CSOFTMAX_SANITIZE")
    checked = setting("CSOFTMAX_DEBUG") or sanitizers
    compile_flags = f"{DEBUG if checked else OPTIMISE} {WARN}".split()
    link_flags = ["/Brepro"] if ON_WINDOWS else []  # the same bytes at any time
    if checked:  # gcc suspects the line numbers in Cython's error paths
        compile_flags += ["-Wno-maybe-uninitialized", "-DCSOFTMAX_CHECKED"]
    if setting("CSOFTMAX_WERROR"):
        compile_flags.append("-Werror")
    if sanitizers:
        link_flags = [f"-fsanitize={sanitizers}"]
        compile_flags += [*link_flags, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    return compile_flags, link_flags


def openmp_flags(compiler: list[str]) -> tuple[list[str], list[str]]:
    """The first entry of OPENMP with which a program compiles, links and runs."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "probe.c"), Path(folder, "probe")
        source.write_text(OPENMP_PROGRAM)
        for compile_flags, link_flags in OPENMP:
            command = [*compiler, *compile_flags, str(source), "-o", str(program), *link_flags]
            if (
                subprocess.run(command, capture_output=True).returncode == 0
                and subprocess.run([str(program)], capture_output=True).returncode == 0
            ):
                return compile_flags, link_flags
    return [], []


def use_clang_cl(compiler: Any) -> None:
    """Have setuptools' class for Microsoft's compiler call LLVM's, of the same ABI and options."""
    target = sysconfig.get_platform(), compiler.compiler_type
    if target != ("win-amd64", "msvc"):
        raise SystemExit(f"csoftmax is not for {' and '.join(target)}: wanted win-amd64 and msvc")
    llvm = Path(os.environ.get("PROGRAMFILES", ""), "LLVM", "bin")
    path = os.pathsep.join([os.environ.get("PATH", ""), str(llvm)])
    tools = [shutil.which(name, path=path) for name in ("clang-cl", "lld-link")]
    if not all(tools):
        raise SystemExit(WINDOWS)
    for name in ("CSOFTMAX_OPENMP", "CSOFTMAX_SANITIZE"):
        if os.environ.get(name, "0") not in ("", "0"):
            raise SystemExit(f"{name} is {os.environ[name]!r}: not on Windows")
    if not compiler.initialized:
        compiler.initialize()
    compiler.cc, compiler.linker = tools
    compiler.compile_options = CLANG_CL.split()


class BuildExt(build_ext):
    """build_ext that makes C of Cython and adds the flags that all variants share."""

    def build_extensions(self) -> None:
        """Build all, with the kernels' own threads or those of OpenMP."""
        if ON_WINDOWS:
            use_clang_cl(self.compiler)
        else:
            # Where Python's own libraries lie on this machine is of no use in a wheel.
            of_python = (sysconfig.get_config_var("LDSHARED") or "").split()
            paths = {word for word in of_python if word.startswith("-Wl,-rpath")}
            linker = self.compiler.linker_so
            self.compiler.linker_so = [word for word in linker if word not in paths]
        common, link = flags()
        threads, threads_link = self.threads()
        directives = DIRECTIVES | (CHECKS if setting("CSOFTMAX_DEBUG") else {})
        # Forced, as below: much of what decides comes from the environment and has no time stamp.
        translated = cythonize(
            self.extensions, build_dir="build", compiler_directives=directives, force=True
        )
        for extension, in_c in zip(self.extensions, translated, strict=True):
            extension.sources = in_c.sources
            # The variant's own flags stand there already; they come last.
            words = [*common, *threads, *extension.extra_compile_args]
            # /clang: gives each the meaning that it has elsewhere; -Wall alone is -Weverything.
            extension.extra_compile_args = [f"/clang:{w}" if ON_WINDOWS else w for w in words]
            extension.extra_link_args = [*link, *threads_link]
        super().build_extensions()

    def threads(self) -> tuple[list[str], list[str]]:
        """Flags of the compiler and of the linker for threads."""
        if not setting("CSOFTMAX_OPENMP"):
            pthread = [] if ON_WINDOWS else ["-pthread"]
            return ["-DCSOFTMAX_OWN_THREADS=1", *pthread], pthread
        found = openmp_flags(self.compiler.compiler)
        if not found[0]:
            raise SystemExit(
                f"{self.compiler.compiler[0]} has no working OpenMP, but CSOFTMAX_OPENMP=1 "
                "(clang needs libomp)"
            )
        return found


def extension(module: str, variant: str) -> Extension:
    """The compiled module csoftmax.<module>."""
    macros: list[tuple[str, str | None]] = []
    if variant != "baseline":  # whose name depends on the processor: src/cpu.h
        macros.append(("CSOFTMAX_ISA", f'"{variant}"'))
    if ABI3:
        macros.append(("Py_LIMITED_API", "0x030B0000"))
    return Extension(
        f"csoftmax.{module}",
        [f"src/{module}.pyx"],
        include_dirs=["src"],
        depends=sorted(str(header) for header in Path("src").glob("*.h")),
        define_macros=macros,
        extra_compile_args=VARIANTS[variant],
        py_limited_api=ABI3,
    )


MODULES = [extension("_cpu", "baseline"), extension("_kernels", "baseline")]
MODULES += [extension(f"_kernels_{isa}", isa) for isa in VARIANTS if isa != "baseline"]

if __name__ == "__main__":
    setup(
        ext_modules=MODULES,
        cmdclass={"build_ext": BuildExt},
        options={
            "bdist_wheel": {"py_limited_api": "cp311"} if ABI3 else {},
            "build_ext": {"force": True, "parallel": os.cpu_count()},
        },
    )
