"""As much of the Hub as sharing asks of it, on loopback, with faults on demand."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_CanaryThatMustShowNowhere0123456789"  # noqa: S105  # no password of anything
_LARGE = (".parquet", ".toyrecipe")


@dataclass
class Repository:
    """A dataset repository: its files, and how often it was changed."""

    private: bool = True
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.parquet filter=lfs\n"})
    n_commits: int = 1

    @property
    def sha(self) -> str:
        return f"{self.n_commits:040x}"


@dataclass
class Fault:
    """What happens to the next requests whose method and path match."""

    pattern: str
    status: int = 500
    times: int = 1
    after: int = 0
    is_cut: bool = False


@dataclass
class Hub:
    """The state of the stand-in; tests change it and look at it."""

    endpoint: str = ""
    token: str = TOKEN
    role: str = "write"
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    on_commit: Any = None

    def uploads(self) -> list[str]:
        """Hashes of the large files that were uploaded, in order."""
        return [one.rpartition("/")[2] for one in self.requests if one.startswith("PUT /lfs/")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815  # the names that http.server asks for

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        line = f"{self.command} {path}"
        fault = self._fault(line)
        if fault is not None and fault.is_cut:
            self.rfile.read(1000)
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append(line)
        if fault is not None:
            self._send(fault.status, {"error": "a fault of the stand-in"})
            return
        if not path.startswith("/lfs/") and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._send(401, {"error": "Invalid username or password."})
            return
        for pattern, answer in _ROUTES:
            match = re.fullmatch(pattern, line)
            if match:
                getattr(self, answer)(body, **match.groupdict())
                return
        self._send(404, {"error": f"the stand-in knows no {line}"})

    def _fault(self, line: str) -> Fault | None:
        for fault in self.hub.faults:
            if re.search(fault.pattern, line) and fault.times:
                if fault.after:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _send(self, status: int, value: Any = None, *, content: bytes | None = None, **headers: str) -> None:
        payload = json.dumps(value).encode() if content is None else content
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(payload)))
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound" if "/resolve/" not in self.path else "EntryNotFound")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def whoami(self, _: bytes) -> None:
        self._send(200, {"name": "user", "type": "user", "auth": {"accessToken": {"role": self.hub.role}}})

    def info(self, _: bytes, repo: str) -> None:
        found = self.hub.repositories.get(repo)
        if found is None:
            self._send(404, {"error": "Repository not found"})
            return
        siblings = [
            {"rfilename": name, "size": len(content), "blobId": _blob(content), **_lfs(name, content)}
            for name, content in found.files.items()
        ]
        facts = {"_id": "1", "id": repo, "sha": found.sha, "private": found.private, "siblings": siblings}
        self._send(200, facts | {"tags": [], "downloads": 0, "likes": 0, "gated": False, "disabled": False})

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        repo = f"{asked.get('organization') or 'user'}/{asked['name']}"
        is_private = asked.get("private") or asked.get("visibility") == "private"  # as old and new clients say it
        self.hub.repositories.setdefault(repo, Repository(private=bool(is_private)))
        self._send(200, {"url": f"{self.hub.endpoint}/datasets/{repo}", "name": repo})

    def validate(self, _: bytes) -> None:
        self._send(200, {"errors": [], "warnings": []})

    def preupload(self, body: bytes, repo: str) -> None:
        files = [
            {"path": one["path"], "uploadMode": _mode(one["path"]), "shouldIgnore": False, "oid": None}
            for one in json.loads(body)["files"]
        ]
        self._send(200, {"files": files})

    def batch(self, body: bytes, repo: str) -> None:
        def answer(oid: str, size: int) -> dict[str, Any]:
            if oid in self.hub.objects:
                return {"oid": oid, "size": size}
            return {"oid": oid, "size": size, "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs/{oid}"}}}

        objects = [answer(one["oid"], one["size"]) for one in json.loads(body)["objects"]]
        self._send(200, {"transfer": "basic", "objects": objects})

    def put(self, body: bytes, oid: str) -> None:
        is_whole = hashlib.sha256(body).hexdigest() == oid
        if is_whole:
            self.hub.objects[oid] = body
        self._send(200 if is_whole else 400, {})

    def commit(self, body: bytes, repo: str) -> None:
        found = self.hub.repositories[repo]
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        if self.hub.on_commit:
            self.hub.on_commit(found)
        if header.get("parentCommit") not in {None, found.sha}:
            self._send(412, {"error": "A commit has happened since. Please refresh and try again."})
            return
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "deletedFile":
                del found.files[value["path"]]
            elif line["key"] == "lfsFile":
                found.files[value["path"]] = self.hub.objects[value["oid"]]
            else:
                found.files[value["path"]] = base64.b64decode(value["content"])
        found.n_commits += 1
        url = f"{self.hub.endpoint}/datasets/{repo}/commit/{found.sha}"
        self._send(200, {"success": True, "commitOid": found.sha, "commitUrl": url})

    def tree(self, _: bytes, repo: str, folder: str | None) -> None:
        found = self.hub.repositories.get(repo)
        if found is None:
            self._send(404, {"error": "Repository not found"})
            return
        prefix = f"{folder}/" if folder else ""
        files = [_entry(name, content) for name, content in found.files.items() if name.startswith(prefix)]
        self._send(200, files)

    def paths_info(self, body: bytes, repo: str) -> None:
        found = self.hub.repositories.get(repo)
        if found is None:
            self._send(404, {"error": "Repository not found"})
            return
        asked = json.loads(body)["paths"] if body.startswith(b"{") else re.findall(r"paths=([^&]+)", body.decode())
        asked = [unquote(one) for one in ([asked] if isinstance(asked, str) else asked)]
        self._send(200, [_entry(name, found.files[name]) for name in asked if name in found.files])

    def resolve(self, _: bytes, repo: str, path: str) -> None:
        found = self.hub.repositories.get(repo)
        if found is None or path not in found.files:
            self._send(404, {"error": "Entry not found"})
            return
        content = found.files[path]
        facts = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X_Repo_Commit": found.sha}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            self._send(200, content=content, **facts)
            return
        start, end = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        span = f"bytes {start}-{end}/{len(content)}"
        self._send(206, content=content[start : end + 1], Content_Range=span, **facts)


_REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
_ROUTES = [
    (r"GET /api/whoami-v2", "whoami"),
    (rf"GET /api/datasets/{_REPO}(?:/revision/main)?", "info"),
    (r"POST /api/repos/create", "create"),
    (r"POST /api/validate-yaml", "validate"),
    (rf"POST /api/datasets/{_REPO}/preupload/main", "preupload"),
    (rf"POST /datasets/{_REPO}\.git/info/lfs/objects/batch", "batch"),
    (r"PUT /lfs/(?P<oid>\w+)", "put"),
    (rf"POST /api/datasets/{_REPO}/commit/main", "commit"),
    (rf"GET /api/datasets/{_REPO}/tree/main(?:/(?P<folder>.*))?", "tree"),
    (rf"POST /api/datasets/{_REPO}/paths-info/main", "paths_info"),
    (rf"(?:GET|HEAD) /datasets/{_REPO}/resolve/main/(?P<path>.*)", "resolve"),
]


def _mode(path: str) -> str:
    return "lfs" if path.endswith(_LARGE) else "regular"


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _lfs(name: str, content: bytes) -> dict[str, Any]:
    if _mode(name) != "lfs":
        return {}
    sha256 = hashlib.sha256(content).hexdigest()
    return {"lfs": {"sha256": sha256, "oid": sha256, "size": len(content), "pointerSize": 130}}


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": _blob(content), **_lfs(name, content)}


@contextlib.contextmanager
def hub_stand_in() -> Iterator[Hub]:
    """Serve while the block runs."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
