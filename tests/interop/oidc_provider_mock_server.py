"""PyPI's oidc-provider-mock on a free port of loopback: says its issuer, and ends with its standard input."""

import json
import os
import sys
import threading

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # it is on loopback, for which older releases of Authlib want https too

from oidc_provider_mock import User, app
from werkzeug.serving import WSGIRequestHandler, make_server

json.loads(sys.stdin.readline())


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Do nothing."""


ann = User(sub="ann", claims={"email": "ann@acme.com", "email_verified": True})
server = make_server("127.0.0.1", 0, app(user_claims=[ann]), threaded=True, request_handler=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"issuer": f"http://127.0.0.1:{server.server_port}"}), flush=True)  # noqa: T201 - heard by the test
sys.stdin.read()
os._exit(0)
