# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx on loopback, as an operator would have it before a repository folder."""

import os
import re
import subprocess

from steward import free_port, wait_for

CONFIGURATION = """
user root; daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error;
events {{}}
http {{
    access_log off; default_type application/octet-stream; {http}
    server {{ listen {address}:{port} {parameters}; root {root}; access_log {directory}/log; {server} }}
}}
"""

# What it serves one client at once, as (text for http{}, text for server{}).
CONNECTIONS = "limit_conn_zone $binary_remote_addr zone=a:1m;"
REQUESTS = "limit_req_zone $binary_remote_addr zone=b:1m rate={}r/s;"
RATE = "limit_rate 4m; "
LIMITS = {
    "one-connection": (CONNECTIONS, RATE + "limit_conn a 1;"),
    "two-connections": (CONNECTIONS, RATE + "limit_conn a 2;"),
    "one-connection-not-kept": (CONNECTIONS, RATE + "limit_conn a 1; keepalive_timeout 0;"),
    "429": (CONNECTIONS, RATE + "limit_conn a 1; limit_conn_status 429;"),
    "509": (CONNECTIONS, RATE + "limit_conn a 2; limit_conn_status 509;"),
    "retry-after": (CONNECTIONS, RATE + "limit_conn a 1; error_page 503 /busy; location /busy { "
                    "internal; add_header Retry-After 5 always; return 503; }"),
    "two-requests-a-second": (REQUESTS.format(2), RATE + "limit_req zone=b nodelay;"),
    "five-requests-a-second": (REQUESTS.format(5), RATE + "limit_req zone=b burst=2 nodelay;"),
}


def nginx_version():
    said = subprocess.run(["nginx", "-v"], text=True, capture_output=True, check=True).stderr
    return tuple(int(part) for part in re.search(r"nginx/([0-9.]+)", said)[1].split("."))


class Nginx:
    def __init__(self, directory, root, http="", server="", address="127.0.0.1", port=None,
                 prefix=(), parameters=""):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.address, self.port = address, port or free_port()
        path = os.path.join(self.directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(CONFIGURATION.format(directory=self.directory, root=root, http=http,
                                            server=server, address=self.address, port=self.port,
                                            parameters=parameters))
        self.process = subprocess.Popen([*prefix, "nginx", "-p", self.directory, "-c", path, "-e",
                                         os.path.join(self.directory, "error")])
        wait_for(lambda: os.path.exists(os.path.join(self.directory, "pid")), what="nginx")

    @property
    def url(self):
        return f"http://{self.address}:{self.port}/"

    @property
    def replies(self):
        """(path, status, bytes of body) of each, as far as it is in the log."""
        with open(os.path.join(self.directory, "log")) as file:
            rows = [line.split() for line in file]
        return [(row[6], int(row[8]), int(row[9])) for row in rows]

    def image_bytes(self):
        return sum(n for path, _, n in self.replies if path.endswith(".iso"))

    def close(self):
        self.process.terminate()
        self.process.wait(20)
