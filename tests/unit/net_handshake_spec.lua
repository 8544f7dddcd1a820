local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("net", { "net/handshake.h" })

describe("the WebSocket handshake", function()
  local head, handshake

  before_each(function()
    head = C.tg_http_head_new(8192, 1024)
    handshake = ffi.new("struct tg_handshake")
  end)

  after_each(function()
    C.tg_handshake_fini(handshake)
    C.tg_http_head_free(head)
  end)

  local GOOD = {
    Host = "a", Upgrade = "websocket", Connection = "Upgrade",
    ["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ==", ["Sec-WebSocket-Version"] = "13",
  }

  local function read(changes, line, body)
    local text = { (line or "GET /chat HTTP/1.1") .. "\r\n" }
    local names = {}
    for name, value in pairs(GOOD) do
      names[name] = value
    end
    for name, value in pairs(changes or {}) do
      names[name] = value
    end
    for name, value in pairs(names) do
      for _, one in ipairs(type(value) == "table" and value or { value }) do
        if one then text[#text + 1] = name .. ": " .. one .. "\r\n" end
      end
    end
    text = table.concat(text) .. "\r\n" .. (body or "")
    C.tg_http_head_reset(head)
    local used = ffi.new("size_t[1]")
    assert.equal(0, C.tg_http_head_feed(head, text, #text, used))
    assert.equal(0, C.tg_handshake_read(handshake, head))
    return handshake.status
  end

  local function token()
    return handshake.token.data ~= nil and ffi.string(handshake.token.data, handshake.token.len) or nil
  end

  it("is valid as in RFC 6455 §1.2", function()
    assert.equal(0, read())
    assert.is_true(handshake.asked)
    assert.is_true(handshake.key ~= nil and handshake.fault == nil)
  end)

  it("computes the accept value of RFC 6455 §1.3", function()
    local out = ffi.new("char[29]")
    C.tg_handshake_accept("dGhlIHNhbXBsZSBub25jZQ==", out)
    assert.equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ffi.string(out))
  end)

  it("finds its tokens in lists and in any case (§4.2.1, 3 and 4)", function()
    assert.equal(0, read({ Upgrade = "h2c, WebSocket", Connection = "keep-alive, UPGRADE" }))
    assert.equal(0, read({ Connection = { "keep-alive", "upgrade" } }))
  end)

  it("without an Upgrade to websocket is none, and deserves 426", function()
    for _, upgrade in ipairs({ false, "h2c", "websockets", "web socket" }) do
      assert.equal(426, read({ Upgrade = upgrade }))
      assert.is_false(handshake.asked)
      assert.is_true(handshake.key == nil)
    end
  end)

  it("needs Connection to name it (§4.2.1, 4)", function()
    assert.equal(400, read({ Connection = "keep-alive" }))
    assert.is_true(handshake.asked)
    assert.equal(400, read({ Connection = false }))
  end)

  it("needs a GET over HTTP/1.1 (§4.2.1, 1)", function()
    assert.equal(400, read({}, "POST /chat HTTP/1.1"))
    assert.equal(400, read({}, "HEAD /chat HTTP/1.1"))
    assert.equal(400, read({}, "GET /chat HTTP/1.0"))
  end)

  it("needs one key of 16 bytes (§4.2.1, 5)", function()
    for _, key in ipairs({
      false, "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ===",
      "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZSBsb25nZXI=",
    }) do
      assert.equal(400, read({ ["Sec-WebSocket-Key"] = key }), tostring(key))
    end
    assert.equal(400, read({ ["Sec-WebSocket-Key"] = { GOOD["Sec-WebSocket-Key"], GOOD["Sec-WebSocket-Key"] } }))
  end)

  it("needs version 13, else 426 (§4.4)", function()
    for _, version in ipairs({ false, "8", "013", "13, 8", "" }) do
      assert.equal(426, read({ ["Sec-WebSocket-Version"] = version }), tostring(version))
      assert.is_true(handshake.asked)
    end
  end)

  it("has no body", function()
    assert.equal(400, read({ ["Content-Length"] = "2" }, nil, "hi"))
  end)

  it("reads the offered subprotocol and the token beside it", function()
    assert.equal(0, read({ ["Sec-WebSocket-Protocol"] = "tidegate.v1, bearer.aaa.bbb.ccc" }))
    assert.is_true(handshake.offers_tidegate)
    assert.equal("aaa.bbb.ccc", token())
    assert.equal(0, read({ ["Sec-WebSocket-Protocol"] = { "bearer.x", "other", "tidegate.v1" } }))
    assert.is_true(handshake.offers_tidegate)
    assert.equal("x", token())
  end)

  it("takes names of subprotocols exactly, and the first token", function()
    read({ ["Sec-WebSocket-Protocol"] = "Tidegate.v1, tidegate.v10, bearer., BEARER.x" })
    assert.is_false(handshake.offers_tidegate)
    assert.is_nil(token())
    read({ ["Sec-WebSocket-Protocol"] = "bearer.one, bearer.two" })
    assert.equal("one", token())
  end)

  it("forgets what the request before it had", function()
    read({ ["Sec-WebSocket-Protocol"] = "tidegate.v1, bearer.one" })
    read({ Upgrade = false })
    assert.is_nil(token())
    assert.is_false(handshake.offers_tidegate)
  end)

  local function answer(extensions)
    local out = ffi.new("struct tg_buf")
    C.tg_handshake_answer(out, handshake, extensions)
    local text = ffi.string(out.data, out.len)
    C.tg_buf_fini(out)
    return text
  end

  it("is answered with 101 and the accept value (§4.2.2)", function()
    read()
    assert.equal(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
      answer()
    )
  end)

  it("confirms tidegate.v1 only when offered and never shows a token", function()
    read({ ["Sec-WebSocket-Protocol"] = "bearer.secret, tidegate.v1" })
    local text = answer()
    assert.is_truthy(text:find("\r\nSec-WebSocket-Protocol: tidegate.v1\r\n", 1, true))
    assert.is_nil(text:find("secret", 1, true))
    read({ ["Sec-WebSocket-Protocol"] = "chat" })
    assert.is_nil(answer():find("Sec-WebSocket-Protocol", 1, true))
  end)

  it("says what extensions were agreed", function()
    read()
    assert.is_truthy(answer("permessage-deflate"):find("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", 1, true))
  end)
end)
