#!/usr/bin/env bash
# Unpacks a Python of another Debian suite into a folder without installing anything, for the matrix: for versions that this system's own
# suite doesn't have. Needs a Debian system, the net and patchelf.
# Usage: unpack-python.sh <version, such as 3.14> <suite, such as sid> <folder>; prints the interpreter's path.
set -euo pipefail
version=$1 suite=$2
mkdir -p "$3"
folder=$(cd "$3" && pwd)

# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$folder"/{lists/partial,cache/archives/partial,root}
echo "deb [signed-by=$keyring] $mirror $suite main" >"$folder/sources.list"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$folder/lists"
  -o "Dir::Cache=$folder/cache" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root)
"${apt[@]}" update >&2
cd "$folder/cache/archives"
"${apt[@]}" download "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib" libc6 zlib1g libexpat1 libuuid1 liblzma5 libbz2-1.0 >&2
# The names of these change with the suite: it has one of each.
for package in libffi8 libffi7 libssl3t64 libssl3 libssl1.1 libzstd1; do "${apt[@]}" download "$package" >/dev/null 2>&1 || true; done
for package in ./*.deb; do dpkg -x "$package" "$folder/root"; done

# Its C library is newer than the system's, so it gets that of its own suite, by absolute paths.
multiarch=$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
# Older suites have some of them in /lib still.
libraries=$folder/root/usr/lib/$multiarch:$folder/root/lib/$multiarch
loader=$(find "$folder/root/lib" "$folder/root/usr/lib" -path "*/$multiarch/ld-linux-*.so.*" 2>/dev/null | head -n 1)
python=$folder/root/usr/bin/python$version
patchelf --set-interpreter "$loader" --set-rpath "$libraries" --force-rpath "$python"
"$python" -c 'import ctypes, ssl, socket' >&2
echo "$python"
