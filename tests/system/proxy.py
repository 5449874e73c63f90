# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that can begin to drop all packets: connections stay open, new ones are made, and
nothing passes. What was sent meanwhile is lost and its connection is cut when it ends, as a
peer's retransmissions would find nobody who knows them."""

import selectors
import socket
import threading

from process import connect


class Proxy:
    def __init__(self, target):
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers = {}  # each socket's other half; None while nothing passes
        self._dropping = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def drop(self):
        self._dropping.set()

    def restore(self):
        self._dropping.clear()

    def stop(self):
        self._ended.set()
        self._thread.join()
        for connection in list(self._peers):
            connection.close()
        self._listener.close()
        self._selector.close()

    def _run(self):
        lossy = set()
        while not self._ended.is_set():
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept(lossy)
                elif key.fileobj in self._peers:
                    self._pass(key.fileobj, lossy)
            if lossy and not self._dropping.is_set():
                for connection in list(lossy):
                    self._cut(connection)
                lossy.clear()

    def _accept(self, lossy):
        client = self._listener.accept()[0]
        if self._dropping.is_set():
            self._watch(client, None)
            lossy.add(client)
            return
        try:
            server = connect(self.target)
        except OSError:
            client.close()
            return
        self._watch(client, server)
        self._watch(server, client)

    def _watch(self, connection, peer):
        self._peers[connection] = peer
        self._selector.register(connection, selectors.EVENT_READ)

    def _pass(self, connection, lossy):
        try:
            octets = connection.recv(65536)
            if octets and self._dropping.is_set():
                lossy.add(connection)
            elif octets and self._peers[connection] is not None:
                self._peers[connection].sendall(octets)
            elif not octets:
                self._cut(connection)
        except OSError:
            self._cut(connection)

    def _cut(self, connection):
        """Ends a connection on both sides."""
        for each in (connection, self._peers.get(connection)):
            if each in self._peers:
                self._selector.unregister(each)
                del self._peers[each]
                each.close()
