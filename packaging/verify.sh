#!/bin/sh
# Builds the packages of the last commit once more, in another folder, with another
# umask, language and time zone, and compares them with those in dist. `make
# verify-release` calls it.
#
#   packaging/verify.sh ARCHITECTURE...
set -eu
here=$(pwd)
[ -e dist/SHA256SUMS ] || { echo "nothing to compare with: make packages first" >&2; exit 2; }
[ -z "$(git status --porcelain)" ] || echo "warning: files here differ from the last commit, which is what is built again" >&2
again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
git clone --quiet . "$again/another folder"
cd "$again/another folder"
# A cache of its own: what was built before is not to vouch for itself.
export GOCACHE="${VERIFY_GOCACHE:-$again/cache}"
(umask 077; env -u SOURCE_DATE_EPOCH TZ=Pacific/Chatham LC_ALL=C.UTF-8 make --silent packages DEBS="$*" >/dev/null)
for file in "$here"/dist/SHA256SUMS dist/*.deb dist/*.cdx.json; do
	cmp "$here/dist/${file##*/}" "dist/${file##*/}"
done
echo "the same bytes: $(wc -l <dist/SHA256SUMS) files"
