#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# sqlite.sh INKAN CONFORMANCE: runs the suite on a fresh SQLite store, made by the command
# that operators use, with a memcached beside it.
set -eu
inkan=$1
conformance=$2
folder=$(mktemp -d)
memcached=
trap '[ -z "$memcached" ] || kill "$memcached"; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
. "$(dirname "$0")/memcached.sh"
printf '[store]\nurl = sqlite:%s/inkan.db\n' "$folder" >"$folder/inkan.conf"
"$inkan" -c "$folder/inkan.conf" store init
"$conformance" "sqlite:$folder/inkan.db" --newer \
    "sqlite3 '$folder/inkan.db' \"INSERT INTO migration SELECT max(version) + 1, 'newer', 'x', 0 FROM migration\""
