# SPDX-License-Identifier: Apache-2.0
#
# Sourced by the scripts that run the suite: starts a memcached on a unix socket in $folder, tells
# the suite where (INKAN_MEMCACHED), and leaves its process id in $memcached.
mkdir -m 777 "$folder/memcached"
chmod 755 "$folder"
memcached -u nobody -s "$folder/memcached/socket" -m 64 &
memcached=$!
tries=0
until [ -S "$folder/memcached/socket" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || exit 1
    sleep 0.1
done
INKAN_MEMCACHED=$folder/memcached/socket
export INKAN_MEMCACHED
