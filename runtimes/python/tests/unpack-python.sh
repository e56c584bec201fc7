#!/usr/bin/env bash
# Unpacks a Python of another Debian suite into a folder without installing anything, for the matrix: for versions that this system's own
# suite doesn't have. Needs a Debian system, the net and patchelf.
# Usage: unpack-python.sh <version, such as 3.14> <suite, such as sid> <folder>; prints the interpreter's path.
set -euo pipefail
version=$1 suite=$2
mkdir -p "$3"
folder=$(cd "$3" && pwd)

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$folder"/{lists/partial,cache/archives/partial,root}
echo "deb [signed-by=$keyring] $mirror $suite main" >"$folder/sources.list"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$folder/lists"
  -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update >&2
cd "$folder/cache/archives"
"${apt[@]}" download "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib" \
  libc6 libffi8 zlib1g libexpat1 libssl3t64 libuuid1 liblzma5 libbz2-1.0 libzstd1 >&2
for package in ./*.deb; do dpkg -x "$package" "$folder/root"; done

# Its C library is newer than the system's, so it gets that of its own suite, by absolute paths.
libraries=$folder/root/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
python=$folder/root/usr/bin/python$version
patchelf --set-interpreter "$(echo "$libraries"/ld-linux-*.so.*)" --set-rpath "$libraries" --force-rpath "$python"
"$python" -c 'import ctypes, ssl, socket' >&2
echo "$python"
