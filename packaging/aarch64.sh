#!/usr/bin/env bash
# The package on aarch64, on a machine of another kind: a cross compiler makes the wheel, and
# qemu-user runs its tests with the Python of a Debian tree (debootstrap; minutes, once). As root.
#
#     packaging/aarch64.sh FOLDER        the tree, and all else that is made
#
# Wants debootstrap, qemu-user-static and gcc-aarch64-linux-gnu, which .ci/long installs. It tells
# of results and instructions; not of speed, nor of the order of loads and stores of an aarch64.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
tree=$work/tree
python=$root/.venv/bin/python
suite=bookworm

# Mounts of its own, gone when it ends: binfmt_misc, through which programs in the tree run others.
if [ -z "${IN_NAMESPACE:-}" ]; then
    IN_NAMESPACE=1 exec unshare --mount -- "$0" "$@"
fi
binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt
[ -e $binfmt/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$binfmt/register

if [ ! -e "$tree/.complete" ]; then
    rm -rf "$tree"
    # From where this machine has its own packages.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" 'Created-By: Packages' |
        head -n 1)
    debootstrap --arch=arm64 --variant=minbase --include=python3,libpython3-dev,binutils \
        $suite "$tree" ${mirror:+"$mirror"} >"$work/debootstrap.log"
    touch "$tree/.complete"
fi
mount --bind /dev "$tree/dev"
mount -t proc proc "$tree/proc"

# ---- the wheel ----

rm -rf "$work/source" "$work/dist"
mkdir -p "$work/source"
tar -xzf "$root"/build/dist/*.tar.gz -C "$work/source" --strip-components=1
# Not in isolation: pip would take Cython for aarch64.
"$python" -m venv --clear "$work/venv"
"$work/venv/bin/pip" install --quiet build $("$python" -c '
import sys, tomllib
print(*tomllib.load(open(sys.argv[1], "rb"))["build-system"]["requires"])' "$root/pyproject.toml")
# Headers and libraries are the tree's own.
env CC="aarch64-linux-gnu-gcc --sysroot=$tree" CFLAGS="-I$tree/usr/include/python3.11" \
    _PYTHON_HOST_PLATFORM=linux-aarch64 "$work/venv/bin/python" -m build --no-isolation --wheel \
    --outdir "$work/dist" "$work/source" \
    >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }

# ---- its tests ----

# pip needs no emulator: it is told for which system it takes wheels.
site=/usr/local/lib/python3.11/dist-packages
rm -rf "$tree$site" "$tree/opt/tests"
system=(--implementation cp --python-version 3.11 --abi abi3 --abi cp311 --abi none)
for glibc in {17..36}; do system+=(--platform "manylinux_2_${glibc}_aarch64"); done
system+=(--platform manylinux2014_aarch64 --platform linux_aarch64)
"$root/.venv/bin/pip" install --quiet --target "$tree$site" --only-binary=:all: "${system[@]}" \
    'numpy>=1.26' 'scikit-learn>=1.6' 'pytest>=8.2' 'hypothesis>=6.100' \
    "$work"/dist/*.whl
mkdir "$tree/opt/tests"
cp -r "$root/tests" "$root/pyproject.toml" "$root/setup.py" "$tree/opt/tests"
# A processor without SME, for which OpenBLAS 0.3.31 has a float32 A.T @ A that is wrong and sets
# all flags (NumPy 2.4). csoftmax does without it (csoftmax/solvers/blas.py), other packages do not.
run() {
    chroot "$tree" env -i QEMU_CPU=neoverse-n1 PATH=/usr/bin:/bin LANG=C.UTF-8 CI=true \
        HYPOTHESIS_PROFILE=few python3 -P "$@"
}
cd /
run -c '
import csoftmax, platform
csoftmax.show_config()
config = csoftmax.show_config("dicts")
assert platform.machine() == "aarch64"
assert config["available"] == ["neon"], config'
# Files for each kind of kernels, and fits. The emulator's own memory would count as ours; layers of
# 2300 classes take minutes in it.
files=(tests/test_build.py tests/native/test_{dispatch,exp,layer,layout,threads,threads_system}.py
    tests/functional/test_{losses,rows,log_sums}.py tests/linear/test_{linear,sparse,top_k}.py
    tests/solvers/test_{linear_stack,moments,vectors}.py tests/estimators/test_classifier.py)
run -m pytest -c /opt/tests/pyproject.toml --rootdir=/opt/tests -p no:cacheprovider -q \
    -k 'not peak_memory and not test_a_thread_that_cannot_start and not 2300' \
    "${files[@]/#//opt/tests/}"
