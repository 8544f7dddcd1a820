#!/usr/bin/env python3
"""A read-only bridge from one MetaTrader 5 terminal to HTTP, for Tidegate.

It runs beside a terminal (Windows, or Wine) and needs Python 3.8 or newer and the MetaTrader5
package, nothing else. One terminal is one account is one bridge. It never trades: the only functions
of the package that it calls are those in READS.

    GET /snapshot?deals_since=<UTC ms>     the account, its positions, orders, and the deals since
    GET /health                            whether the terminal can be read, without any figures

What it promises, because money is watched through it:

* A part that could not be read is null, with the reason in `errors`; it is never an empty list. The
  package returns None for "failed" and () for "none": the two are kept apart.
* The login is checked before and after reading. Another account in the terminal is an error, not data.
* Just after a start, a login or a reconnect the terminal shows accounts that look empty. For
  --settle seconds the bridge answers 503 SETTLING instead.
* Every request ends within --timeout, even while the terminal hangs.

How it is started, and what each failure looks like: README.md beside this file.
"""

import argparse
import hmac
import json
import logging
import math
import os
import queue
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = 1
READS = (
    "initialize", "shutdown", "last_error", "terminal_info", "account_info", "positions_get",
    "orders_get", "history_deals_get", "history_orders_get", "symbol_info", "symbol_info_tick",
)
DAY_S = 86400
OFFSETS_S = (-12 * 3600, 14 * 3600)  # no zone on earth is beyond
FRESH_TICK_S = 30  # a tick may be so old, or so early, and still tell the time
TICKS_S = 120  # so long a symbol's reading of the clock counts beside the others'
SHIFTS_MAX = 4  # changes of the offset that are remembered: two years of summer time
LOGIN_REFUSED = -6  # the package's code
LOGIN_WAIT_S = (60, 900)  # after a refused login; doubling: brokers lock accounts that keep trying
QUEUE_MAX = 32  # requests that wait for the terminal
ROWS_MAX = 20000  # deals or orders of one answer

log = logging.getLogger("mt5_bridge")


class Failure(Exception):
    """An answer that has no data: an HTTP status, a code for programs, a sentence for people."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class ReadOnly:
    """The package, reduced to what reads."""

    def __init__(self, package):
        for name in READS:
            setattr(self, name, getattr(package, name))


def plain(value):
    """A row of the package as JSON can carry it: what is not finite is not known."""
    if hasattr(value, "_asdict"):
        return {key: plain(item) for key, item in value._asdict().items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def octets(text):
    """UTF-8 of a text that Windows may have cut: a comment holds 31 units of UTF-16, and an emoji two."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


class Clock:
    """The broker's offset from UTC, which the package does not tell: its times are the broker's wall
    clock. It is read off symbols' ticks, but only while ticks come in: a tick that has not moved
    since the last look may be hours old, and would shift every time by as much. Quotes that an
    exchange delays come in late and never early, so of several symbols the one ahead is right.

    Rows keep the wall clock of their day when summer time begins, so earlier offsets are remembered."""

    def __init__(self, fixed_s):
        self.offset_s = fixed_s
        self.fixed = fixed_s is not None
        self.seen = {}  # symbol: (time_msc of its newest tick, when it was seen)
        self.read = {}  # symbol: (offset by its tick, when)
        self.shifts = []  # {"before": broker's epoch seconds, "utc_offset_seconds": that held until then}

    def observe(self, symbol, tick_ms, now_s, mono_s):
        before = self.seen.get(symbol)
        self.seen[symbol] = (tick_ms, mono_s)
        if self.fixed or not before or mono_s - before[1] > FRESH_TICK_S or tick_ms <= before[0]:
            return
        ahead_s = tick_ms / 1000 - now_s
        offset_s = round(ahead_s / 900) * 900
        near = abs(ahead_s - offset_s) <= FRESH_TICK_S
        if not near or not OFFSETS_S[0] <= offset_s <= OFFSETS_S[1]:
            return
        self.read[symbol] = (offset_s, mono_s)
        offset_s = max(offset for offset, when in self.read.values() if mono_s - when <= TICKS_S)
        if offset_s == self.offset_s:
            return
        log.info("the broker's clock is UTC%+g h", offset_s / 3600)
        if self.offset_s is not None:
            shift = {"before": int(now_s + min(offset_s, self.offset_s)), "utc_offset_seconds": self.offset_s}
            self.shifts = self.shifts[1 - SHIFTS_MAX:] + [shift]
        self.offset_s = offset_s

    def bounds(self):
        """The least and the most that rows of these days may be ahead of UTC."""
        if self.offset_s is None:
            return OFFSETS_S
        offsets = [self.offset_s] + [shift["utc_offset_seconds"] for shift in self.shifts]
        return min(offsets), max(offsets)


class Terminal:
    """The terminal as the package shows it. One thread calls it, because the package is not safe with
    several; that thread may hang in a call for a minute, and nobody else with it."""

    def __init__(self, package, options):
        self.mt5 = ReadOnly(package)
        self.options = options
        self.clock = Clock(options.utc_offset)
        self.ready_at = None  # monotonic: from when its figures are believed
        self.shown = None  # (login, server) of the last look
        self.open = False
        self.login_at, self.login_wait = 0, LOGIN_WAIT_S[0]  # monotonic, seconds: when a login may be tried
        self.digits = {}  # symbol: decimals of its prices
        self.state = "starting"

    def fail(self, status, what):
        """What the package says of the call that has just failed: valid only now."""
        code, message = self.mt5.last_error()
        return Failure(status, str(code), "%s: %s" % (what, message or "no reason given"))

    def drop(self, state):
        if self.open:
            self.mt5.shutdown()
        self.open, self.ready_at, self.state = False, None, state

    def connect(self):
        if self.open:
            return
        options, words, wait = self.options, {}, self.login_at - time.monotonic()
        if wait > 0:
            raise Failure(503, str(LOGIN_REFUSED), "the login was refused; the next attempt is in %d s" % (wait + 1))
        if options.password:  # without it the package would log in with what the terminal has saved
            words.update(login=options.login, password=options.password)
            if options.server:
                words["server"] = options.server
        if options.portable:
            words["portable"] = True
        words["timeout"] = options.connect_timeout * 1000
        path = (options.terminal,) if options.terminal else ()
        self.state = "connecting"
        if not self.mt5.initialize(*path, **words):
            failure = self.fail(503, "the terminal cannot be reached")
            self.drop("no terminal")
            if failure.code == str(LOGIN_REFUSED):
                self.state, self.login_at = "login refused", time.monotonic() + self.login_wait
                self.login_wait = min(self.login_wait * 2, LOGIN_WAIT_S[1])
            raise failure
        self.open, self.ready_at, self.login_wait = True, None, LOGIN_WAIT_S[0]
        log.info("connected to the terminal")

    def check(self):
        """Connected, the right account, and settled; the account's figures."""
        info = self.mt5.terminal_info()
        if info is None:
            failure = self.fail(503, "the terminal does not answer")
            self.drop("no terminal")
            raise failure
        if not info.connected:
            self.ready_at, self.state = None, "disconnected"
            raise Failure(503, "DISCONNECTED", "the terminal has no connection to the trade server")
        account = self.mt5.account_info()
        if account is None:
            failure = self.fail(503, "the account cannot be read")
            self.drop("no account")
            raise failure
        if self.options.login and account.login != self.options.login:
            self.ready_at, self.state = None, "wrong account"
            if self.options.password:
                self.drop("wrong account")  # the next request logs in
            raise Failure(503, "WRONG_ACCOUNT", "the terminal shows another account than --login")
        if (account.login, account.server) != self.shown:
            if self.shown:  # another broker has other symbols and another clock
                self.clock, self.digits = Clock(self.options.utc_offset), {}
            self.shown, self.ready_at = (account.login, account.server), None
        now = time.monotonic()
        if self.ready_at is None:
            self.ready_at = now + self.options.settle
        if now < self.ready_at:
            self.state = "settling"
            raise Failure(503, "SETTLING", "the terminal has just connected; its figures are not trusted yet")
        self.state = "ready"
        return account

    def rows(self, errors, part, function, *window):
        """The rows of a part, or None and why in `errors`."""
        found = function(*window)
        if found is None:
            code, message = self.mt5.last_error()
            errors.append({"part": part, "code": str(code), "message": message})
            return None
        if len(found) > ROWS_MAX:
            errors.append({"part": part, "code": "TOO_MANY", "message": "more than %d rows" % ROWS_MAX})
            return None
        return [plain(row) for row in found]

    def window(self, since_ms):
        """From when to when, in the broker's time. Without its offset the window is wide enough for any."""
        early, late = self.clock.bounds()
        return int(since_ms // 1000 + early), int(time.time() + late + DAY_S)

    def look_up(self, symbols):
        """Decimals of the symbols' prices, and the time by their ticks."""
        names = set(symbols) | ({self.options.clock_symbol} if self.options.clock_symbol else set())
        for name in sorted(names):
            tick = self.mt5.symbol_info_tick(name)
            if tick is not None and tick.time_msc:
                self.clock.observe(name, tick.time_msc, time.time(), time.monotonic())
            if name not in self.digits:
                info = self.mt5.symbol_info(name)
                if info is not None:
                    self.digits[name] = info.digits
        return {name: {"digits": self.digits[name]} for name in sorted(symbols) if name in self.digits}

    def snapshot(self, since_ms):
        self.connect()
        before = self.check()
        errors = []
        # Before anything is read: a deal that is made while the rest is read is newer than the positions.
        read_ms = int(time.time() * 1000)
        # In this order a position that has vanished from the first has its deal in the third.
        positions = self.rows(errors, "positions", self.mt5.positions_get)
        orders = self.rows(errors, "orders", self.mt5.orders_get)
        deals = history = None
        if since_ms is not None:
            window = self.window(since_ms)
            history = self.rows(errors, "history_orders", self.mt5.history_orders_get, *window)
            deals = self.rows(errors, "deals", self.mt5.history_deals_get, *window)
        symbols = {row["symbol"] for part in (positions, orders, history, deals) for row in part or ()
                   if row.get("symbol")}
        digits = self.look_up(symbols)
        account = self.check()
        if (account.login, account.server) != (before.login, before.server):
            raise Failure(503, "WRONG_ACCOUNT", "the account changed while it was read")
        return {
            "version": VERSION, "connected": True, "login": account.login, "server": account.server,
            "time_utc_ms": read_ms, "utc_offset_seconds": self.clock.offset_s,
            "utc_offset_shifts": self.clock.shifts, "account": plain(account), "positions": positions, "orders": orders,
            "history_orders": history, "deals": deals, "symbols": digits, "errors": errors,
        }


class Worker(threading.Thread):
    """Calls the terminal for those who ask, one after the other, each until its deadline."""

    def __init__(self, terminal, timeout_s):
        super().__init__(daemon=True, name="terminal")
        self.terminal, self.timeout_s = terminal, timeout_s
        self.jobs = queue.Queue(QUEUE_MAX)
        self.busy_since = None  # monotonic: the terminal is in a call

    def state(self):
        since = self.busy_since
        if self.terminal.state == "connecting":
            return "connecting"
        if since is not None and time.monotonic() - since > self.timeout_s:
            return "hanging"
        return self.terminal.state

    def run(self):
        while True:
            self.busy_since = None
            since_ms, deadline, answer = self.jobs.get()
            self.busy_since = time.monotonic()
            if self.busy_since > deadline:
                continue  # who asked has gone
            try:
                answer.put((self.terminal.snapshot(since_ms), None))
            except Failure as failure:
                log.warning("%s: %s", failure.code, failure.message)
                answer.put((None, failure))
            except Exception as error:  # the package raises what it does not document
                log.exception("the terminal's package failed")
                self.terminal.drop("failed")
                answer.put((None, Failure(500, "BRIDGE_ERROR", type(error).__name__)))

    def ask(self, since_ms):
        answer, deadline = queue.Queue(), time.monotonic() + self.timeout_s
        try:
            self.jobs.put_nowait((since_ms, deadline, answer))
        except queue.Full:
            raise Failure(503, "BUSY", "too many requests wait for the terminal") from None
        try:
            result, failure = answer.get(timeout=self.timeout_s)
        except queue.Empty:
            raise Failure(504, "TIMEOUT", "the terminal did not answer within %g s" % self.timeout_s) from None
        if failure:
            raise failure
        return result


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mt5_bridge/%d" % VERSION, ""
    timeout = 60  # of a connection that says nothing

    def log_message(self, *_):
        pass

    def reply(self, status, document):
        body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        body = octets(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def authorised(self):
        token = self.server.token
        given = self.headers.get("Authorization", "")
        return not token or hmac.compare_digest(given.encode(), b"Bearer " + token.encode())

    def since(self, query):
        fields = parse_qs(query, keep_blank_values=True)
        for name in fields:
            if name != "deals_since":
                raise Failure(400, "BAD_REQUEST", "unknown parameter; known: deals_since")
        text = fields.get("deals_since", [None])[-1]
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise Failure(400, "BAD_REQUEST", "deals_since is a time in UTC milliseconds")
        oldest = (time.time() - self.server.max_days * DAY_S) * 1000
        return max(int(text), int(oldest))

    def do_GET(self):
        url = urlsplit(self.path)
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body is not read, and must not be taken for a request
        try:
            if url.path == "/health":
                state = self.server.worker.state()
                self.reply(200 if state == "ready" else 503, {"ok": state == "ready", "state": state})
            elif url.path != "/snapshot":
                raise Failure(404, "NOT_FOUND", "there are /snapshot and /health")
            elif not self.authorised():
                raise Failure(401, "UNAUTHORISED", "the bearer token is missing or wrong")
            else:
                self.reply(200, self.server.worker.ask(self.since(url.query)))
        except Failure as failure:
            self.reply(failure.status, {"error": {"code": failure.code, "message": failure.message}})
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_HEAD = do_GET


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # Windows would let two bridges share a port

    def __init__(self, options):
        self.token = "" if options.no_token else options.token
        self.max_days = options.max_days
        if ":" in options.address:
            self.address_family = socket.AF_INET6
        super().__init__((options.address, options.port), Handler)

    def server_bind(self):
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows: nor may another program
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the DNS who we are
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        usual = isinstance(error, (OSError, ssl.SSLError))  # who asked has gone, or speaks no TLS
        log.log(logging.DEBUG if usual else logging.ERROR, "a connection failed", exc_info=True)


def hours(text):
    value = float(text) * 3600
    if not OFFSETS_S[0] <= value <= OFFSETS_S[1] or value % 900:
        raise argparse.ArgumentTypeError("an offset is -12 to 14 hours, in quarters")
    return int(value)


def positive(text):
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("expected seconds, up to 3600")
    return value


def not_negative(text):
    return 0.0 if float(text) == 0 else positive(text)


def whole(least, most):
    def read(text):
        if not (text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError("expected a whole number from %d to %d" % (least, most))
        return int(text)
    return read


def read_options(words):
    parser = argparse.ArgumentParser(description="Serve one MetaTrader 5 terminal, read-only, over HTTP.",
                                     epilog="Secrets come from the environment: MT5_BRIDGE_TOKEN (who may ask) "
                                            "and MT5_PASSWORD (the investor password).")
    add = parser.add_argument
    add("--address", default="127.0.0.1", help="where to listen (127.0.0.1)")
    add("--port", type=whole(0, 65535), default=8228, help="0 takes a free one (8228)")
    add("--terminal", metavar="PATH", help="terminal64.exe, when there are several")
    add("--portable", action="store_true", help="start the terminal in portable mode")
    add("--login", type=whole(1, 2**64 - 1), help="the account that must be in the terminal")
    add("--server", help="its trade server, for logging in with MT5_PASSWORD")
    add("--timeout", type=positive, default=5, metavar="S", help="the longest that a request may take (5)")
    add("--connect-timeout", type=whole(1, 3600), default=60, metavar="S",
        help="for the terminal to start and log in (60)")
    add("--settle", type=not_negative, default=5, metavar="S",
        help="distrust the terminal so long after it connects (5)")
    add("--utc-offset", type=hours, metavar="HOURS", help="the broker's clock; without it, it is read off the ticks")
    add("--clock-symbol", default="EURUSD", metavar="SYMBOL", help="whose ticks tell the time ('' for none)")
    add("--max-days", type=whole(1, 366), default=7, metavar="DAYS", help="how far back deals may be asked for (7)")
    add("--certificate", metavar="FILE", help="serve https, with this certificate")
    add("--key", metavar="FILE", help="and this key")
    add("--no-token", action="store_true", help="let everyone ask; on a loopback address only")
    options = parser.parse_args(words)
    options.token = os.environ.get("MT5_BRIDGE_TOKEN", "").strip()
    options.password = os.environ.get("MT5_PASSWORD", "")
    if bool(options.certificate) != bool(options.key):
        parser.error("--certificate and --key go together")
    if options.no_token and options.address not in ("127.0.0.1", "::1", "localhost"):
        parser.error("--no-token is for a loopback address")
    if not options.no_token and len(options.token) < 16:
        parser.error("MT5_BRIDGE_TOKEN must hold at least 16 characters (or give --no-token)")
    if not options.no_token and not (options.token.isascii() and options.token.isprintable()):
        parser.error("MT5_BRIDGE_TOKEN must be of printable ASCII characters: it goes into an HTTP header")
    if options.password and not options.login:
        parser.error("MT5_PASSWORD needs --login")
    if options.server and not options.password:
        parser.error("--server is for logging in, which needs MT5_PASSWORD")
    return options


def main(words=None):
    options = read_options(words)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        import MetaTrader5
    except ImportError as error:
        sys.exit("mt5_bridge: the MetaTrader5 package is missing (pip install MetaTrader5): %s" % error)
    try:
        server = Server(options)
    except OSError as error:
        sys.exit("mt5_bridge: cannot listen on %s:%d: %s" % (options.address, options.port, error))
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(options.certificate, options.key)
        except OSError as error:  # ssl.SSLError is one
            sys.exit("mt5_bridge: --certificate and --key: %s" % error)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.worker = Worker(Terminal(MetaTrader5, options), options.timeout)
    server.worker.start()
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: threading.Thread(target=server.shutdown).start())
    log.info("listening on %s:%d", *server.server_address[:2])
    server.serve_forever()
    server.server_close()
    log.info("stopped")


if __name__ == "__main__":
    main()
