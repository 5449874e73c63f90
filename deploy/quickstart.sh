#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# From a bare Debian 12 to a signed message: installs what is missing, builds, sets up a demo
# customer on SQLite, starts inkand, signs a message through the milter protocol and verifies
# it. May be run again; `--stop` ends the daemon it started. Everything but the build lies under
# $INKAN_DEMO (build/demo); $INKAN_DEMO_PORT (8891) is where inkand listens.
set -eu
cd "$(dirname "$0")/.."
. deploy/packages.sh

demo=${INKAN_DEMO:-$PWD/build/demo}
port=${INKAN_DEMO_PORT:-8891}
case $demo in
/*) ;;
*) demo=$PWD/$demo ;;
esac
shown=${demo#"$PWD"/} # as it is printed
socket=inet:$port@127.0.0.1
domain=demo.example
conf=$demo/inkan.conf
pid_file=$demo/inkand.pid
daemon_log=$demo/inkand.log

step() {
    printf '  %-10s %s\n' "$1" "$2"
}

inkan() {
    build/inkan -c "$conf" "$@"
}

# The process id of the daemon this script started, nothing if there is none. A pid file may
# outlive its process, and the number may be another's by now.
daemon_pid() {
    pid=$(cat "$pid_file" 2>/dev/null) || return 0
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -e "inkand -c $conf " || return 0
    echo "$pid"
}

stop_daemon() {
    pid=$(daemon_pid)
    [ -n "$pid" ] || return 0
    kill "$pid"
    tries=0
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || die "inkand (process $pid) does not stop: see $daemon_log"
        sleep 0.1
    done
}

build() {
    log=build/quickstart.log
    if [ ! -f build/build.ninja ]; then
        cmake --preset release -DINKAN_TESTS=OFF >"$log" 2>&1 ||
            die "cmake failed: see $log"
    fi
    cmake --build --preset release --target inkan inkand >"$log" 2>&1 ||
        die "the build failed: see $log"
}

write_settings() {
    cat >"$conf" <<SETTINGS
[store]
url = sqlite:$demo/inkan.db
[vault]
keyring = $demo/keyring
[server]
listen = $socket
pid_file = $pid_file
workers = 1
[log]
to = stderr
SETTINGS
}

# Does once what a second run finds done: $1 is the test, the rest the command.
unless() {
    if ! eval "$1" >/dev/null 2>&1; then
        shift
        "$@" >/dev/null
    fi
}

onboard() {
    unless '[ -f "$demo/keyring" ]' inkan vault init
    unless 'inkan store status' inkan store init
    unless 'inkan tenant show demo' inkan tenant add demo
    unless 'inkan domain show $domain' inkan domain add "$domain" --tenant demo --no-key
    unless 'inkan key show $domain demo' inkan key new "$domain" --selector demo --activate
}

start_daemon() {
    : >"$daemon_log"
    setsid build/inkand -c "$conf" >>"$daemon_log" 2>&1 </dev/null &
    started=$!
    tries=0
    until grep -q 'ready: listening' "$daemon_log"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! kill -0 "$started" 2>/dev/null; then
            if grep -q 'another program is listening' "$daemon_log"; then
                die "port $port is taken by another program: stop it, or choose another port" \
                    "with INKAN_DEMO_PORT=PORT"
            fi
            die "inkand did not start: see $daemon_log"
        fi
        sleep 0.1
    done
}

write_message() {
    printf '%s\r\n' "From: Anna <anna@$domain>" "To: Otto <otto@example.net>" \
        "Subject: A first message" "Date: $(LC_ALL=C date '+%a, %d %b %Y %H:%M:%S %z')" \
        "Message-ID: <$$.$(date +%s)@$domain>" "" "This message is signed." >"$demo/message.eml"
}

case ${1-} in
'') ;;
--stop)
    pid=$(daemon_pid)
    stop_daemon
    [ -n "$pid" ] && echo "inkand (process $pid) is stopped" || echo "inkand was not running"
    exit 0
    ;;
*) die "usage: deploy/quickstart.sh [--stop]" ;;
esac

mkdir -p build "$demo"
install_log=$PWD/build/install.log
echo "quickstart of inkan"
# shellcheck disable=SC2086 # a list of words is meant
install_missing $build_packages
step packages "all there"
build
step build "build/inkan and build/inkand ($(build/inkan --version))"
stop_daemon
write_settings
onboard
step onboard "tenant demo with domain $domain, in $shown/inkan.db"
start_daemon
step inkand "listens on $socket (process $(daemon_pid))"
write_message
inkan probe --socket "$socket" <"$demo/message.eml" >"$demo/signed.eml" ||
    die "the message came back unsigned: see $daemon_log"
step sign "$shown/signed.eml, signed through the milter protocol"
inkan dns records "$domain" --format oneline >"$demo/record.txt"
inkan verify --records "$demo/record.txt" <"$demo/signed.eml" >"$demo/verified.txt" ||
    die "the signature does not verify: see $demo/verified.txt"
step verify "the signature is good"
cat <<NEXT

The TXT record of $domain that DNS must show, so that others can verify, too
(as a zone file: build/inkan -c $shown/inkan.conf dns records $domain):

$(cat "$demo/record.txt")

To let Postfix sign through this daemon, add to main.cf and reload:

    smtpd_milters = inet:127.0.0.1:$port
    non_smtpd_milters = \$smtpd_milters
    milter_default_action = tempfail

Next: docs/install.md puts it into service; sh deploy/quickstart.sh --stop ends the demo.
NEXT
