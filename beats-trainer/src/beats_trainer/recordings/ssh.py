"""Recordings behind SSH, from hosts alone whose keys this machine knows; fsspec itself takes any key."""

from __future__ import annotations

from pathlib import Path

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from beats_trainer.recordings import remote

PORT = 22
OF_ALL_USERS = Path("/etc/ssh/ssh_known_hosts")


class KnownHostsFileSystem(SFTPFileSystem):  # type: ignore[misc]
    """SFTP to hosts of `~/.ssh/known_hosts` and of the machine's own list."""

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        if OF_ALL_USERS.is_file():
            self.client.load_system_host_keys(str(OF_ALL_USERS))
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(_Refuse())
        try:
            self.client.connect(self.host, **_patience(), **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(remote.SILENCE_S)
        except paramiko.BadHostKeyException as error:
            self.client.close()
            raise ConnectionError(_changed(error, int(self.ssh_kwargs.get("port") or PORT))) from error
        except BaseException:
            self.client.close()  # its thread would wait for the host
            raise


def _patience() -> dict[str, float]:
    """How long silence is waited for at each step of a connection; paramiko would wait for ever."""
    return dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), remote.SILENCE_S)


class _Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    """Nothing is sent to a host that nobody has looked at, a password least of all."""

    def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        host, _, port = hostname.strip("[").partition("]:")
        message = (
            f"the key of {hostname} is not in ~/.ssh/known_hosts; it offers {key.get_name()} "
            f"{key.fingerprint}. If that is its fingerprint, add it: "
            f"ssh-keyscan -p {port or PORT} {host} >> ~/.ssh/known_hosts"
        )
        raise ConnectionError(message)


def _changed(error: paramiko.BadHostKeyException, port: int) -> str:
    place = error.hostname if port == PORT else f"'[{error.hostname}]:{port}'"
    return (
        f"{error.hostname} does not have the key of ~/.ssh/known_hosts: expected "
        f"{error.expected_key.fingerprint}, got {error.key.fingerprint}. Another machine may answer; if "
        f"its key was changed on purpose, forget the old one: ssh-keygen -R {place}"
    )
