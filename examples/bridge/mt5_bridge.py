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


class Clock:
    """The broker's offset from UTC, which the package does not tell: its times are the broker's wall
    clock. It is read off a symbol's tick, but only while ticks come in: a tick that has not moved
    since the last look may be hours old, and would shift every time by as much."""

    def __init__(self, fixed_s):
        self.offset_s = fixed_s
        self.fixed = fixed_s is not None
        self.seen = {}  # symbol: (time_msc of its newest tick, when it was seen)

    def observe(self, symbol, tick_ms, now_s, mono_s):
        before = self.seen.get(symbol)
        self.seen[symbol] = (tick_ms, mono_s)
        if self.fixed or not before or mono_s - before[1] > FRESH_TICK_S or tick_ms <= before[0]:
            return
        ahead_s = tick_ms / 1000 - now_s
        offset_s = round(ahead_s / 900) * 900
        near = abs(ahead_s - offset_s) <= FRESH_TICK_S
        if near and OFFSETS_S[0] <= offset_s <= OFFSETS_S[1] and offset_s != self.offset_s:
            log.info("the broker's clock is UTC%+g h", offset_s / 3600)
            self.offset_s = offset_s


class Terminal:
    """The terminal as the package shows it. One thread calls it, because the package is not safe with
    several; that thread may hang in a call for a minute, and nobody else with it."""

    def __init__(self, package, options):
        self.mt5 = ReadOnly(package)
        self.options = options
        self.clock = Clock(options.utc_offset)
        self.ready_at = None  # monotonic: from when its figures are believed
        self.login = None  # that was there at the last look
        self.open = False
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
        options, words = self.options, {}
        if options.login:
            words["login"] = options.login
            if options.password:
                words["password"] = options.password
            if options.server:
                words["server"] = options.server
        if options.portable:
            words["portable"] = True
        words["timeout"] = options.connect_timeout * 1000
        path = (options.terminal,) if options.terminal else ()
        if not self.mt5.initialize(*path, **words):
            failure = self.fail(503, "the terminal cannot be reached")
            self.drop("no terminal")
            raise failure
        self.open, self.ready_at, self.login = True, None, None
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
            raise Failure(503, "WRONG_ACCOUNT", "the terminal shows another account than --login")
        if account.login != self.login:
            self.login, self.ready_at = account.login, None
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
        early, late = (self.clock.offset_s,) * 2 if self.clock.offset_s is not None else OFFSETS_S
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
        if account.login != before.login:
            raise Failure(503, "WRONG_ACCOUNT", "the account changed while it was read")
        return {
            "version": VERSION, "connected": True, "login": account.login, "server": account.server,
            "time_utc_ms": int(time.time() * 1000), "utc_offset_seconds": self.clock.offset_s,
            "account": plain(account), "positions": positions, "orders": orders,
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
        body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
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

    def handle_error(self, request, client_address):
        log.debug("a connection failed", exc_info=True)


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


def read_options(words):
    parser = argparse.ArgumentParser(description="Serve one MetaTrader 5 terminal, read-only, over HTTP.",
                                     epilog="Secrets come from the environment: MT5_BRIDGE_TOKEN (who may ask) "
                                            "and MT5_PASSWORD (the investor password).")
    add = parser.add_argument
    add("--address", default="127.0.0.1", help="where to listen (127.0.0.1)")
    add("--port", type=int, default=8228, help="0 takes a free one (8228)")
    add("--terminal", metavar="PATH", help="terminal64.exe, when there are several")
    add("--portable", action="store_true", help="start the terminal in portable mode")
    add("--login", type=int, help="the account that must be in the terminal")
    add("--server", help="its trade server")
    add("--timeout", type=positive, default=5, metavar="S", help="the longest that a request may take (5)")
    add("--connect-timeout", type=int, default=60, metavar="S", help="for the terminal to start and log in (60)")
    add("--settle", type=float, default=5, metavar="S", help="distrust the terminal so long after it connects (5)")
    add("--utc-offset", type=hours, metavar="HOURS", help="the broker's clock; without it, it is read off the ticks")
    add("--clock-symbol", default="EURUSD", metavar="SYMBOL", help="whose ticks tell the time ('' for none)")
    add("--max-days", type=int, default=7, metavar="DAYS", help="how far back deals may be asked for (7)")
    add("--certificate", metavar="FILE", help="serve https, with this certificate")
    add("--key", metavar="FILE", help="and this key")
    add("--no-token", action="store_true", help="let everyone ask; on a loopback address only")
    options = parser.parse_args(words)
    options.token = os.environ.get("MT5_BRIDGE_TOKEN", "")
    options.password = os.environ.get("MT5_PASSWORD", "")
    if bool(options.certificate) != bool(options.key):
        parser.error("--certificate and --key go together")
    if options.no_token and options.address not in ("127.0.0.1", "::1", "localhost"):
        parser.error("--no-token is for a loopback address")
    if not options.no_token and len(options.token) < 16:
        parser.error("MT5_BRIDGE_TOKEN must hold at least 16 characters (or give --no-token)")
    if options.password and not options.login:
        parser.error("MT5_PASSWORD needs --login")
    return options


def main(words=None):
    options = read_options(words)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        import MetaTrader5
    except ImportError as error:
        sys.exit("mt5_bridge: the MetaTrader5 package is missing (pip install MetaTrader5): %s" % error)
    server = Server((options.address, options.port), Handler)
    server.token = "" if options.no_token else options.token
    server.max_days = options.max_days
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
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
