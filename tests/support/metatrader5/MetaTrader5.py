"""A stand-in for the MetaTrader5 package: its documented functions, types and quirks, with the state of
a JSON file (MT5_STANDIN) that is read again at every call.

The file: { terminal: {connected: …}, account: {…}, positions: [{…}], orders, deals, history_orders,
symbols: { EURUSD: {digits, time_msc} }, fail: { function: [code, "message"] }, hang: { function: s },
raise: [function], calls: "path" }. A call of initialize is noted with the names of what it was given. A key with `live` as its time_msc ticks with the clock.
"""

import collections
import json
import os
import time

ACCOUNT = ("login trade_mode leverage limit_orders margin_so_mode trade_allowed trade_expert margin_mode "
           "currency_digits fifo_close balance credit profit equity margin margin_free margin_level margin_so_call "
           "margin_so_so margin_initial margin_maintenance assets liabilities commission_blocked name server currency "
           "company")
POSITION = ("ticket time time_msc time_update time_update_msc type magic identifier reason volume price_open sl tp "
            "price_current swap profit symbol comment external_id")
ORDER = ("ticket time_setup time_setup_msc time_done time_done_msc time_expiration type type_time type_filling state "
         "magic position_id position_by_id reason volume_initial volume_current price_open sl tp price_current "
         "price_stoplimit symbol comment external_id")
DEAL = ("ticket order time time_msc type entry magic position_id reason volume price commission swap profit fee symbol "
        "comment external_id")
TEXTS = {"name", "server", "currency", "company", "symbol", "comment", "external_id"}
FLAGS = {"trade_allowed", "trade_expert", "fifo_close"}
REALS = {"balance", "credit", "profit", "equity", "margin", "margin_free", "margin_level", "volume", "price", "price_open",
         "price_current", "sl", "tp", "swap", "commission", "fee", "volume_initial", "volume_current", "price_stoplimit",
         "margin_so_call", "margin_so_so", "margin_initial", "margin_maintenance", "assets", "liabilities",
         "commission_blocked"}

_error = (1, "Success")
_open = False


def _type(name, fields):
    return collections.namedtuple(name, fields.split())


AccountInfo, TradePosition = _type("AccountInfo", ACCOUNT), _type("TradePosition", POSITION)
TradeOrder, TradeDeal = _type("TradeOrder", ORDER), _type("TradeDeal", DEAL)
TerminalInfo = _type("TerminalInfo", "connected trade_allowed build name")
SymbolInfo, Tick = _type("SymbolInfo", "name digits"), _type("Tick", "time bid ask time_msc")


def _row(kind, values):
    def value(field):
        if field in TEXTS:
            return str(values.get(field, ""))
        if field in FLAGS:
            return bool(values.get(field, False))
        if field in REALS:
            return float(values.get(field, 0))
        return int(values.get(field, 0))
    unknown = set(values) - set(kind._fields)
    if unknown:
        raise KeyError("the package has no %s" % ", ".join(sorted(unknown)))
    return kind(*(value(field) for field in kind._fields))


def _state(function, words=()):
    """The file's state, after what it says is to happen in this function; None: it fails."""
    global _error
    with open(os.environ["MT5_STANDIN"], encoding="utf-8") as file:
        state = json.load(file)
    if state.get("calls"):
        with open(state["calls"], "a", encoding="utf-8") as file:
            file.write(" ".join([function, *sorted(words)]) + "\n")
    time.sleep(state.get("hang", {}).get(function, 0))
    if function in state.get("raise", []):
        raise RuntimeError("the pipe broke")
    if function in state.get("fail", {}):
        _error = tuple(state["fail"][function])
        return None
    if not _open and function not in ("initialize", "shutdown"):
        _error = (-10004, "No IPC connection")
        return None
    _error = (1, "Success")
    return state


def initialize(*path, **words):
    global _open
    unknown = set(words) - {"path", "login", "password", "server", "timeout", "portable"}
    if unknown or len(path) > 1:
        raise TypeError("initialize() got what it does not take: %s" % unknown)
    state = _state("initialize", words)
    _open = state is not None
    return _open


def shutdown():
    global _open
    _open = False


def last_error():
    return _error


def terminal_info():
    state = _state("terminal_info")
    return state and TerminalInfo(state.get("terminal", {}).get("connected", True), True, 4000, "MetaTrader 5")


def account_info():
    state = _state("account_info")
    return state and _row(AccountInfo, state["account"])


def _rows(function, part, kind):
    state = _state(function)
    return None if state is None else tuple(_row(kind, values) for values in state.get(part, []))


def positions_get():
    return _rows("positions_get", "positions", TradePosition)


def orders_get():
    return _rows("orders_get", "orders", TradeOrder)


def _between(rows, field, since, until):
    if not isinstance(since, int) or not isinstance(until, int):
        raise TypeError("a naive datetime would be taken for this host's zone")
    return None if rows is None else tuple(row for row in rows if since <= getattr(row, field) <= until)


def history_deals_get(since, until):
    return _between(_rows("history_deals_get", "deals", TradeDeal), "time", since, until)


def history_orders_get(since, until):
    return _between(_rows("history_orders_get", "history_orders", TradeOrder), "time_done", since, until)


def symbol_info(name):
    state = _state("symbol_info")
    found = state and state.get("symbols", {}).get(name)
    return found and SymbolInfo(name, found["digits"])


def symbol_info_tick(name):
    state = _state("symbol_info_tick")
    found = state and state.get("symbols", {}).get(name)
    if not found:
        return None
    shift = found.get("offset_s")
    at = int((time.time() + shift) * 1000) if shift is not None else found.get("time_msc", 0)
    return Tick(at // 1000, 1.1, 1.2, at)


def order_send(*_):
    raise AssertionError("a bridge that trades")
