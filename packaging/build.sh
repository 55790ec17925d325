#!/bin/sh
# Builds the packages, from the programs in dist/ARCHITECTURE/tasmota-azd: what is in
# them, their lists of parts (CycloneDX) and their checksums, all into dist. `make
# packages` calls it. The same commit gives the same bytes, whoever builds it where and
# when: each date is $SOURCE_DATE_EPOCH.
#
#   VERSION=0.1.0 SOURCE_DATE_EPOCH=... packaging/build.sh ARCHITECTURE...
set -eu
export LC_ALL=C TZ=UTC
umask 022
# The hash of the tool stands in its list: it is not to depend on where it was built.
tool() { CGO_ENABLED=0 GOFLAGS="${GOFLAGS-} -trimpath" go tool -modfile=tools/go.mod "$@"; }
export STAGE=dist/stage
rm -rf $STAGE dist/*.deb dist/*.cdx.json dist/SHA256SUMS*
mkdir -p $STAGE/man $STAGE/man5 $STAGE/doc

# For the shell: manual pages and completions.
date=$(date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%S)
go run -tags 'nethttpomithttp2 manuals' -ldflags "-X main.version=$VERSION -X main.buildTime=$date" \
	./cmd/tasmota-azd $STAGE
mv $STAGE/*.8 $STAGE/man
mv $STAGE/*.5 $STAGE/man5
gzip -9n $STAGE/man/* $STAGE/man5/*

# What is new.
gzip -9nc CHANGELOG.md >$STAGE/doc/changelog.gz
gzip -9nc >$STAGE/doc/changelog.Debian.gz <<END
tasmota-azd ($VERSION-1) stable; urgency=medium

  * Release $VERSION: what is new is in changelog.gz.
  * Built from the commit $(git rev-parse HEAD 2>/dev/null || echo "that made the archive").

 -- tasmota-azd maintainers <maintainers@tasmota-azd.example>  $(date -R -d "@$SOURCE_DATE_EPOCH")
END

for DEB_ARCH; do
	export DEB_ARCH PROGRAM="dist/$DEB_ARCH/tasmota-azd"
	go run ./packaging/copyright "$PROGRAM" >"$STAGE/copyright.$DEB_ARCH"
	tool nfpm package --config packaging/nfpm.yaml --packager deb --target dist
	tool cyclonedx-gomod bin -json -std -noserial -notimestamp -version "v$VERSION" \
		-output "dist/tasmota-azd_$VERSION-1_$DEB_ARCH.cdx.json" "$PROGRAM"
done
cd dist
sha256sum -- *.deb *.cdx.json >SHA256SUMS
cat SHA256SUMS
