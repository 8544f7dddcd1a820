#!/usr/bin/env python3
"""A client of the MetaTrader 5 Web API, in Python and with nothing but its standard library, so that the
test server is not judged by code of its own kind alone. AES is written out below for the same reason.

    webapi_client.py PORT TRANSPORT LOGIN PASSWORD   TRANSPORT: rest, rest-post, rest-old, rests, raw, raw-aes

It authenticates (both sides prove themselves), then reads one JSON list a line, [COMMAND, {NAME: VALUE, …}, BODY],
and writes one JSON object a line: {"retcode", "text", "fields", "answer"}; the first line is about the authentication.
Commands beginning with "!" are its own: !ping, !pipe-ping, !send HEX, !reconnect. An error ends it with {"error"}.
"""
import hashlib
import http.client
import json
import os
import socket
import ssl
import sys
import urllib.parse

# ---------------------------------------------------------------------------------------------------
# AES-256, encryption alone (FIPS 197).


def _xtime(a):
    return ((a << 1) ^ 0x1B) & 0xFF if a & 0x80 else a << 1


def _sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ _xtime(p)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        x = q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^ (q << 4 | q >> 4)
        box[p] = (x ^ 0x63) & 0xFF
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = _sbox()


class Aes256:
    def __init__(self, key):
        words, rcon = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
        for i in range(8, 60):
            word = list(words[i - 1])
            if i % 8 == 0:
                word = [SBOX[b] for b in word[1:] + word[:1]]
                word[0] ^= rcon
                rcon = _xtime(rcon)
            elif i % 8 == 4:
                word = [SBOX[b] for b in word]
            words.append([a ^ b for a, b in zip(word, words[i - 8])])
        self.keys = [sum(words[i:i + 4], []) for i in range(0, 60, 4)]

    def block(self, data):
        state = [a ^ b for a, b in zip(data, self.keys[0])]
        for number in range(1, 15):
            state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if number < 14:
                mixed = []
                for c in range(0, 16, 4):
                    col = state[c:c + 4]
                    every = col[0] ^ col[1] ^ col[2] ^ col[3]
                    mixed += [col[i] ^ every ^ _xtime(col[i] ^ col[(i + 1) % 4]) for i in range(4)]
                state = mixed
            state = [a ^ b for a, b in zip(state, self.keys[number])]
        return bytes(state)


class Direction:
    """The keystream of one direction: begun at a block's edge for every packet."""

    def __init__(self, key, register):
        self.aes, self.register = Aes256(key), register

    def apply(self, body):
        stream = b""
        while len(stream) < len(body):
            self.register = self.aes.block(self.register)
            stream += self.register
        return bytes(a ^ b for a, b in zip(body, stream))


# ---------------------------------------------------------------------------------------------------
# The proofs.


def md5(*parts):
    return hashlib.md5(b"".join(parts)).digest()


def password_hash(password):
    return md5(md5(password.encode("utf-16-le")), b"WebAPI")


def directions(hash_, crypt_rand):
    steps, out = [], hash_
    for i in range(0, 256, 16):
        out = md5(crypt_rand[i:i + 16], out)
        steps.append(out)
    key = steps[0] + steps[1]
    return Direction(key, steps[2]), Direction(key, steps[3])


class Failure(Exception):
    pass


def escape(value):
    for char in "\\=|":
        value = value.replace(char, "\\" + char)
    return value.replace("\n", "\\\n")


def split_retcode(text):
    number, _, words = text.partition(" ")
    return int(number), words


# ---------------------------------------------------------------------------------------------------
# REST.


class Rest:
    def __init__(self, port, tls, post, old):
        self.post, self.old, self.cookie = post, old, None
        if tls:
            context = ssl.create_default_context(cafile=os.environ.get("WEBAPI_CA"))
            context.check_hostname = False
            self.http = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        else:
            self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def command(self, name, params, body=None):
        path = "/" + name.lower() if self.old else "/api/" + self.path_of(name)
        query = "&".join(f"{k.lower()}={urllib.parse.quote(escape(str(v)))}" for k, v in params.items())
        headers = {"Connection": "keep-alive", "Content-Type": "application/x-www-form-urlencoded"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        method = "POST" if self.post or body else "GET"
        self.http.request(method, path + ("?" + query if query else ""), body or ("" if self.post else None), headers)
        response = self.http.getresponse()
        text = response.read()
        if response.getheader("Set-Cookie"):
            self.cookie = response.getheader("Set-Cookie").split(";")[0]
        try:
            document = json.loads(text.decode("utf-8"))
            retcode, words = split_retcode(document["retcode"])
        except (ValueError, KeyError, TypeError) as fault:
            raise Failure(f"HTTP {response.status}: not the answer of a Web API: {text[:80]!r}") from fault
        fields = {k: v for k, v in document.items() if k not in ("retcode", "answer")}
        return {"retcode": retcode, "text": words, "status": response.status, "fields": fields,
                "answer": document.get("answer")}

    @staticmethod
    def path_of(name):
        words = name.lower().split("_")
        if words[:2] == ["user", "account"]:
            return "user/account/" + "_".join(words[2:])
        return words[0] + "/" + "_".join(words[1:]) if len(words) > 1 else words[0]

    def own(self, _name, _argument):
        raise Failure("REST has no commands of its own")


# ---------------------------------------------------------------------------------------------------
# The raw protocol.


class Raw:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.serial, self.out, self.into, self.begun, self.pings = 0, None, None, False, 0

    def packet(self, body, serial, more=0):
        if self.out and body:
            body = self.out.apply(body)
        head = f"{len(body):04x}{serial:04x}{more}".encode("ascii")
        if not self.begun:
            head, self.begun = b"MT5WEBAPI" + head, True
        self.socket.sendall(head + body)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise Failure("the server closed the connection")
            data += more
        return data

    def read(self):
        """One message that answers the newest command; pings are dropped."""
        message = b""
        while True:
            head = self.exactly(9).decode("ascii")
            size, serial, more = int(head[:4], 16), int(head[4:8], 16), int(head[8], 16)
            body = self.exactly(size)
            if self.into and body:
                body = self.into.apply(body)
            if size == 0:
                if serial < 0x4000:
                    raise Failure(f"a server's ping with the serial {serial:04x}")
                self.pings += 1
                continue
            if serial != self.serial:
                raise Failure(f"an answer to {serial:04x} where {self.serial:04x} was asked")
            message += body
            if not more & 1:
                return message.decode("utf-16-le")

    def command(self, name, params, body=None):
        self.serial = 1 if self.serial == 0x3FFF else self.serial + 1
        line = name + "|" + "".join(f"{k.upper()}={escape(str(v))}|" for k, v in params.items())
        self.packet((line + "\r\n" + (body or "")).encode("utf-16-le"), self.serial)
        head, _, text = self.read().partition("\r\n")
        parts = head.split("|")
        if parts[0] != name:
            raise Failure(f"an answer to {parts[0]} where {name} was asked")
        if parts[-1] != "":
            raise Failure(f"a field without its '|': {head!r}")
        fields = dict(part.split("=", 1) for part in parts[1:-1])
        retcode, words = split_retcode(fields.pop("RETCODE"))
        return {"retcode": retcode, "text": words, "fields": {k.lower(): v for k, v in fields.items()},
                "answer": json.loads(text) if text.strip() else None, "pings": self.pings}

    def own(self, name, argument):
        if name == "!ping":
            self.packet(b"", 0)
        elif name == "!pipe-ping":
            self.packet("|\r\n".encode("utf-16-le"), self.serial)
        elif name == "!send":
            self.socket.sendall(bytes.fromhex(argument))
        else:
            raise Failure("no such command: " + name)


def authenticate(client, login, password, crypt):
    hash_, cli_rand = password_hash(password), os.urandom(16)
    start = {"VERSION": "3470", "AGENT": "tidegate-test", "LOGIN": login, "TYPE": "MANAGER"}
    if isinstance(client, Raw):
        start["CRYPT_METHOD"] = "AES256OFB" if crypt else "NONE"
    else:
        start["TYPE"] = "manager"
    first = client.command("AUTH_START", start)
    if first["retcode"]:
        return first
    proof = md5(hash_, bytes.fromhex(first["fields"]["srv_rand"])).hex()
    second = client.command("AUTH_ANSWER", {"SRV_RAND_ANSWER": proof, "CLI_RAND": cli_rand.hex()})
    if second["retcode"]:
        return second
    if second["fields"]["cli_rand_answer"] != md5(hash_, cli_rand).hex():
        raise Failure("the server did not prove itself")
    if crypt:
        client.out, client.into = directions(hash_, bytes.fromhex(second["fields"]["crypt_rand"]))
    return second


def main():
    port, transport, login, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    if transport.startswith("raw"):
        client = Raw(port)
    else:
        client = Rest(port, transport == "rests", transport == "rest-post", transport == "rest-old")

    def say(what):
        print(json.dumps(what, ensure_ascii=True), flush=True)

    try:
        answer = authenticate(client, login, password, transport == "raw-aes")
        say(answer)
        for line in sys.stdin:
            name, *rest = json.loads(line)
            if name.startswith("!"):
                client.own(name, rest[0] if rest else "")
                continue
            say(client.command(name, rest[0] if rest else {}, rest[1] if len(rest) > 1 else None))
    except (Failure, OSError, http.client.HTTPException, UnicodeDecodeError, ValueError) as fault:
        say({"error": f"{type(fault).__name__}: {fault}"})


if __name__ == "__main__":
    main()
