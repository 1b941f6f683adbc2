"""A server of somebody else's that tests can spoil in every way."""

import asyncio
import os
import threading
import time

import asyncssh


class Server:
    """A real SFTP server with one user, whose host key can be changed."""

    def __init__(self, root, user_key):
        self.root = root
        self.keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
        self.is_read_only = False
        self.silence = 0.0  # Seconds before it answers anything once somebody is signed in.
        self.refused = set()  # Names that it fails to open.
        self.boundless = set()  # Names whose size it tells to be more than there can be.
        self.while_read = lambda: None
        self.before_mkdir = lambda: None
        self.sessions = 0
        self.connections = []
        self._authorized = asyncssh.import_authorized_keys(user_key.export_public_key().decode())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._listener = None

    def start(self, key=0):
        self._listener = self._do(self._listen(key))
        self.port = self._listener.get_port()

    async def _listen(self, key):
        return await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.keys[key]],
            authorized_client_keys=self._authorized,
            server_factory=lambda: Door(self.connections),
            sftp_factory=lambda channel: Folder(channel, self),
        )

    def stop(self):
        if self._listener is not None:
            self._do(self._close())
            self._listener = None

    async def _close(self):
        self._listener.close()
        for each in self.connections:
            each.abort()
            await each.wait_closed()
        self.connections.clear()
        await self._listener.wait_closed()

    def end(self):
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def known_as(self, key=0):
        public = self.keys[key].export_public_key().decode().strip()
        return f"[127.0.0.1]:{self.port} {public}\n"

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


class Door(asyncssh.SSHServer):
    def __init__(self, connections):
        self._connections = connections

    def connection_made(self, conn):
        self._connections.append(conn)


class Folder(asyncssh.SFTPServer):
    def __init__(self, channel, server):
        self._server = server
        server.sessions += 1
        time.sleep(server.silence)
        super().__init__(channel, chroot=os.fsencode(server.root))

    def open(self, path, pflags, attrs):
        if os.path.basename(path) in self._server.refused:  # noqa: PTH119  bytes
            raise asyncssh.SFTPFailure("in use by another program")
        return super().open(path, pflags, attrs)

    async def scandir(self, path):
        async for entry in super().scandir(path):
            if entry.filename in self._server.boundless:
                entry.attrs.size = 2**63
            yield entry

    def read(self, file_obj, offset, size):
        self._server.while_read()
        return super().read(file_obj, offset, size)

    def rename(self, oldpath, newpath):
        self._refuse()
        return super().rename(oldpath, newpath)

    def mkdir(self, path, attrs):
        self._server.before_mkdir()
        self._refuse()
        return super().mkdir(path, attrs)

    def _refuse(self):
        if self._server.is_read_only:
            raise asyncssh.SFTPPermissionDenied("read only")
