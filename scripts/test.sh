#!/bin/sh
# Runs the Go tests under the race detector and says at the end how many were
# skipped, and why: a test that cannot run here must not pass unnoticed.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
go test -race -timeout 15m -v "$@" >"$log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
	grep -vE '^=== |^ *--- PASS|^PASS$' "$log" || true
else
	grep -E '^(ok|FAIL)[[:space:]]' "$log" || true
fi
# The reason stands on the line before or behind "--- SKIP".
skips=$(grep -cE '^ *--- SKIP' "$log" || true)
if [ "$skips" -gt 0 ]; then
	echo "skipped tests:"
	grep -E -A2 '^ *--- SKIP' "$log" | grep -vE '^ *--- PASS|^=== |^--$' || true
fi
passed=$(grep -cE '^ *--- PASS' "$log" || true)
failed=$(grep -cE '^ *--- FAIL' "$log" || true)
echo "$passed passed, $failed failed, $skips skipped"
exit "$status"
