-- The product's connection code, behind an echo, against every rule of RFC 6455 that a server can be held to.
local process = require("support.process")
local wire = require("support.wire")
local frames = require("support.frames")
local loop = require("support.loop")
local cases = require("conformance.cases")

local BUILD = os.getenv("TIDEGATE_BUILD") or "build/dev"

describe("RFC 6455", function()
  local server, port

  setup(function()
    server = process.start({ argv = { BUILD .. "/echo_server", "--max-message", tostring(16 * 1024 * 1024) } })
    port = assert(server:wait_log({ event = "listening" }, 5000)).port
  end)

  teardown(function()
    assert.equal(0, server:stop())
  end)

  -- The frames a case expects, with the large ones only by their length.
  local function expand(expect)
    local all = {}
    for _, frame in ipairs(expect) do
      for _ = 1, frame.times or 1 do
        all[#all + 1] = frame
      end
    end
    return all
  end

  local function ended(client)
    return client.close_code or client.violation or client.conn.eof
  end

  local function check_frames(client, expected)
    for i, want in ipairs(expected) do
      local got = client.frames[i]
      assert.is_truthy(got, "frame " .. i .. " did not come")
      assert.equal(want[1], got.opcode)
      if type(want[2]) == "number" then
        assert.equal(want[2], #got.payload)
        assert.equal(("BAsd7&jh"):rep(#got.payload / 8) == got.payload, true)
      else
        assert.is_true(want[2] == got.payload, "another payload came back")
      end
    end
  end

  local function send(client, bytes, chop)
    if chop then
      client.conn:send_split(bytes, chop)
    else
      client:send_bytes(bytes)
    end
  end

  local function run(case)
    local expected = expand(case.expect)
    local client = assert(wire.connect({ port = port, record = true, auto = false }))
    send(client, type(case.send) == "function" and case.send() or case.send, case.chop)
    local close = case.close or 1000
    if case.then_send then
      assert.is_truthy(loop.await(function()
        return ended(client)
      end, 5000), "it did not fail fast")
      send(client, case.then_send)
    end
    loop.await(function()
      return #client.frames >= #expected or ended(client)
    end, 20000)
    if not case.we_close and not case.close then client:send_close(1000) end
    loop.await(function()
      return ended(client)
    end, 5000)
    assert.is_nil(client.violation)
    check_frames(client, expected)
    assert.equal(#expected + 1, #client.frames)
    assert.equal(frames.CLOSE, client.frames[#client.frames].opcode)
    assert.equal(case.silent and 1005 or close, client.close_code)
    -- The server ends its half at once, and all of it when we have ended ours (§7.1.1).
    assert.is_truthy(client.conn:wait_eof(2000), "the connection was not ended")
    assert.is_nil(client.conn.error)
    client:abort()
  end

  for _, case in ipairs(cases) do
    it(case.id .. ": " .. case.about, function()
      run(case)
    end)
  end
end)
