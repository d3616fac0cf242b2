# The interpreter's side of the pool. The host starts it inside the sandbox with
#   worker.py IN OUT MEMORY FILTER
# It drops what it could misuse, says that it is ready, and answers frames: four
# bytes of length, big-endian, and a JSON object. Nothing here protects the host
# from what runs below; the sandbox does.
import binascii
import json
import os
import resource
import sys
from _thread import allocate_lock

IN, OUT = int(sys.argv[1]), int(sys.argv[2])
CODE = "/tmp/code"
MAX_FRAME, MAX_RESULT = 1 << 20, 64 << 10
MAX_LINES, MAX_LINE, KEPT = 100, 1000, 8000


def lock_down():
    import ctypes

    os.closerange(max(IN, OUT) + 1, 1 << 20)
    memory = int(sys.argv[3])
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, 600),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 64),
        (resource.RLIMIT_FSIZE, 16 << 20),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    # Since the interpreter itself had to be executed, only now can execve go.
    text = bytes.fromhex(sys.argv[4])
    program = Program(len(text) // 8, text)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, ctypes.byref(program), 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "second filter")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


_read, _write, _loads = os.read, os.write, json.loads
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_rest = b""


def receive():
    global _rest
    have = _rest
    while True:
        if len(have) >= 4:
            end = 4 + int.from_bytes(have[:4], "big")
            if len(have) >= end:
                _rest = have[end:]
                return _loads(have[4:end])
        more = _read(IN, 65536)
        if not more:
            os._exit(0)
        have += more


def send(text):
    body = text.encode()
    if len(body) > MAX_FRAME:
        raise ValueError("more than 1 MB at once cannot leave the sandbox")
    body = len(body).to_bytes(4, "big") + body
    while body:
        body = body[_write(OUT, body) :]


class Names(dict):
    """A mapping whose keys are also attributes."""

    __slots__ = ()

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Lines:
    """Takes what print() writes and keeps it as lines without secrets."""

    encoding, errors = "utf-8", "replace"

    def __init__(self):
        self.begin(())

    def begin(self, secrets):
        self.lines, self.open, self.capped = [], "", False
        self.secrets = secrets

    def write(self, text):
        text = str(text)
        if len(self.lines) >= MAX_LINES:
            return len(text)
        *whole, last = text.split("\n", MAX_LINES + 1) if len(text) > MAX_LINE else text.split("\n")
        for line in whole:
            self.add(line)
            self.end()
        self.add(last)
        return len(text)

    def add(self, text):
        room = KEPT - len(self.open)
        self.capped = self.capped or len(text) > room
        self.open += text[:room]

    def end(self):
        line, capped = self.open, self.capped
        self.open, self.capped = "", False
        if len(self.lines) < MAX_LINES:
            self.lines.append(mask(line, self.secrets, capped)[:MAX_LINE])

    def taken(self):
        if self.open:
            self.end()
        return self.lines

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass

    def isatty(self):
        return False


def mask(text, secrets, capped=False):
    for s in secrets:
        text = text.replace(s, "***")
    if capped and secrets:  # the cut may have gone through a secret
        text = text[: -len(secrets[0])]
    return text


class Log:
    """ctx.log: call it, or its levels, with a text and values for it."""

    def __call__(self, message, *values):
        try:
            message = str(message) % values if values else str(message)
        except (TypeError, ValueError):
            message = " ".join(map(str, (message, *values)))
        out.write(message + "\n")

    debug = info = warning = error = __call__


class HTTPError(OSError):
    """A request got no answer, or raise_for_status found a bad one."""


class Response:
    """An answer, in the shape that requests gives it."""

    def __init__(self, m):
        self.status = self.status_code = m["status"]
        self.reason = m["reason"]
        self.url = m["url"]
        self.headers = Headers(m["headers"])
        self.content = binascii.a2b_base64(m["body"])
        self.ok = self.status < 400

    @property
    def text(self):
        name = self.headers.get("content-type", "").partition("charset=")[2].split(";")[0].strip("\"' ")
        try:
            return self.content.decode(name or "utf-8", "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self):
        return _loads(self.content)

    def raise_for_status(self):
        if not self.ok:
            raise HTTPError("%d %s for %s" % (self.status, self.reason, self.url))
        return self

    def __await__(self):  # the answer is there; `await ctx.http(...)` is as good
        return self
        yield

    def __repr__(self):
        return "<Response [%d]>" % self.status


class Headers(dict):
    """Names are told apart without regard to case (RFC 9110 section 5.1)."""

    def __init__(self, given):
        super().__init__({k.lower(): v for k, v in given.items()})

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)


class HTTP:
    """ctx.http(method, url, ...): requests go out through the host's guard."""

    def __call__(self, method, url, *, params=None, headers=None, json=None, data=None, auth=None, timeout=None):
        headers = {str(k): str(v) for k, v in (headers or {}).items()}
        given = {k.lower() for k in headers}
        if params:
            from urllib.parse import urlencode

            url += ("&" if "?" in url else "?") + urlencode(params, doseq=True)
        if json is not None:
            data = _encode(json)
            if "content-type" not in given:
                headers["Content-Type"] = "application/json"
        elif isinstance(data, (dict, list, tuple)):
            from urllib.parse import urlencode

            data = urlencode(data, doseq=True)
            if "content-type" not in given:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
        if auth is not None:
            pair = ("%s:%s" % tuple(auth)).encode()
            headers["Authorization"] = "Basic " + binascii.b2a_base64(pair, newline=False).decode()
        if isinstance(data, str):
            data = data.encode()
        body = binascii.b2a_base64(data or b"", newline=False).decode()
        m = ask("http", {"method": method.upper(), "url": url, "headers": headers, "body": body, "timeout": timeout or 0})
        if "error" in m:
            raise HTTPError(m["error"])
        return Response(m)

    def get(self, url, **more):
        return self("GET", url, **more)

    def post(self, url, **more):
        return self("POST", url, **more)

    def put(self, url, **more):
        return self("PUT", url, **more)

    def patch(self, url, **more):
        return self("PATCH", url, **more)

    def delete(self, url, **more):
        return self("DELETE", url, **more)


class KV:
    """ctx.kv: small values that stay, of this group of tools only."""

    def get(self, key, default=None):
        m = answer("kv", {"do": "get", "key": key})
        return m["value"] if m.get("found") else default

    def set(self, key, value):
        answer("kv", {"do": "set", "key": key, "value": value})

    def delete(self, key):
        answer("kv", {"do": "delete", "key": key})


def answer(what, request):
    m = ask(what, request)
    if "error" in m:
        raise RuntimeError(m["error"])
    return m


def ask(what, request):
    with asking:
        if current is None:
            raise RuntimeError("no call is running: what a call started has outlived it")
        send('{"id":%d,"ask":"%s","request":%s}' % (current.id, what, _encode(request)))
        return receive()


class Results:
    """ctx.results: what the conversation has found out."""

    def __init__(self, values):
        self._values = values
        self._set = {}

    def get(self, name, default=None):
        return self._values.get(name, default)

    def set(self, name, value):
        if value is None:
            value = ""
        elif not isinstance(value, str):
            value = _encode(value)
        self._values[name] = self._set[str(name)] = value

    def __getitem__(self, name):
        return self._values[name]

    def __contains__(self, name):
        return name in self._values

    __setitem__ = set


class Context:
    """The first argument of every tool and skill."""

    def __init__(self, m):
        scene = m["scene"]
        self.id = m["id"]
        self.key = m["key"]
        self.session = Names(scene["session"])
        self.parameters = scene["parameters"] or {}
        self.observations = scene["observations"] or {}
        self.results = Results(scene["results"] or {})
        self.env = scene["env"] or {}
        self._now = m["now"]

    http, kv, log = HTTP(), KV(), Log()

    def now(self):
        from datetime import datetime

        return datetime.fromisoformat(self._now)


class Engine:
    """What `import engine` gives: the same as ctx, of the running call."""

    __name__, HTTPError = "engine", HTTPError
    http, kv, log = Context.http, Context.kv, Context.log

    @staticmethod
    def now():
        return running().now()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(running(), name)


def running():
    if current is None:
        raise RuntimeError("the engine can be asked while a call runs only")
    return current


functions, current, asking, out = {}, None, allocate_lock(), Lines()
_random = _loop = None


def write_file(m):
    path = os.path.join(CODE, m["path"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab") as f:
        f.write(binascii.a2b_base64(m["data"]))
    return "null"


def load(m):
    """Imports what the group names; from now on this interpreter is its own."""
    global _random, _loop
    from importlib import import_module

    os.makedirs(CODE, exist_ok=True)
    os.chdir(CODE)
    sys.path[:0] = [os.path.normpath(os.path.join(CODE, p)) for p in m["paths"]]
    if m["env"]:
        sys.path.append("/env")
    if m["random"]:
        import random as _random
    for name, (module, function) in m["functions"].items():
        f = getattr(import_module(module), function, None)
        if not callable(f):
            raise AttributeError("%s has no function %s" % (module, function))
        functions[name] = f
    if m["asyncio"] or "asyncio" in sys.modules:
        import asyncio

        _loop = asyncio.new_event_loop()
    return "null"


def finish(awaitable):
    if _loop is not None:
        return _loop.run_until_complete(awaitable)
    step = awaitable.__await__()
    try:
        next(step)
    except StopIteration as s:
        return s.value
    raise RuntimeError("this waits for something that only an event loop can give; import asyncio")


def call(m):
    global current
    current = c = Context(m)
    if _random is not None:
        _random.seed(m["seed"])
    value = functions[m["name"]](c, **m["args"])
    if hasattr(value, "__await__"):
        value = finish(value)
    text = _encode(value)
    if len(text) > MAX_RESULT or len(text.encode()) > MAX_RESULT:
        raise Unfit("the result has %d bytes as JSON; %d are allowed" % (len(text.encode()), MAX_RESULT))
    text.encode()
    return text


class Unfit(Exception):
    """A result that cannot be given back."""


expressions = {}


def evaluate(m):
    import datetime as d

    global _moment
    _moment = d.datetime.fromisoformat(m["now"])
    if "datetime" not in clock:
        make_clock(d)
    source = m["source"].strip()
    code = expressions.get(source)
    if code is None:
        if len(expressions) >= 256:
            expressions.clear()
        code = expressions[source] = compile(source, "expression", "eval")
    names = {k: named(v) for k, v in m["names"].items()}
    value = eval(code, {**clock, **names})
    if isinstance(value, (d.date, d.time)):
        value = value.isoformat()
    text = _encode(value)
    if len(text.encode()) > MAX_RESULT:
        raise Unfit("the value is longer than %d bytes" % MAX_RESULT)
    return text


def named(v):
    if isinstance(v, dict):
        return Names({k: named(x) for k, x in v.items()})
    return [named(x) for x in v] if isinstance(v, list) else v


clock, _moment = {}, None


def make_clock(d):
    """The names of spec D5. The clock stands, in the zone of the moment given;
    like Python's own, it names no zone unless it is asked for one."""

    class Datetime(d.datetime):
        @classmethod
        def now(cls, tz=None):
            t = _moment if tz is None else _moment.astimezone(tz)
            return cls(t.year, t.month, t.day, t.hour, t.minute, t.second, t.microsecond, tz and t.tzinfo)

        today = now

    class Date(d.date):
        @classmethod
        def today(cls):
            return cls(_moment.year, _moment.month, _moment.day)

    clock.update(datetime=Datetime, date=Date, timedelta=d.timedelta, timezone=d.timezone, time=d.time)
    clock.update(now=Datetime.now, today=Date.today)


def describe(e):
    """Says what went wrong, and where in the customer's files."""
    if isinstance(e, Unfit):
        return {"kind": "unfit", "text": str(e)}
    try:
        text = str(e)
    except BaseException:
        text = ""
    where, line, t = "", 0, e.__traceback__
    while t is not None:
        name = t.tb_frame.f_code.co_filename
        if name.startswith(CODE):
            where, line = name[len(CODE) + 1 :], t.tb_lineno
        t = t.tb_next
    if isinstance(e, SyntaxError) and str(e.filename).startswith(CODE):
        where, line, text = e.filename[len(CODE) + 1 :], e.lineno or 0, e.msg
    kind = "exception"
    if isinstance(e, MemoryError):
        kind = "memory"
    elif isinstance(e, HTTPError):
        kind = "http"
    capped = len(text) > KEPT
    text = mask(text[:KEPT].replace(CODE + "/", ""), out.secrets, capped)[:500]
    return {"kind": kind, "type": type(e).__name__, "text": text, "file": where, "line": line}


OPS = {"call": call, "eval": evaluate, "file": write_file, "load": load}


def serve():
    global current
    while True:
        m = receive()
        out.begin(m.get("secrets", ()))
        reply = ""
        try:
            reply = ',"value":' + OPS[m["op"]](m)
        except BaseException as e:  # sys.exit too: the interpreter is not the tool's to end
            e.__context__ = None
            reply = ',"error":' + json.dumps(describe(e))
            del e
        lines = out.taken()
        if lines:
            reply += ',"logs":' + json.dumps(lines)
        if current is not None:
            if current.results._set:
                reply += ',"results":' + json.dumps(current.results._set)
            with asking:
                current = None
        if len(sys._current_frames()) > 1:  # a thread outlived its call
            reply += ',"spent":true'
        send('{"id":%d%s}' % (m["id"], reply))


def main():
    lock_down()
    sys.dont_write_bytecode = True
    sys.modules["engine"] = Engine()
    sys.stdout = sys.stderr = out
    sys.argv = [""]
    sys.path[:] = [p for p in sys.path if p.startswith("/usr/")]
    send('{"id":0}')
    serve()


main()
