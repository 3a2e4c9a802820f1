"""Download files: verified, resumed after interruptions, from several mirrors.

pooch checks the SHA-256 and moves a file into place only when it is right; this module adds mirrors,
resumption of partial files, and a lock with which two processes share one download.
"""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cnncli import ending
from cnncli.data.model import Report
from cnncli.errors import CnncliError
from cnncli.files.locks import held
from cnncli.modules import quiet_logs
from cnncli.threaded import Pool

_CHUNK = 1 << 14  # bytes; an incomplete chunk is lost when a server stalls
_DAY = 86_400.0
_STOPPED = 180.0  # seconds without progress after which another process is no longer waited for
_ATTEMPTS = 5  # at one mirror without progress


@dataclass(frozen=True)
class Remote:
    """A file that can be downloaded.

    Attributes
    ----------
    name : str
        Its file name.
    sha256 : str
        64 hexadecimal digits.
    size : int
        Bytes.
    urls : tuple of str
        Its addresses, tried in this order.
    """

    name: str
    sha256: str
    size: int
    urls: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes
    ----------
    connect : float
        For a server to accept a connection.
    stall : float
        For the next bytes.
    pause : float
        Before the second attempt at a mirror; doubled before each further one.
    """

    connect: float = 4.0
    stall: float = 20.0
    pause: float = 0.5


class _InterruptedDownloadError(Exception):
    """The rest may still be available from the same mirror."""


class _RefusedError(Exception):
    """The mirror refuses to send the file."""


def fetch_all(
    remotes: tuple[Remote, ...],
    folder: Path,
    *,
    what: str,
    report: Report | None = None,
    timeouts: Timeouts | None = None,
) -> list[Path]:
    """Download the files that are not in a folder yet.

    Parameters
    ----------
    remotes : tuple of Remote
        The files.
    folder : Path
        Where they are saved; created if necessary.
    what : str
        Their name in errors, such as "MNIST".
    report : callable or None
        Called with (name, bytes so far, bytes in total).
    timeouts : Timeouts or None
        How long to wait.

    Returns
    -------
    list of Path
        In the order of ``remotes``.

    Raises
    ------
    CnncliError
        Where no mirror provides the right bytes, or the folder cannot be written.
    """
    timeouts = timeouts or Timeouts()
    missing = [remote for remote in remotes if not (folder / remote.name).exists()]
    if missing:
        live = _reachable({url for remote in missing for url in remote.urls}, timeouts.connect)
        if not live:
            hosts = ", ".join(sorted({_host(url) for remote in missing for url in remote.urls}))
            raise CnncliError(
                f"cannot download {what}: none of {hosts} can be reached",
                f"Check the network, or put {', '.join(r.name for r in missing)} into {folder} yourself.",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for remote in missing:
                _fetch(remote, folder, live, report, timeouts)
        except OSError as error:
            raise CnncliError(
                f"cannot write to {folder}: {(error.strerror or str(error)).lower()}",
                "Free some space, or set CNNCLI_DATA_DIR to a folder that you may write to.",
            ) from error
    return [folder / remote.name for remote in remotes]


def _fetch(remote: Remote, folder: Path, live: set[str], report: Report | None, timeouts: Timeouts) -> None:
    """Download one file, unless another process has done so."""
    target = folder / remote.name
    with _locked(folder / f".{remote.name}.part"):
        if target.exists():
            return
        _remove_remnants(folder)
        faults = []
        for url in remote.urls:
            if url not in live:
                faults.append(f"{_host(url)} cannot be reached")
                continue
            download = _Download(remote, folder, report, timeouts)
            fault = download.from_mirror(url)
            if fault is None:
                return
            faults.append(f"{_host(url)} {fault}")
    raise CnncliError(
        f"cannot download {remote.name}: {'; '.join(faults)}",
        f"Try again later (what has arrived is kept), or put {remote.name} into {folder} yourself.",
    )


def _remove_remnants(folder: Path) -> None:
    """Remove temporary files more than a day old, which pooch left in processes that were killed."""
    for path in folder.glob("tmp*"):
        with contextlib.suppress(OSError):
            old = time.time() - path.lstat().st_mtime > _DAY
            if old and re.fullmatch(r"tmp[a-z0-9_]{8}", path.name) and not path.is_dir():
                path.unlink()


class _Download:
    """One file from one mirror, through a partial file that outlives the process."""

    def __init__(self, remote: Remote, folder: Path, report: Report | None, timeouts: Timeouts) -> None:
        self._remote, self._folder, self._report, self._timeouts = remote, folder, report, timeouts
        self._part = folder / f".{remote.name}.part"
        self._output = ""

    def from_mirror(self, url: str) -> str | None:
        """Download and verify; return what went wrong, or None."""
        import logging

        import pooch  # type: ignore[import-untyped]

        pooch.get_logger().setLevel(logging.CRITICAL + 1)  # it has its own handler
        quiet_logs()
        resumed = self._received() > 0
        while True:
            try:
                pooch.retrieve(
                    url,
                    known_hash=f"sha256:{self._remote.sha256}",
                    fname=self._remote.name,
                    path=self._folder,
                    downloader=self._download_whole,
                )
            except (_RefusedError, _InterruptedDownloadError) as fault:
                return str(fault)
            except ValueError:  # the digest differs; pooch has deleted the file
                if not resumed:
                    return "gave other bytes than expected"
                resumed = False  # perhaps the earlier part was bad
            else:
                return None
            finally:
                ending.finished(self._output)

    def _received(self) -> int:
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    def _download_whole(self, url: str, output: str, _: object) -> None:
        """Complete the partial file, then hand it to pooch as ``output``."""
        self._output = output
        ending.begin(output, lambda path: 0)  # it exists, empty: pooch has created it
        idle, furthest = 0, self._received()
        while True:
            try:
                self._request_rest(url, self._received())
            except _InterruptedDownloadError as fault:
                idle = 0 if self._received() > furthest else idle + 1
                furthest = max(furthest, self._received())
                if idle >= _ATTEMPTS:
                    raise _InterruptedDownloadError(f"{fault} ({_ATTEMPTS} attempts)") from fault
                time.sleep(self._timeouts.pause * 2**idle)
            else:
                break
        self._part.replace(output)

    def _request_rest(self, url: str, received: int) -> None:
        """Request the missing bytes once."""
        import requests
        from urllib3.exceptions import HTTPError

        size = self._remote.size
        if received == size:
            return
        if received > size:
            self._part.unlink()
            received = 0
        headers = {"Accept-Encoding": "identity"}
        if received:
            headers["Range"] = f"bytes={received}-"
        waits = (self._timeouts.connect, self._timeouts.stall)
        try:
            with requests.get(url, headers=headers, stream=True, timeout=waits) as response:
                goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {received}-")
                if response.status_code == 416:
                    self._part.unlink(missing_ok=True)
                    raise _InterruptedDownloadError(f"holds no more than {received:,} of {size:,} bytes")
                if response.status_code == 206 and not goes_on:
                    self._part.unlink(missing_ok=True)
                    raise _InterruptedDownloadError(f"sent another part than that from byte {received:,} on")
                if response.status_code not in (200, 206):
                    raise _RefusedError(f"answered {response.status_code} {response.reason}")
                at = received if response.status_code == 206 else 0
                self._receive(response.raw.stream(_CHUNK, decode_content=False), at)
        except (requests.RequestException, HTTPError) as fault:
            if self._received() != size:  # otherwise the server only announced more bytes than there are
                raise _InterruptedDownloadError(_interruption(fault, self._received(), size)) from fault
        if self._received() != size:
            raise _InterruptedDownloadError(f"broke off after {self._received():,} of {size:,} bytes")

    def _receive(self, chunks: Iterator[bytes], at: int) -> None:
        """Append to the partial file, or start it again; never beyond the file's size."""
        remote = self._remote
        with self._part.open("ab" if at else "wb") as part:
            for chunk in chunks:
                part.write(chunk)
                at += len(chunk)
                if self._report:
                    self._report(f"downloading {remote.name}", min(at, remote.size), remote.size)
                if at > remote.size:
                    break
        if at > remote.size:
            self._part.unlink()
            raise _RefusedError(f"gave more than the expected {remote.size:,} bytes")


def _interruption(fault: Exception, received: int, size: int) -> str:
    if "timed out" in str(fault).lower() or "timeout" in type(fault).__name__.lower():
        return f"fell silent after {received:,} of {size:,} bytes"
    return f"broke off after {received:,} of {size:,} bytes"


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _reachable(urls: set[str], seconds: float) -> set[str]:
    """Tell which URLs' servers accept a connection, trying all at once so that being offline shows soon."""
    import socket
    from urllib.request import getproxies

    if getproxies():
        return urls
    answered: set[str] = set()

    def connect(host: str, port: int) -> None:
        with contextlib.suppress(OSError):
            socket.create_connection((host, port), seconds).close()
            answered.add(f"{host}:{port}")

    addresses = {url: _address(url) for url in urls}
    servers = set(addresses.values())
    pool = Pool(len(servers))
    tries = [pool.begin(partial(connect, *server)) for server in servers]
    deadline = time.monotonic() + seconds
    for each in tries:
        each.wait(max(0.0, deadline - time.monotonic()))
    pool.leave(wait=False)
    return {url for url, (host, port) in addresses.items() if f"{host}:{port}" in answered}


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[None]:
    """Hold a lock while downloading; where locks are not supported, continue without one."""

    def size() -> int:
        with contextlib.suppress(OSError):
            return part.stat().st_size
        return 0

    name = part.name.removeprefix(".").removesuffix(".part")
    with contextlib.ExitStack() as lock:
        try:
            lock.enter_context(
                held(part.with_suffix(".lock"), f"downloads {name}", limit=_STOPPED, progress=size)
            )
        except TimeoutError as fault:
            raise CnncliError(
                f"cannot download {name}: {fault}", "End that process, or wait for it, and try again."
            ) from fault
        except (ImportError, OSError):
            pass
        yield
