#!/bin/sh
# The system peers of the tests: dcmtk, Orthanc and PostgreSQL. Installed by apt when we are root and they are missing;
# otherwise the tests that need them are skipped, and the closing lines say so.
set -u

missing() {
    for program in /usr/bin/storescu /usr/bin/dsrdump /usr/sbin/Orthanc; do
        [ -x "$program" ] || printf '%s ' "$program"
    done
    # Debian keeps it off the path, in a folder for each version
    for program in "$(command -v initdb)" /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$program" ] && return
    done
    printf 'initdb '
}

if [ "${1:-}" = "--closing" ]; then
    absent=$(missing)
    if [ -n "$absent" ]; then
        echo "=================================================================="
        echo "SKIPPED PEERS: tests against $absent did not run."
        echo "As root, with apt: apt-get install dcmtk orthanc postgresql"
        echo "=================================================================="
    fi
    exit 0
fi

if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing dcmtk, orthanc and postgresql for the tests"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends dcmtk orthanc postgresql; } >/dev/null 2>&1 ||
        echo "apt could not install dcmtk, orthanc and postgresql; the tests of what is missing will be skipped"
fi
exit 0
