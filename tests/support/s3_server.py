"""An S3 server in this process, with faults on demand; needs s3fs and moto[server]."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class S3:
    """The server; tests set faults and look at the requests.

    Attributes:
        endpoint: Its address.
        faults: Pattern of ``METHOD path`` to the status that the next such request is answered with, and how often.
        requests: What was asked, in order.
    """

    endpoint: str = ""
    faults: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def fault(self, line: str) -> int | None:
        for pattern, statuses in self.faults.items():
            if statuses and re.search(pattern, line):
                return statuses.pop(0)
        return None


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    """Serve while the block runs; a bucket ``bucket`` is there."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    s3 = S3()
    moto = DomainDispatcherApplication(create_backend_app)

    def application(environment: dict[str, Any], start_response: Any) -> Any:
        line = f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}"
        status = s3.fault(line)
        s3.requests.append(line)
        if status is not None:
            environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
            body = b"<Error><Code>Fault</Code><Message>a fault of the test</Message></Error>"
            start_response(f"{status} Fault", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        return moto(environment, start_response)

    server = make_server("127.0.0.1", 0, application, threaded=True)
    s3.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
