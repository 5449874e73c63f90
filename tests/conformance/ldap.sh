#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# ldap.sh INKAN CONFORMANCE: runs the suite on a fresh slapd of its own with slapd.conf, with a
# memcached beside it. Both listen on unix sockets in a temporary folder and are stopped by process
# id. (The system tests have slapd with cn=config: tests/system/ldap.py.)
set -eu
inkan=$1
conformance=$2
tree=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
memcached=
LDAPNOINIT=1 # no ldap.conf of the system or of a user
export LDAPNOINIT
base=dc=example,dc=net

stop() {
    [ -z "$memcached" ] || kill "$memcached" 2>/dev/null || true
    [ ! -s "$folder/do" ] || sh "$folder/do" stop
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM
. "$tree/tests/conformance/memcached.sh"

cat >"$folder/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include $tree/migrations/ldap/inkan.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload deref
pidfile $folder/pid
index_intlen 8
database mdb
suffix $base
rootdn cn=root,$base
rootpw secret
directory $folder/data
maxsize 1073741824
dbnosync
index objectClass,entryUUID,entryCSN eq
index inkanTenantName,inkanDomainName,inkanDomainTenant eq
index inkanKeyDomain,inkanKeySelector,inkanKeyState,inkanKeyKek,inkanKeyDue eq
index inkanRuleDomain,inkanRulePattern,inkanRulePlace eq
index inkanGrantTenant,inkanGrantSubject,inkanGrantPlace eq
index inkanEventId,inkanEventName,inkanPosition eq
overlay syncprov
overlay deref
END

# The commands that do to this server what happens to servers. A server that was started is one
# that answers; that it is the child of nobody here is no matter, its process id is in a file.
url="ldapi://$(printf '%s' "$folder/ldapi" | sed 's,/,%2F,g')"
as_root="-x -H $url -D cn=root,$base -w secret"
cat >"$folder/do" <<END
#!/bin/sh
set -eu
pid() { cat "$folder/pid" 2>/dev/null || true; }
within() {
    tries=0
    until "\$@"; do
        tries=\$((tries + 1))
        [ "\$tries" -lt 200 ] || { echo "\$*: not in time" >&2; cat "$folder/log" >&2; exit 1; }
        sleep 0.05
    done
}
answers() { ldapsearch -x -H "$url" -s base -b '' 1.1 >"$folder/out" 2>&1; }
gone() { ! kill -0 "\$1" 2>/dev/null; }
still() { ! grep -h '^State:' /proc/"\$1"/task/*/status | grep -qv 'T (stopped)'; }
case \$1 in
start) slapd -f "$folder/slapd.conf" -h "$url" -d none >>"$folder/log" 2>&1 &
    within answers ;;
stop) was=\$(pid)
    [ -z "\$was" ] || { kill -KILL "\$was" 2>/dev/null || true; within gone "\$was"; }
    rm -f "$folder/pid" ;;
hang) kill -STOP "\$(pid)" # its threads stop one by one
    within still "\$(pid)" ;;
resume) kill -CONT "\$(pid)" ;;
newer) printf 'dn: cn=state,ou=inkan,$base\nchangetype: modify\nreplace: inkanSchemaVersion\n%s\n' \
    'inkanSchemaVersion: 1000' | timeout 20 ldapmodify $as_root >"$folder/out" ;;
esac
END

mkdir "$folder/data"
sh "$folder/do" start
# shellcheck disable=SC2086 # the words of an option each
ldapadd $as_root >"$folder/out" <<END
dn: $base
objectClass: organization
objectClass: dcObject
o: Example
dc: example

dn: ou=inkan,$base
objectClass: organizationalUnit
ou: inkan
END

(umask 077 && echo secret >"$folder/password")
cat >"$folder/inkan.conf" <<END
[store]
url = $url/ou=inkan,$base
[ldap]
bind_dn = cn=root,$base
bind_password_file = $folder/password
starttls = no
END
"$inkan" -c "$folder/inkan.conf" store init
"$conformance" "$url/ou=inkan,$base" --settings "$folder/inkan.conf" \
    --stop "sh $folder/do stop" --start "sh $folder/do start" \
    --hang "sh $folder/do hang" --resume "sh $folder/do resume" \
    --newer "sh $folder/do newer"
