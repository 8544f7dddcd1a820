local ffi = require("ffi")
local gate = require("support.gate")
local jws = require("support.jws")

ffi.cdef([[
struct gate_timeval { long sec, usec; };
int utimes(const char *path, const struct gate_timeval times[2]);
int mkfifo(const char *path, unsigned int mode);
int mkdir(const char *path, unsigned int mode);
int rmdir(const char *path);
]])

describe("ownership by claim", function()
  local auth

  after_each(function()
    auth:close()
  end)

  local function owns(claims, account, path)
    if auth then auth:close() end
    auth = assert(gate.new({ claim = path or "accounts" }))
    return auth:owns("alice", claims, account)
  end

  it("is yes for an id, or an id of a list", function()
    assert.equal("OK", owns('{"accounts":"demo-1"}', "demo-1"))
    assert.equal("OK", owns('{"accounts":["demo-1","demo-2"]}', "demo-2"))
    assert.equal("OK", owns('{"accounts":["\\u0064emo-1"]}', "demo-1"))
  end)

  it("is no for anything else", function()
    for _, claims in ipairs({ "{}", '{"accounts":[]}', '{"accounts":null}', '{"accounts":""}', '{"accounts":true}', '{"accounts":{}}',
                              '{"accounts":{"demo-1":true}}', '{"accounts":{"demo-1":"demo-1"}}', '{"accounts":["demo-2"]}',
                              '{"accounts":["DEMO-1"]}', '{"accounts":["demo-1 "]}', '{"accounts":["demo-10","demo-"]}',
                              '{"accounts":["demo-1\\u0000"]}', '{"accounts":["demo-1,demo-2"]}', '{"accounts":[["demo-1"]]}',
                              '{"accounts":[{"id":"demo-1"}]}', '{"Accounts":["demo-1"]}', '{"x":{"accounts":["demo-1"]}}',
                              '{"accounts":["demo-*"]}', '{"accounts":["**"]}', '{"accounts":[["*"]]}', '{"accounts":{"*":"*"}}',
                              "[]", "null", "", "{", '["demo-1"]' }) do
      assert.equal("NOT_OWNER", owns(claims, "demo-1"), claims)
    end
  end)

  it("is yes for every account with a star alone", function()
    assert.equal("OK", owns('{"accounts":"*"}', "demo-1"))
    assert.equal("OK", owns('{"accounts":["x","*"]}', "demo-1"))
  end)

  it("takes numbers for the logins they spell", function()
    assert.equal("OK", owns('{"accounts":5012345}', "5012345"))
    assert.equal("OK", owns('{"accounts":[1,18446744073709551617]}', "18446744073709551617"))
    assert.equal("NOT_OWNER", owns('{"accounts":[5012345]}', "05012345"))
    assert.equal("NOT_OWNER", owns('{"accounts":[5012345.0]}', "5012345"))
    assert.equal("NOT_OWNER", owns('{"accounts":[5012345.0]}', "5012345.0"))
    assert.equal("NOT_OWNER", owns('{"accounts":[1e3]}', "1e3"))
    assert.equal("NOT_OWNER", owns('{"accounts":[-1]}', "-1"))
    assert.equal("NOT_OWNER", owns('{"accounts":[9007199254740993]}', "9007199254740992"))
  end)

  it("follows dots into objects", function()
    local claims = '{"app_metadata":{"mt5":{"ids":["demo-1"]},"flat":"demo-2"},"accounts":["demo-9"]}'
    assert.equal("OK", owns(claims, "demo-1", "app_metadata.mt5.ids"))
    assert.equal("OK", owns(claims, "demo-2", "app_metadata.flat"))
    assert.equal("NOT_OWNER", owns(claims, "demo-9", "app_metadata.accounts"))
    assert.equal("NOT_OWNER", owns(claims, "demo-1", "app_metadata.mt5"))
    assert.equal("NOT_OWNER", owns(claims, "demo-1", "app_metadata.mt5.ids.x"))
    assert.equal("NOT_OWNER", owns(claims, "demo-2", "app_metadata.flat.x"))
    assert.equal("NOT_OWNER", owns('{"a":["demo-1"]}', "demo-1", "a.0"))
  end)

  it("prefers a claim of the very name, dots and all", function()
    assert.equal("OK", owns('{"https://x.example/ids":["demo-1"]}', "demo-1", "https://x.example/ids"))
    assert.equal("NOT_OWNER", owns('{"a.b":["demo-2"],"a":{"b":["demo-1"]}}', "demo-1", "a.b"))
  end)

  it("is of the token that was verified", function()
    auth = gate.new({})
    local _, identity = auth:verify(jws.sign('{"alg":"HS256"}', ('{"sub":"a","exp":%d,"accounts":["demo-1"]}'):format(gate.now + 9),
                                             gate.secret))
    assert.equal("OK", auth:owns(identity.subject, identity.claims, "demo-1"))
    assert.equal("NOT_OWNER", auth:owns(identity.subject, identity.claims, "demo-2"))
    assert.equal(0, (auth:refresh()))
  end)
end)

describe("ownership by file", function()
  local auth, path, age

  -- Writes the file in place; its times tell that it has been at rest for a while, a bit less each time.
  local function write(text, to)
    to = to or path
    local file = assert(io.open(to, "wb"))
    file:write(text)
    file:close()
    age = age - 1
    local times = ffi.new("struct gate_timeval[2]", { { os.time() - age, 0 }, { os.time() - age, 0 } })
    assert.equal(0, ffi.C.utimes(to, times))
  end

  before_each(function()
    age = 1000
    path = os.tmpname()
    write('{"alice":["demo-1","demo-2"],"ops":"*","n":[5012345],"none":[],"Zo\\u00eb":"demo-3"}')
    auth = assert(gate.new({ file = path }))
  end)

  after_each(function()
    auth:close()
    os.remove(path)
  end)

  local function owns(subject, account)
    return auth:owns(subject, '{"accounts":"*"}', account)
  end

  it("is what the file grants the subject, whatever the token claims", function()
    assert.equal("OK", owns("alice", "demo-1"))
    assert.equal("OK", owns("alice", "demo-2"))
    assert.equal("NOT_OWNER", owns("alice", "demo-3"))
    assert.equal("OK", owns("ops", "anything"))
    assert.equal("OK", owns("n", "5012345"))
    assert.equal("OK", owns("Zoë", "demo-3"))
    for _, stranger in ipairs({ "none", "bob", "Alice", "alice ", "demo-1", "*", "" }) do
      assert.equal("NOT_OWNER", owns(stranger, "demo-1"))
    end
  end)

  local function changed_to(subject, account)
    assert.equal(1, (auth:refresh()))
    assert.equal("OK", owns(subject, account))
    assert.equal("NOT_OWNER", owns("alice", "demo-1"))
  end

  it("follows the file when it is written over", function()
    write('{"bob":"demo-1"}')
    assert.equal("OK", owns("alice", "demo-1"))
    changed_to("bob", "demo-1")
  end)

  it("follows the file when another is renamed to its name", function()
    write('{"bob":"demo-1"}', path .. ".new")
    assert(os.rename(path .. ".new", path))
    changed_to("bob", "demo-1")
  end)

  it("follows an edit of the same length and the same time of modification", function()
    local stamp = age
    write('{"alice":"a1"}')
    assert.equal(1, (auth:refresh()))
    age = stamp
    write('{"alice":"b2"}')
    assert.equal(1, (auth:refresh()))
    assert.equal("OK", owns("alice", "b2"))
    assert.equal("NOT_OWNER", owns("alice", "a1"))
  end)

  it("says nothing when the content is the same", function()
    assert.equal(0, (auth:refresh()))
    write('{"alice":["demo-1","demo-2"],"ops":"*","n":[5012345],"none":[],"Zo\\u00eb":"demo-3"}')
    assert.equal(0, (auth:refresh()))
    assert.equal(0, (auth:refresh()))
    assert.equal("OK", owns("alice", "demo-1"))
  end)

  it("keeps the old owners while the file is bad, and tells so until it is good again", function()
    for _, bad in ipairs({ "", "{", "[]", '{"bob":["demo-1"]', '{"bob":"demo-1","bob":"demo-2"}', '{"bob":{"a":"demo-1"}}',
                           '{"bob":[["demo-1"]]}', '{"bob":"demo 1"}', '{"bob":["demo-1",""]}', '{"bob":["demo-1",null]}',
                           '{"bob":"demo-*"}', '{"bob":true}', '{"bob":-1}', '{"bob":1.5}', '{"bob":"' .. ("x"):rep(65) .. '"}' }) do
      write(bad)
      for _ = 1, 3 do
        local rc, why = auth:refresh()
        assert.equal(-1, rc, bad)
        assert.is_truthy(why:find(path, 1, true))
      end
      assert.equal("OK", owns("alice", "demo-1"))
      assert.equal("NOT_OWNER", owns("bob", "demo-1"))
    end
    write('{"bob":["demo-1"]}')
    changed_to("bob", "demo-1")
    assert.equal(0, (auth:refresh()))
  end)

  it("names the subject whose grant is bad", function()
    write('{"alice":["demo-1"],"bob":{}}')
    local _, why = auth:refresh()
    assert.is_truthy(why:find('"bob" must have an account id', 1, true))
  end)

  it("keeps the old owners while there is no file", function()
    os.remove(path)
    local rc, why = auth:refresh()
    assert.equal(-9, rc)
    assert.is_truthy(why:find("No such file", 1, true))
    assert.equal("OK", owns("alice", "demo-1"))
    write('{"bob":["demo-1"]}')
    changed_to("bob", "demo-1")
  end)

  it("waits on nothing that is not a file", function()
    os.remove(path)
    assert.equal(0, ffi.C.mkfifo(path, 384))
    assert.equal(-9, (auth:refresh()))
    os.remove(path)
    assert.equal(0, ffi.C.mkdir(path, 448))
    assert.equal(-9, (auth:refresh()))
    ffi.C.rmdir(path)
    assert.equal("OK", owns("alice", "demo-1"))
  end)

  it("is refused above its bound", function()
    auth:close()
    auth = assert(gate.new({ file = path, file_bytes = 200 }))
    local text = '{"bob":["demo-1"]}'
    write(text .. (" "):rep(200 - #text))
    changed_to("bob", "demo-1")
    write(text .. (" "):rep(201 - #text))
    local rc, why = auth:refresh()
    assert.equal(-1, rc)
    assert.is_truthy(why:find("larger than 200 bytes", 1, true))
  end)

  it("is a fault of the configuration when it is bad at the start", function()
    write("{")
    local none, rc, why = gate.new({ file = path })
    assert.is_nil(none)
    assert.equal(-1, rc)
    assert.is_truthy(why:find(path, 1, true))
    none, rc = gate.new({ file = path .. ".missing" })
    assert.is_nil(none)
    assert.equal(-9, rc)
  end)

  it("holds many subjects", function()
    local all = {}
    for i = 1, 20000 do
      all[i] = ('"user-%d":["a-%d","b-%d"]'):format(i, i, i)
    end
    write("{" .. table.concat(all, ",") .. "}")
    assert.equal(1, (auth:refresh()))
    assert.equal("OK", owns("user-17777", "b-17777"))
    assert.equal("NOT_OWNER", owns("user-17777", "b-17778"))
  end)
end)
