#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# postgres.sh bare|pgbouncer INKAN CONFORMANCE: runs the suite on a fresh PostgreSQL of its own,
# directly or through PgBouncer in transaction mode, with a memcached beside it. Servers listen on
# unix sockets in a temporary folder and are stopped by process id.
set -eu
way=$1
inkan=$2
conformance=$3
bin=/usr/lib/postgresql/15/bin
folder=$(mktemp -d)
chmod 755 "$folder"
bouncer=
memcached=

# PostgreSQL and PgBouncer refuse to run as root.
as_postgres() {
    setpriv --reuid postgres --regid postgres --init-groups "$@"
}

stop() {
    [ -z "$memcached" ] || kill "$memcached" 2>/dev/null || true
    [ -z "$bouncer" ] || kill "$bouncer" 2>/dev/null || true
    [ ! -s "$folder/do" ] || sh "$folder/do" resume 2>/dev/null || true
    [ ! -s "$folder/data/postmaster.pid" ] || kill -INT "$(head -n 1 "$folder/data/postmaster.pid")"
    while [ -s "$folder/data/postmaster.pid" ]; do sleep 0.1; done
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM

options="-c listen_addresses='' -k $folder/run -c fsync=off"
install -d -o postgres "$folder/data" "$folder/run"
as_postgres "$bin/initdb" -D "$folder/data" -A trust -E UTF8 --locale C.UTF-8 -N >/dev/null
as_postgres "$bin/pg_ctl" -D "$folder/data" -s -w -l "$folder/run/log" start \
    -o "$options"
as_postgres "$bin/psql" -q -h "$folder/run" -d postgres -c 'CREATE DATABASE inkan'
direct="postgresql://postgres@/inkan?host=$folder/run"
url=$direct

if [ "$way" = pgbouncer ]; then
    cat >"$folder/run/pgbouncer.ini" <<END
[databases]
inkan = host=$folder/run
[pgbouncer]
listen_addr =
unix_socket_dir = $folder/run
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 10
server_login_retry = 1
logfile = $folder/run/pgbouncer.log
END
    sed -i 's/^inkan = .*/& user=postgres/' "$folder/run/pgbouncer.ini"
    setpriv --reuid postgres --regid postgres --init-groups \
        /usr/sbin/pgbouncer -q "$folder/run/pgbouncer.ini" & # no function: its pid is wanted
    bouncer=$!
    url="postgresql://postgres@/inkan?host=$folder/run&port=6432"
    tries=0
    until [ -S "$folder/run/.s.PGSQL.6432" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { cat "$folder/run/pgbouncer.log"; exit 1; }
        sleep 0.1
    done
fi

# The commands that do to this server what happens to servers.
cat >"$folder/do" <<END
#!/bin/sh
set -eu
pids() { cut -d' ' -f1 "$folder/data/postmaster.pid" | head -n 1; }
family() { parent=\$(pids); echo "\$parent" \$(cat /proc/"\$parent"/task/"\$parent"/children); }
still() { ! grep -h '^State:' \$(printf '/proc/%s/status ' \$(family)) | grep -qv 'T (stopped)'; }
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "\$@"; }
case \$1 in
stop) as_postgres $bin/pg_ctl -D "$folder/data" -s -w -m immediate stop ;;
start) as_postgres $bin/pg_ctl -D "$folder/data" -s -w -l "$folder/run/log" start -o "$options" ;;
hang) # its processes stop one by one, and some may have just ended
    until still; do
        kill -STOP \$(family) 2>/dev/null || :
        sleep 0.02
    done ;;
resume) kill -CONT \$(family) 2>/dev/null || : ;;
slow) $bin/psql -q '$direct' -f "$folder/slow.sql" ;;
fast) $bin/psql -q '$direct' -c 'DROP TRIGGER slow ON event' ;;
esac
END

# Runs when a transaction commits and lets no time limit end it early.
cat >"$folder/slow.sql" <<'END'
CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM pg_sleep(0.9);
    EXCEPTION WHEN query_canceled THEN
        PERFORM pg_sleep(0.4);
    END;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON event
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow();
END

. "$(dirname "$0")/memcached.sh"
deaf=
[ "$way" = bare ] || deaf="--deaf yes"
printf '[store]\nurl = %s\n' "$url" >"$folder/inkan.conf"
"$inkan" -c "$folder/inkan.conf" store init
# shellcheck disable=SC2086 # two words or none
"$conformance" "$url" $deaf --stop "sh $folder/do stop" --start "sh $folder/do start" \
    --hang "sh $folder/do hang" --resume "sh $folder/do resume" \
    --slow "sh $folder/do slow" --fast "sh $folder/do fast" \
    --newer "$bin/psql -q '$direct' -c \"INSERT INTO migration SELECT max(version) + 1, 'newer', 'x', 0 FROM migration\""
