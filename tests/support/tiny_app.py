"""The smallest app a simulated Render can run: tells what it runs with, and notes in a file when it is told to go.

`HEALTH=bad` makes its health check fail. `NOTES` is the file. `/exit` ends the process without being told.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/exit":
            os._exit(3)
        bad = self.path == "/health" and os.environ.get("HEALTH") == "bad"
        self.reply(503 if bad else 200, {"pid": os.getpid(), "env": dict(os.environ), "headers": dict(self.headers)})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(201, {"path": self.path, "body": body.decode()})

    def reply(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Stay quiet."""


def main():
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)

    def stop(*_):
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever(poll_interval=0.01)
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{os.getpid()} SIGTERM\n")
    sys.exit(0)


if __name__ == "__main__":
    main()
