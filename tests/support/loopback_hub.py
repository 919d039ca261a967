"""A small hub on the loopback interface that serves a folder, and misbehaves on request.

    python tests/support/loopback_hub.py FOLDER [PORT]

serves FOLDER/user/repo/... as models and FOLDER/datasets/user/repo/... as datasets, and prints its address.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_API = re.compile(r"/api/(?P<kind>model|dataset)s/(?P<repo>[^/]+/[^/]+)(?:/revision/main)?")
_RESOLVE = re.compile(r"/(?P<kind>datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<commit>[^/]+)/(?P<file>.+)")

COMMIT = "c0ffee" + "0" * 34
TOKEN = "hf_loopback"


class LoopbackHub(ThreadingHTTPServer):
    """Serves while `running`; `requests` has one line per request, and other fields control misbehaviour."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder = Path(folder)
        self.requests: list[str] = []
        self.tokens: list[str] = []  # the token of each request
        self.elsewhere: str | None = None  # the address of another server to redirect downloads to
        self.cut_after: list[int] = []  # for the next downloads, the bytes after which the connection breaks
        self.damaged: set[str] = set()  # files to send with a wrong last byte
        self.gated: set[str] = set()  # repositories that need TOKEN
        self.status: list[int] = []  # status codes of the next responses
        self.listing: bytes | None = None  # response to send instead of a repository's listing
        self.has_ranges = True
        self.gate = threading.Event()  # every download pauses halfway until this is set
        self.gate.set()
        self.reached = threading.Event()  # set when a download pauses at the gate

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def environment(self, home: Path) -> dict[str, str]:
        """Environment variables for a process to use this hub only."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "NO_PROXY": "127.0.0.1",
        }

    def handle_error(self, *_: object) -> None:
        """Ignore errors: some tests disconnect the client."""

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.gate.set()
            self.shutdown()
            thread.join()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"GET {path} {self.headers.get('range', '')}".rstrip())
        self.server.tokens.append((self.headers.get("authorization") or "").removeprefix("Bearer "))
        if self.server.status and (status := self.server.status.pop(0)) != 200:
            return self._refuse(status, "")
        if match := _API.fullmatch(path):
            return self._list(match["kind"], match["repo"])
        if match := _RESOLVE.fullmatch(path):
            return self._send_file(match["kind"] or "", match["repo"], match["file"])
        return self._refuse(404, "")

    def _list(self, kind: str, repo: str) -> None:
        folder = self.server.folder / ("" if kind == "model" else "datasets") / repo
        token = self.server.tokens[-1]
        if token not in ("", TOKEN):
            return self._refuse(401, "", "Invalid credentials in Authorization header")
        if not folder.is_dir():
            return self._refuse(404 if token else 401, "RepoNotFound")
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        body = {"id": repo, "sha": COMMIT, "siblings": [_entry(folder, path) for path in files]}
        return self._send(self.server.listing or json.dumps(body).encode(), "application/json")

    def _send_file(self, kind: str, repo: str, file: str) -> None:
        path = self.server.folder / kind / repo / file
        if repo in self.server.gated and self.server.tokens[-1] != TOKEN:
            return self._refuse(401, "GatedRepo")
        if self.server.elsewhere is not None:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere + self.path)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        data = path.read_bytes()
        if file in self.server.damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        return self._send(data, "application/octet-stream")

    def _send(self, data: bytes, kind: str) -> None:
        start, total = 0, len(data)
        if self.server.has_ranges and (asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))):
            start = int(asked[1])
            data = data[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if kind == "application/json":
            self.wfile.write(data)
            return
        if self.server.cut_after:
            self.wfile.write(data[: self.server.cut_after.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        half = 0 if start else len(data) // 2
        self.wfile.write(data[:half])
        self.wfile.flush()
        if not self.server.gate.is_set():
            self.server.reached.set()
            self.server.gate.wait()
        self.wfile.write(data[half:])

    def _refuse(self, status: int, code: str, message: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if message:
            self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _entry(folder: Path, path: Path) -> dict[str, object]:
    """The hub's listing entry of a file; every GGUF counts as a large file with a SHA-256."""
    data = path.read_bytes()
    entry: dict[str, object] = {
        "rfilename": path.relative_to(folder).as_posix(),
        "size": len(data),
        "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
    }
    if path.suffix == ".gguf":
        entry["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 134}
    return entry


if __name__ == "__main__":
    served = LoopbackHub(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(served.url, flush=True)  # noqa: T201
    try:
        served.serve_forever()
    except KeyboardInterrupt:
        served.server_close()
