local ffi = require("ffi")
local cdef = require("support.cdef")
local bytes = require("support.webapi_bytes")
local C = cdef.library("source", { "source/webapi_crypt.h" })
local hex, unhex, wide = bytes.hex, bytes.unhex, bytes.wide

describe("the Web API's password", function()
  local function hash(password)
    local out = ffi.new("struct tg_webapi_hash")
    local rc = C.tg_webapi_hash(out, password)
    return rc == 0 and out or rc
  end

  local function proof(password, challenge)
    local out = ffi.new("char[33]")
    local rc = C.tg_webapi_proof(out, hash(password), challenge)
    return rc == 0 and ffi.string(out) or rc
  end

  it("is hashed twice, over UTF-16 and over raw bytes", function()
    assert.equal("904ba8ecb16273d2f0ae9c3b8a023752", hex(ffi.string(hash("Password1").bytes, 16)))
  end)

  it("answers the server's challenge", function()
    assert.equal("77fe51827f7fa69dd80fbec9aa33f1bb", proof("Password1", "73007dc7184747ce0f7c98516ef1c851"))
    assert.equal("1732021b1b332f51660b2b315eed3a35", proof("Password1", "4db98fec17aab4dc5a240bdc659e8395"))
    assert.equal(bytes.second.proof, proof(bytes.second.password, bytes.second.challenge))
  end)

  it("reads the challenge's hex in either case and answers in lower case", function()
    assert.equal("77fe51827f7fa69dd80fbec9aa33f1bb", proof("Password1", "73007DC7184747CE0F7C98516EF1C851"))
  end)

  it("refuses what is no challenge", function()
    for _, bad in ipairs({ "", "73007dc7", ("g"):rep(32), ("0"):rep(31), ("0"):rep(33), ("0"):rep(64) }) do
      assert.equal(-1, proof("Password1", bad), bad)
    end
  end)

  it("refuses a password that is not UTF-8", function()
    assert.equal(-1, hash("caf\xe9"))
    assert.equal("cdata", type(hash("café €𝄞")))
    assert.equal("cdata", type(hash("")))
  end)

  it("believes the server's proof only when it is exact", function()
    local mine, challenge = hash("Password1"), "4db98fec17aab4dc5a240bdc659e8395"
    assert.is_true(C.tg_webapi_proves(mine, challenge, "1732021b1b332f51660b2b315eed3a35"))
    assert.is_true(C.tg_webapi_proves(mine, challenge, "1732021B1B332F51660B2B315EED3A35"))
    for _, bad in ipairs({ "1732021b1b332f51660b2b315eed3a36", "", "1732021b", ("0"):rep(32), ("x"):rep(32) }) do
      assert.is_false(C.tg_webapi_proves(mine, challenge, bad), bad)
    end
    assert.is_false(C.tg_webapi_proves(hash("Password2"), challenge, "1732021b1b332f51660b2b315eed3a35"))
  end)

  it("challenges with 32 digits that differ each time", function()
    local a, b = ffi.new("char[33]"), ffi.new("char[33]")
    C.tg_webapi_challenge(a)
    C.tg_webapi_challenge(b)
    assert.truthy(ffi.string(a):match("^[0-9a-f]+$"))
    assert.equal(32, #ffi.string(a))
    assert.not_equal(ffi.string(a), ffi.string(b))
  end)
end)

describe("the Web API's keystream", function()
  local crypt_rand = bytes.every
  local blocks, streams

  local function new_stream(register)
    local stream = ffi.new("struct tg_webapi_stream")
    assert.equal(0, C.tg_webapi_stream_init(stream, blocks[0], blocks[register]))
    streams[#streams + 1] = stream
    return stream
  end

  local function pass(stream, text)
    local copy = ffi.new("unsigned char[?]", #text + 1, text)
    assert.equal(0, C.tg_webapi_stream_pass(stream, copy, #text))
    return ffi.string(copy, #text)
  end

  local function derive(password, rand)
    local hash = ffi.new("struct tg_webapi_hash")
    assert.equal(0, C.tg_webapi_hash(hash, password))
    assert.equal(0, C.tg_webapi_blocks(blocks, hash, rand))
  end

  before_each(function()
    blocks, streams = ffi.new("unsigned char[16][16]"), {}
    derive("Password1", crypt_rand)
  end)

  after_each(function()
    for _, stream in ipairs(streams) do
      C.tg_webapi_stream_fini(stream)
    end
  end)

  it("takes its keys from a chain of digests", function()
    local wanted = {
      [0] = "b0ed3aa00c46c12260202166f8484536",
      [1] = "8f57767e6a2ca7a54c85776325f7677e",
      [2] = "1b6493c551ce24e2746982f0a15dc916",
      [3] = "57c68578ca6d4196107f83e6a8f4b48f",
      [15] = "70c65d37748166f082270af669327005",
    }
    for i, digest in pairs(wanted) do
      assert.equal(digest, hex(ffi.string(blocks[i], 16)), i)
    end
  end)

  it("refuses what is not 256 bytes of hex", function()
    local hash = ffi.new("struct tg_webapi_hash")
    for _, bad in ipairs({ "", crypt_rand:sub(3), crypt_rand .. "00", crypt_rand:sub(1, -2) .. "g" }) do
      assert.equal(-1, C.tg_webapi_blocks(blocks, hash, bad))
    end
  end)

  it("starts a fresh block with every packet of the client", function()
    local stream = new_stream(2)
    assert.equal("1ef54afe0b0c7554a300657b6d86e9b61c4da24cb70af1463cb77366", hex(pass(stream, wide("TEST_ACCESS|\r\n"))))
    assert.equal("2ed70dbf1f510e4cfda085275ee5803be33bbc047a6d6a5df641f282", hex(pass(stream, wide("TEST_ACCESS|\r\n"))))
  end)

  it("writes a session as MetaQuotes' own classes were seen to, and reads theirs", function()
    local ours, theirs = new_stream(2), new_stream(2)
    for _, seen in ipairs(bytes.seen) do
      assert.equal(seen[2], hex(pass(ours, wide(seen[1]))), seen[1])
      assert.equal(wide(seen[1]), pass(theirs, unhex(seen[2])), seen[1])
    end
  end)

  it("is another under another password, to a further published vector", function()
    derive(bytes.second.password, bytes.second.crypt_rand)
    local stream = new_stream(2)
    for _, cipher in ipairs(bytes.second.ciphers) do
      assert.equal(cipher, hex(pass(stream, wide(bytes.second.text))))
    end
  end)

  it("decrypts the server's packets", function()
    local sent = "283bcc363fe3ac0a3fbca3cf15ecf229ea4867f2645061821087cdde14ec62333af27d4038cb83c38114d40e6afda0603339b8bdb761d3626a75"
    assert.equal(wide("TEST_ACCESS|RETCODE=0 Done|\r\n"), pass(new_stream(3), unhex(sent)))
  end)

  it("spends nothing on an empty packet", function()
    local stream = new_stream(2)
    assert.equal("", pass(stream, ""))
    assert.equal("1ef54afe0b0c7554a300657b6d86e9b61c4da24cb70af1463cb77366", hex(pass(stream, wide("TEST_ACCESS|\r\n"))))
  end)

  it("passes packets of every length and reads back its own", function()
    local out, back = new_stream(2), new_stream(2)
    for _, len in ipairs({ 1, 15, 16, 17, 4095, 4096, 4097, 8192, 65534, 65535 }) do
      local text = ("abcdefghijklmnop~"):rep(4000):sub(1, len)
      local sealed = pass(out, text)
      assert.not_equal(text, sealed)
      assert.equal(text, pass(back, sealed), len)
    end
  end)

  it("leaves bytes as they are while it is off", function()
    assert.equal("clear", pass(ffi.new("struct tg_webapi_stream"), "clear"))
  end)
end)
