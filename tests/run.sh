#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what the tests need (Debian 12), builds, runs all tests and ends with one line:
# "N passed, N failed". Exit 0 only if all passed.
#
#   tests/run.sh            everything, with the release build and the sanitized one
#   tests/run.sh -L LABEL   one group: unit, conformance, system, lint, fuzz
set -eu
cd "$(dirname "$0")/.."
. deploy/packages.sh

labels="unit conformance lint fuzz system"
case $# in
0) ;;
2)
    [ "$1" = -L ] || die "usage: tests/run.sh [-L unit|conformance|system|lint|fuzz]"
    case " $labels " in
    *" $2 "*) labels=$2 ;;
    *) die "there is no group \"$2\": take one of $labels" ;;
    esac
    ;;
*) die "usage: tests/run.sh [-L unit|conformance|system|lint|fuzz]" ;;
esac

# Postfix and the dropping of privileges can only be tested by root.
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "the tests need root: run this as root, or install sudo"
    exec sudo -E sh tests/run.sh "$@"
fi

mkdir -p build
install_log=$PWD/build/install.log
results=$PWD/build/results
# shellcheck disable=SC2086 # a list of words is meant
install_missing $test_packages
rm -rf "$results"
mkdir -p "$results"

# build PRESET [options]: configures and builds; the output is shown only if that fails.
build() {
    preset=$1
    printf 'building %s\n' "$preset"
    log=$results/build-$preset.log
    cmake --preset "$@" -DINKAN_TESTS=ON >"$log" 2>&1 &&
        cmake --build --preset "$preset" >>"$log" 2>&1 || {
        cat "$log"
        die "the $preset build failed: see its messages above (also in $log)"
    }
}

passed=0 failed=0 skipped=0

# attribute FILE NAME: a number from the head of a JUnit report, 0 if it is not there.
attribute() {
    value=$(tr '\n\t' '  ' <"$1" | grep -o '<testsuite [^>]*' | head -n 1 |
        sed -n "s/.* $2=\"\([0-9]*\)\".*/\1/p")
    echo "${value:-0}"
}

# count NAME STATUS: adds up the report NAME.xml. A run that failed without saying which test
# did, or left no report, is one failure.
count() {
    report=$results/$1.xml
    bad=1 all=1 idle=0
    if [ -s "$report" ]; then
        bad=$(($(attribute "$report" failures) + $(attribute "$report" errors)))
        idle=$(($(attribute "$report" skipped) + $(attribute "$report" disabled)))
        all=$(attribute "$report" tests)
        if [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
            bad=1 all=$((all + 1))
        fi
    fi
    passed=$((passed + all - bad - idle))
    failed=$((failed + bad))
    skipped=$((skipped + idle))
}

# run_ctest BUILD LABELS: the groups that ctest knows, all but `system`.
run_ctest() {
    name=$(basename "$1")-ctest
    status=0
    printf '%s: %s\n' "$1" "$2"
    ctest --test-dir "$1" --label-regex "^($(echo "$2" | tr ' ' '|'))\$" --no-tests=error \
        --parallel 2 --output-on-failure --output-junit "$results/$name.xml" || status=$?
    count "$name" "$status"
}

# run_system NAME BUILD PORTS TESTS: pytest counts each test by its own name. What it says is shown
# when all runs are done, because two are under way at the same time.
run_system() {
    name=$1 in=$2 ports=$3 status=0
    shift 3
    INKAN_BUILD=$PWD/$in INKAN_PORTS=$ports PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest \
        -q -ra -p no:cacheprovider --junitxml="$results/$name.xml" "$@" \
        >"$results/$name.log" 2>&1 || status=$?
    echo "$status" >"$results/$name.status"
}

# The system tests, most of which is waiting. What depends on the time is run with the release build;
# everything else, and some of that as well, with the sanitized one.
both="end_to_end malformed outage_ldap signing_policy supervisor"
release_only="import_opendkim_bulk outage_memcached outage_postgres quickstart rotation_load"
parts="build-system"
for number in 0 1 2 3 4 5 6 7 8; do parts="$parts asan-system-$number"; done

# share_out: writes the list of each part's files.
share_out() {
    number=0
    for file in tests/system/test_*.py; do
        test=${file#tests/system/test_} && test=${test%.py}
        case " $both $release_only " in *" $test "*) echo "$file" >>"$results/build-system.files" ;; esac
        case " $release_only " in *" $test "*) continue ;; esac
        echo "$file" >>"$results/asan-system-$((number % 9)).files"
        number=$((number + 1))
    done
}

# run_parts PORTS: runs one part after the other that nobody else has taken.
run_parts() {
    for part in $parts; do
        mkdir "$results/$part" 2>/dev/null || continue
        case $part in build-*) in=build ;; *) in=build/asan ;; esac
        # shellcheck disable=SC2046 # a list of words is meant
        run_system "$part" "$in" "$1" $(cat "$results/$part.files")
    done
}

run_all_systems() {
    printf 'build: system, build/asan: system\n'
    share_out
    run_parts 10000-14999 &
    run_parts 15000-19999
    wait
    for part in $parts; do
        cat "$results/$part.log"
        count "$part" "$(cat "$results/$part.status")"
    done
}

# The labels of "$1" that were asked for.
wanted() {
    for label in $1; do
        case " $labels " in
        *" $label "*) printf '%s ' "$label" ;;
        esac
    done | sed 's/ $//'
}

plain=$(wanted "unit conformance lint fuzz")
sanitized=$(wanted "unit conformance fuzz")
system=$(wanted system)

build release -DINKAN_WERROR=ON
[ -z "$sanitized$system" ] || build asan
[ "$labels" != "unit conformance lint fuzz system" ] || build clang

[ -z "$plain" ] || run_ctest build "$plain"
[ -z "$sanitized" ] || run_ctest build/asan "$sanitized"
[ -z "$system" ] || run_all_systems

summary="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" -eq 0 ]
