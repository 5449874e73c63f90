# SPDX-License-Identifier: Apache-2.0
#
# What inkan needs of Debian 12, in one place; sourced by deploy/quickstart.sh and
# tests/run.sh. install_missing touches nothing, and needs no network, when all is there.

# To build the two programs.
build_packages="gcc libc6-dev cmake ninja-build pkg-config libmilter-dev libssl-dev
    libsqlite3-dev libpq-dev libmemcached-dev libjansson-dev libidn2-dev uthash-dev
    libldap-dev libsasl2-dev libunbound-dev libldns-dev"

# To build and run all tests.
test_packages="$build_packages binutils libcmocka-dev universal-ctags clang clang-format
    libclang-rt-14-dev python3 python3-pytest python3-dkim python3-nacl perl libmail-dkim-perl
    libnet-dns-perl opendkim opendkim-tools db5.3-util openssl postfix sasl2-bin
    libsasl2-modules-db sqlite3 postgresql-15 pgbouncer memcached slapd ldap-utils
    libsasl2-modules libsasl2-modules-gssapi-mit krb5-kdc krb5-admin-server bind9 bind9-utils
    bind9-dnsutils nsd unbound pdns-server pdns-backend-sqlite3 python3-dnspython python3-yaml"

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The packages among "$@" that are not installed.
missing_packages() {
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "this needs root: run it as root, or install sudo"
    fi
}

# Installs packages without starting the services in them (policy-rc.d says no for the
# while), without asking questions and without removing anything.
install_quietly() {
    guard=/usr/sbin/policy-rc.d
    placed=no
    if [ ! -e "$guard" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
        placed=yes
    fi
    printf '%s\n' "postfix postfix/main_mailer_type select No configuration" \
        "slapd slapd/no_configuration boolean true" | as_root debconf-set-selections
    result=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-remove \
        --no-install-recommends "$@" || result=$?
    [ "$placed" = no ] || as_root rm -f "$guard"
    return "$result"
}

# Installs those of "$@" that are missing; apt's output goes to the file $install_log.
install_missing() {
    command -v dpkg-query >/dev/null 2>&1 ||
        die "this needs Debian 12 (dpkg is missing); elsewhere see docs/install.md"
    # shellcheck disable=SC2046 # a list of words is meant
    set -- $(missing_packages "$@")
    [ $# -gt 0 ] || return 0
    printf 'installing %s\n' "$*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update >"$install_log" 2>&1 ||
        die "apt-get update failed: check the network and /etc/apt/sources.list (see $install_log)"
    install_quietly "$@" >>"$install_log" 2>&1 ||
        die "apt-get could not install $*: install them by hand and start again (see $install_log)"
}
