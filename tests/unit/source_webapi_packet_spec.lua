local ffi = require("ffi")
local cdef = require("support.cdef")
local bytes = require("support.webapi_bytes")
local C = cdef.library("source", { "source/webapi_packet.h", "source/webapi_text.h" })
local hex, unhex, wide, packet = bytes.hex, bytes.unhex, bytes.wide, bytes.packet

local crypt_rand = bytes.every

describe("raw Web API packets", function()
  local packets, out

  before_each(function()
    packets, out = ffi.new("struct tg_webapi_packets"), ffi.new("struct tg_buf")
  end)

  after_each(function()
    C.tg_webapi_packets_fini(packets)
    C.tg_buf_fini(out)
  end)

  local function command(text)
    C.tg_buf_clear(out)
    assert.equal(0, C.tg_webapi_packets_command(packets, out, text, #text))
    return ffi.string(out.data, out.len)
  end

  local function crypt()
    local hash = ffi.new("struct tg_webapi_hash")
    assert.equal(0, C.tg_webapi_hash(hash, "Password1"))
    assert.equal(0, C.tg_webapi_packets_crypt(packets, hash, crypt_rand))
  end

  -- Feeds bytes in steps of `step`; gives the pieces, and -7 when it is no packet.
  local function take(text, step)
    local pieces, used, piece = {}, ffi.new("size_t[1]"), ffi.new("struct tg_webapi_piece")
    for at = 1, #text, step or #text do
      local chunk = text:sub(at, at + (step or #text) - 1)
      repeat
        local rc = C.tg_webapi_packets_take(packets, chunk, #chunk, used, piece)
        if rc < 0 then return rc end
        if rc == 1 then pieces[#pieces + 1] = { text = ffi.string(piece.text, piece.len), last = piece.last } end
        chunk = chunk:sub(tonumber(used[0]) + 1)
      until chunk == ""
    end
    return pieces
  end

  it("begin with the prefix, once on a connection", function()
    local text = wide("AUTH_START|VERSION=484|AGENT=test|LOGIN=14|TYPE=MANAGER|CRYPT_METHOD=AES256OFB|\r\n")
    assert.equal("MT5WEBAPI00a200010" .. text, command(text))
    assert.equal("000800020" .. wide("TEST"), command(wide("TEST")))
    packets.serial = 0
    assert.equal("000800010" .. wide("TEST"), command(wide("TEST")))
  end)

  it("count serials up to 3FFF and from 1 again", function()
    packets.serial, packets.greeted = 0x3ffe, true
    assert.equal("00023fff0", command(wide("A")):sub(1, 9))
    assert.equal("000200010", command(wide("A")):sub(1, 9))
  end)

  it("part a long command", function()
    packets.greeted = true
    local sent = command(("ab"):rep(70000))
    assert.equal("fffe00011", sent:sub(1, 9))
    assert.equal("fffe00011", sent:sub(65544, 65552))
    local rest = 140000 - 2 * 65534
    assert.equal(("%04x00010"):format(rest), sent:sub(-rest - 9, -rest - 1))
    assert.equal(140000 + 27, #sent)
  end)

  it("keep a connection alive with an empty one", function()
    command(wide("TEST"))
    C.tg_buf_clear(out)
    C.tg_webapi_packets_ping(packets, out)
    assert.equal("000000010", ffi.string(out.data, out.len))
  end)

  it("match the facts' vectors when encrypted", function()
    packets.greeted = true
    crypt()
    local text = wide("TEST_ACCESS|\r\n")
    assert.equal("1ef54afe0b0c7554a300657b6d86e9b61c4da24cb70af1463cb77366", hex(command(text):sub(10)))
    assert.equal("2ed70dbf1f510e4cfda085275ee5803be33bbc047a6d6a5df641f282", hex(command(text):sub(10)))
    local sent = "283bcc363fe3ac0a3fbca3cf15ecf229ea4867f2645061821087cdde14ec62333af27d4038cb83c38114d40e6afda0603339b8bdb761d3626a75"
    assert.same({ { text = wide("TEST_ACCESS|RETCODE=0 Done|\r\n"), last = true } }, take(packet(unhex(sent), 2)))
  end)

  it("are read however they are cut", function()
    local text = packet("abc", 1, true) .. packet("defg", 1, false)
    local wanted = { { text = "abc", last = false }, { text = "defg", last = true } }
    for step = 1, #text do
      packets.serial = 1
      assert.same(wanted, take(text, step))
    end
  end)

  it("let the server's pings pass anywhere, even between two of one answer", function()
    packets.serial = 7
    local ping, other = "000042680", packet(wide("|\r\n"), 0x8001)
    local text = ping .. packet("ab", 7, true) .. ping .. other .. ping .. packet("cd", 7, true) .. ping .. packet("", 7) .. ping
    local wanted = { { text = "ab", last = false }, { text = "cd", last = false }, { text = "", last = true } }
    for step = 1, #text do
      assert.same(wanted, take(text, step))
    end
  end)

  it("drop answers to earlier commands, and keep the keystream in step with them", function()
    packets.greeted, packets.serial = true, 4
    crypt()
    local sent = "283bcc363fe3ac0a3fbca3cf15ecf229ea4867f2645061821087cdde14ec62333af27d4038cb83c38114d40e6afda0603339b8bdb761d3626a75"
    assert.same({}, take(packet(unhex(sent), 3)))
    local other = ffi.new("struct tg_webapi_packets", { serial = 3 })
    local hash = ffi.new("struct tg_webapi_hash")
    C.tg_webapi_hash(hash, "Password1")
    C.tg_webapi_packets_crypt(other, hash, crypt_rand)
    -- The server's side of the second packet: its stream after the first one.
    local body = ffi.new("unsigned char[?]", 59, unhex(sent)) -- a text brings a zero byte
    C.tg_webapi_stream_pass(other["in"], body, 58)
    local second = ffi.new("unsigned char[?]", 9, wide("TEST"))
    C.tg_webapi_stream_pass(other["in"], second, 8)
    assert.same({ { text = wide("TEST"), last = true } }, take(packet(ffi.string(second, 8), 4)))
    C.tg_webapi_packets_fini(other)
  end)

  it("take hex in either case and the longest body", function()
    packets.serial = 0xab
    assert.same({ { text = ("x"):rep(0xffff), last = true } }, take("FFFF00AB0" .. ("x"):rep(0xffff)))
  end)

  it("refuse what has no header", function()
    for _, bad in ipairs({ "HTTP/1.1 ", "00080001x", "000g00010", "MT5WEBAPI", "\0\0\0\0\0\0\0\0\0" }) do
      C.tg_webapi_packets_fini(packets)
      assert.equal(-7, take(bad), bad)
      C.tg_webapi_packets_fini(packets)
      assert.equal(-7, take(bad, 1), bad)
    end
  end)
end)

describe("raw Web API text", function()
  local function decode(text, step)
    local state, out = ffi.new("struct tg_webapi_utf16"), ffi.new("struct tg_buf")
    for at = 1, #text, step do
      local piece = text:sub(at, at + step - 1)
      assert.equal(0, C.tg_webapi_from_utf16(state, out, piece, #piece))
    end
    local got = ffi.string(out.data, out.len)
    C.tg_buf_fini(out)
    return got
  end

  local function encode(text)
    local out = ffi.new("struct tg_buf")
    local rc = C.tg_webapi_to_utf16(out, text, #text)
    local got = rc == 0 and ffi.string(out.data, out.len) or rc
    C.tg_buf_fini(out)
    return got
  end

  it("is UTF-16LE, cut anywhere", function()
    local text = ("plain ASCII, longer than a vector of it. "):rep(3) .. "Zażółć gęślą jaźń — 日本語 𝄞 und zurück" .. ("x"):rep(40)
    local sent = encode(text)
    for step = 1, 67 do
      assert.equal(text, decode(sent, step), step)
    end
  end)

  it("is the same wherever something else than ASCII stands in a long run of it", function()
    for _, other in ipairs({ "é", "日", "𝄞", "\127", "\194\128" }) do
      for before = 0, 70 do
        local text = ("a"):rep(before) .. other .. ("b"):rep(70 - before)
        local sent = encode(text)
        for _, step in ipairs({ 1, 63, 64, 65, 127, #sent }) do
          assert.equal(text, decode(sent, step))
        end
      end
    end
  end)

  it("keeps a half unit and a half pair from piece to piece", function()
    local text = ("x"):rep(40) .. "𝄞" .. ("y"):rep(40)
    local sent = encode(text)
    for first = 0, #sent do
      for second = first, math.min(first + 5, #sent) do
        local state, out = ffi.new("struct tg_webapi_utf16"), ffi.new("struct tg_buf")
        for _, piece in ipairs({ sent:sub(1, first), sent:sub(first + 1, second), "", sent:sub(second + 1) }) do
          assert.equal(0, C.tg_webapi_from_utf16(state, out, piece, #piece))
        end
        assert.equal(text, ffi.string(out.data, out.len))
        assert.is_false(state.half)
        assert.equal(0, state.high)
        C.tg_buf_fini(out)
      end
    end
  end)

  it("says where it was broken", function()
    local bad = "\239\191\189"
    assert.equal("a" .. bad .. "b", decode("a\0\0\220b\0", 1)) -- a lone second half
    assert.equal("a" .. bad .. "b", decode("a\0\0\216b\0", 1)) -- a lone first half
    assert.equal(bad .. "\240\144\128\128", decode("\0\216\0\216\0\220", 1))
  end)

  it("is not made from what is no UTF-8", function()
    assert.equal(-1, encode("\xff"))
  end)

  it("lists logins", function()
    local out = ffi.new("struct tg_buf")
    C.tg_webapi_put_logins(out, ffi.new("uint64_t[4]", { 0, 5000001, 10, 18446744073709551615ULL }), 4)
    assert.equal("0,5000001,10,18446744073709551615", ffi.string(out.data, out.len))
    C.tg_webapi_put_logins(out, nil, 0)
    assert.equal(33, tonumber(out.len))
    C.tg_buf_fini(out)
  end)

  it("escapes what would end a value", function()
    local out = ffi.new("struct tg_buf")
    C.tg_webapi_escape(out, "real\\a=b|c\nd")
    assert.equal("real\\\\a\\=b\\|c\\\nd", ffi.string(out.data, out.len))
    C.tg_buf_fini(out)
  end)

  local function fields(head)
    local f = ffi.new("struct tg_webapi_fields")
    C.tg_webapi_fields_read(f, head, #head)
    local got = {}
    for i = 0, f.count - 1 do
      got[ffi.string(f.text.data + f.names[i])] = ffi.string(f.text.data + f.values[i])
    end
    C.tg_webapi_fields_fini(f)
    return got
  end

  it("carries fields behind the command", function()
    assert.same({ [""] = "AUTH_START", RETCODE = "0 Done", VERSION_ACCESS = "3320", SRV_RAND = "ab" },
      fields("AUTH_START|RETCODE=0 Done|VERSION_ACCESS=3320|SRV_RAND=ab|"))
    assert.same({ [""] = "X", NAME = "a=b|c\\d", EMPTY = "" }, fields("X|name=a\\=b\\|c\\\\d|Empty=|"))
    assert.same({ [""] = "X", PATH = "real\\forex" }, fields("X|PATH=real\\forex|"))
  end)

  it("may end without a bar, as in an example of the documentation", function()
    assert.same({ [""] = "TIME_SERVER", RETCODE = "0 Done", TIME = "1572518788" }, fields("TIME_SERVER|RETCODE=0 Done|TIME=1572518788"))
    assert.same({ [""] = "TEST" }, fields("TEST"))
    assert.same({ [""] = "" }, fields("|"))
    assert.same({}, fields(""))
  end)

  it("leaves out fields beyond its bound", function()
    local many = {}
    for i = 1, 100 do
      many[i] = "N" .. i .. "=" .. i .. "|"
    end
    local got = fields("X|" .. table.concat(many))
    assert.equal("23", got.N23)
    assert.is_nil(got.N24)
  end)
end)
