"""A mail server on loopback that keeps nothing and tells what it was given.

Arguments: one JSON object {address, cert, key, security, user, password}.
Writes JSON lines: {"ready": port}, {"ruled": true}, {"mail": {...}}.
Reads JSON lines: {"stage", "address", "answer", "times", "hold"}.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

OPTIONS = json.loads(sys.argv[1])
RULES = []


def tell(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def ruled(stage, address=""):
    for rule in RULES:
        if rule["stage"] == stage and rule["address"] in ("", address) and rule["times"] != 0:
            rule["times"] -= 1
            return rule
    return None


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        rule = ruled("mail", address)
        if rule:
            return rule["answer"]
        envelope.mail_from = address
        return "250 2.1.0 fine"

    async def handle_RCPT(self, server, session, envelope, address, options):
        rule = ruled("rcpt", address)
        if rule:
            return rule["answer"]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        rule = ruled("data")
        if rule and not rule["hold"]:
            return rule["answer"]
        tell({"mail": {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "text": envelope.content.decode("utf-8", "replace"),
            "encrypted": session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            "user": (session.auth_data or b"").decode(),
        }})
        if rule:
            await asyncio.Event().wait()
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    if not isinstance(data, LoginPassword):
        return AuthResult(success=False, handled=False)
    good = data.login.decode() == OPTIONS["user"] and data.password.decode() == OPTIONS["password"]
    return AuthResult(success=good, handled=False, auth_data=data.login if good else None)


async def main():
    loop = asyncio.get_running_loop()
    context = None
    if OPTIONS["security"] != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(OPTIONS["cert"], OPTIONS["key"])
    start = OPTIONS["security"] == "starttls"
    login = bool(OPTIONS["user"])

    def protocol():
        return SMTP(
            Handler(), hostname="mail.example", ident="test", loop=loop,
            tls_context=context if start else None, require_starttls=start,
            authenticator=authenticate if login else None, auth_required=login, auth_require_tls=start,
        )

    host, port = OPTIONS["address"].rsplit(":", 1)
    server = await loop.create_server(
        protocol, host, int(port), ssl=context if OPTIONS["security"] == "tls" else None, reuse_address=True)
    tell({"ready": server.sockets[0].getsockname()[1]})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        line = await reader.readline()
        if not line:
            return
        RULES.append(json.loads(line))
        tell({"ruled": True})


asyncio.run(main())
