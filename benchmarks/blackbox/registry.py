"""A registry that only serves what `images.py` made, as cheaply as the kernel can send a file. Standard library only.

    registry.py FOLDER     prints its port on 127.0.0.1
"""
import hashlib
import http.server
import os
import re
import sys

folder = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = re.fullmatch(r"/v2/(?:bench/(\w+)/(manifests|blobs)/([\w:]+))?", self.path)
        if not path:
            self.send_error(404)
        elif not path[1]:
            self.answer(b"{}", "application/json")
        elif path[2] == "manifests":
            with open(f"{folder}/{path[1]}.json", "rb") as file:
                self.answer(file.read(), "application/vnd.docker.distribution.manifest.v2+json")
        else:
            with open(f"{folder}/blobs/{path[3].split(':')[1]}", "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.head(size, "application/octet-stream")
                at = 0
                while at < size and self.command == "GET":
                    at += os.sendfile(self.connection.fileno(), file.fileno(), at, size - at)

    do_HEAD = do_GET

    def head(self, size, media_type, **more):
        self.send_response(200)
        for name, value in {"Content-Length": str(size), "Content-Type": media_type,
                            "Docker-Distribution-Api-Version": "registry/2.0", **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def answer(self, body, media_type):
        self.head(len(body), media_type, **{"Docker-Content-Digest": "sha256:" + hashlib.sha256(body).hexdigest()})
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
