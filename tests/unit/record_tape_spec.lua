local ffi = require("ffi")
local tape = require("support.tape")
local C = tape.C

local EINVAL, ECLOSED = -1, -11

describe("a tape", function()
  local folder

  before_each(function() folder = tape.folder() end)
  after_each(function() tape.remove(folder) end)

  -- Some seconds of two accounts: everything a note can be.
  local function story()
    local long = ("x"):rep(63)
    return {
      {
        { kind = "connected", account = "a", text = "alice", at = 3 },
        { kind = "poll", account = "a", at = 10, source_time = 1700000000001, poll = {
          account = { balance = 1000.25, currency = "USD", margin_mode = "hedging", leverage = 100 },
          positions = { {}, { position_id = 2, comment = long, magic = -5 }, { position_id = 9 } } } },
        { kind = "status", account = "a", text = "live", at = 10 },
        { kind = "poll", account = "b", at = 12, poll = { positions = {}, deals = {} } },
        { kind = "turn", at = 12 },
        { kind = "snapshot", account = "a", at = 15 },
        { kind = "tick", at = 900 },
      },
      {
        { kind = "poll", account = "a", at = 1010, source_time = 1700000001001, poll = {
          account = { balance = 1000.25, equity = 999.99 },
          positions = { { price_current = 1.10003, profit = -0.1 }, { position_id = 2, comment = "" },
                        { position_id = 9 } } } },
        { kind = "poll", account = "a", at = 2010, poll = {
          positions = { { price_current = 1 / 3, volume = 0.01 }, { position_id = 9, sl = 1.1, tp = 1e300 } },
          deals = { { ticket = 18446744073709551615ULL, at = 1, profit = 0 / 0 }, { ticket = 4, at = 1, reason = "sl" } } } },
        { kind = "poll", account = "a", at = 3010, poll = { account = { balance = -0.0 } } },
        { kind = "poll", account = "a", at = 4010, poll = {
          positions = { { position_id = 3 }, { position_id = 9, sl = 1.1 }, { position_id = 70 } } } },
        { kind = "ended", account = "a", at = 4011 },
        { kind = "poll", account = "b", at = 4010, poll = { deals = { { ticket = 7 } } } },
        { kind = "poll", account = "a", at = 9000, poll = { positions = { { position_id = 70 } } } },
        { kind = "disconnected", account = "a", text = "", at = 9000 },
      },
    }
  end

  -- What is read must be the beginning of what was written; how many notes that was.
  local function beginning_of(blocks, texts, notes)
    local flat = {}
    for _, block in ipairs(blocks) do
      for _, what in ipairs(block) do
        flat[#flat + 1] = what
      end
    end
    for i, note in ipairs(notes) do
      local what = assert(flat[i], "more notes than were written")
      assert(not note.records or note.interval == 500 + what.at, "the policy is another")
      assert(note.kind == what.kind and note.account == what.account and note.at == what.at and
               note.mono == 5000 + what.at and note.text == what.text, "note " .. i .. " is another")
      if texts[i] then assert.equal(texts[i], note.records) else assert.is_nil(note.records) end
    end
    return #notes, #flat
  end

  it("gives back what was written, to the bit", function()
    local blocks = story()
    local path, texts = tape.write(folder, blocks)
    local notes, faults = tape.read(path)
    assert.same({}, faults)
    local got, all = beginning_of(blocks, texts, notes)
    assert.equal(all, got)
  end)

  it("gives back random polls of many rows, to the bit", function()
    local rng = 12345
    local function random(n)
      rng = (rng * 1103515245 + 12345) % 2 ^ 31
      return math.floor(rng / 65536) % n
    end
    local blocks, second = {}, 0
    for _ = 1, 12 do
      local notes = {}
      for _ = 1, 20 do
        second = second + 1
        local poll = {}
        if random(8) > 0 then
          poll.positions = {}
          for id = 1, 40 do
            if random(10) > 0 then
              poll.positions[#poll.positions + 1] = {
                position_id = id, profit = (random(20000) - 10000) / 100, price_current = 1 + random(100000) / 100000,
                swap = random(3) == 0 and random(1000) / 7 or nil, comment = random(5) == 0 and "c" .. random(9) or "",
                side = random(2) == 0 and "buy" or "sell", digits = random(10) - 1,
              }
            end
          end
        end
        if random(3) == 0 then poll.account = { balance = random(1000000) / 100, margin = random(5) == 0 and 0 / 0 or 3 } end
        if random(4) == 0 then poll.deals = { { ticket = random(50) + 1, at = second }, { ticket = 99, at = second } } end
        notes[#notes + 1] = { kind = "poll", account = "n" .. random(4), at = second * 1000, poll = poll }
      end
      blocks[#blocks + 1] = notes
    end
    local path, texts = tape.write(folder, blocks)
    local notes, faults = tape.read(path)
    assert.same({}, faults)
    assert.same({ 240, 240 }, { beginning_of(blocks, texts, notes) })
  end)

  it("that is cut off anywhere is read up to there, and says where", function()
    local blocks = story()
    local path, texts = tape.write(folder, blocks)
    local whole, seen = tape.slurp(path), {}
    for len = 0, #whole - 1 do
      tape.spill(path, whole:sub(1, len))
      local notes, faults = tape.read(path)
      local got = beginning_of(blocks, texts, notes)
      seen[got] = true
      if got == 0 or #faults > 0 then
        assert(#faults <= 1)
        if #faults == 1 then
          assert.equal(ECLOSED, faults[1][1])
          assert.matches("^" .. path:gsub("%p", "%%%0") .. ": offset %d+: the file is ", faults[1][2])
        end
      end
    end
    assert.same({ [0] = true, [#blocks[1]] = true }, seen)
  end)

  it("of which any bit flipped gives nothing that was not written, and says where", function()
    local blocks = story()
    local path, texts = tape.write(folder, blocks)
    local whole, silent, flips = tape.slurp(path), 0, 0
    for at = 1, #whole do
      for bit = at % 8, 7, 8 do
        flips = flips + 1
        local byte = require("bit").bxor(whole:byte(at), require("bit").lshift(1, bit))
        tape.spill(path, whole:sub(1, at - 1) .. string.char(byte) .. whole:sub(at + 1))
        local notes, faults = tape.read(path)
        local got, all = beginning_of(blocks, texts, notes)
        if #faults == 0 then
          silent = silent + 1
          assert.equal(all, got) -- another way to pack the same
        else
          assert(faults[1][1] == EINVAL or faults[1][1] == ECLOSED)
          assert.matches("^" .. path:gsub("%p", "%%%0") .. ": offset %d+: ", faults[1][2])
        end
      end
    end
    assert.is_true(silent * 100 < flips, silent .. " flips were not noticed")
  end)

  it("whose blocks are swapped, left out or doubled is damaged there", function()
    local blocks = story()
    blocks[3] = { { kind = "tick", at = 9900 } }
    local path, texts = tape.write(folder, blocks)
    local whole = tape.slurp(path)
    local marks, at = {}, 1
    while true do
      at = whole:find("TGRB", at, true)
      if not at then break end
      marks[#marks + 1] = at
      at = at + 4
    end
    assert.equal(4, #marks) -- the head and three blocks
    tape.spill(path, whole:sub(1, marks[2] - 1) .. whole:sub(marks[3]))
    local notes, faults = tape.read(path)
    assert.equal(0, beginning_of(blocks, texts, notes))
    assert.equal(EINVAL, faults[1][1])
    assert.matches("offset " .. marks[2] - 1 .. ": damaged: a block that continues another is first", faults[1][2], 1, true)
  end)

  -- A checksum says that nothing broke, not that nobody lied.
  it("whose contents are nonsense under a good checksum harms nobody, and gives no note behind the nonsense", function()
    local rng = 4711
    local function random(n)
      rng = (rng * 1103515245 + 12345) % 2 ^ 31
      return math.floor(rng / 65536) % n
    end
    local scribe, out = ffi.new("struct tg_scribe"), ffi.new("struct tg_buf")
    for _, block in ipairs(story()) do
      for _, what in ipairs(block) do
        local note, keep = tape.note(what)
        assert(C.tg_scribe_add(scribe, note) == 0)
        keep[1] = nil
      end
    end
    C.tg_scribe_take(scribe, out)
    local good, packer, file = ffi.string(out.data, out.len), C.tg_packer_new(), ffi.new("struct tg_buf")
    local facts = ffi.new("struct tg_tape_facts", { version = "spec", run = 1, number = 1 })
    local path, refused = folder .. "/lie.tgr", 0
    for _ = 1, 600 do
      local bytes = { good:byte(1, -1) }
      for _ = 1, 1 + random(4) do
        local at, what = 2 + random(#bytes - 1), random(4)
        if what == 0 then table.remove(bytes, at)
        elseif what == 1 then table.insert(bytes, at, random(256))
        elseif what == 2 then bytes[at] = ({ 0, 127, 128, 255 })[1 + random(4)]
        else bytes[at] = random(256) end
      end
      local lie = string.char(unpack(bytes))
      C.tg_buf_clear(file)
      assert(C.tg_tape_head(packer, facts, file) == 0)
      assert(C.tg_block_pack(packer, lie, #lie, file) == 0)
      tape.spill(path, ffi.string(file.data, file.len))
      local notes, faults = tape.read(path)
      assert(#faults <= 1 and #notes <= #lie)
      refused = refused + #faults
    end
    assert.is_true(refused > 200, refused)
    C.tg_scribe_fini(scribe)
    C.tg_packer_free(packer)
    C.tg_buf_fini(out)
    C.tg_buf_fini(file)
  end)

  it("that is something else says so", function()
    local path = tape.spill(folder .. "/x.tgr", "return {}\n-- not a tape\n")
    local _, faults = tape.read(path)
    assert.same({ { EINVAL, path .. ": offset 0: this is no recording of Tidegate" } }, faults)
    tape.spill(path, "")
    _, faults = tape.read(path)
    assert.same({ { ECLOSED, path .. ": offset 0: the file is empty" } }, faults)
    _, faults = tape.read(folder .. "/none.tgr")
    assert.matches("none.tgr: No such file or directory", faults[1][2], 1, true)
    os.remove(path)
    _, faults = tape.read(folder)
    assert.matches("there is no recording (*.tgr) in it", faults[1][2], 1, true)
  end)

  -- A tape as another build would write it, byte by byte.
  local function varint(n)
    local out = ""
    while n >= 128 do
      out = out .. string.char(n % 128 + 128)
      n = math.floor(n / 128)
    end
    return out .. string.char(n)
  end
  local function text(t) return varint(#t) .. t end
  local function field(name, wire, names)
    local out = text(name) .. wire
    if names then
      out = out .. varint(#names)
      for _, n in ipairs(names) do
        out = out .. text(n)
      end
    end
    return out
  end
  local function other(layout, notes)
    local packer = C.tg_packer_new()
    local buf = ffi.new("struct tg_buf")
    local head = "H" .. varint(1) .. text("9.9") .. varint(7) .. varint(1) .. varint(0) ..
                   varint(2) .. text("mood") .. varint(4) .. text("ids_as_text") .. varint(2) .. layout
    C.tg_buf_puts(buf, "\137TGR\r\n\26\n")
    assert(C.tg_block_pack(packer, head, #head, buf) == 0)
    if notes then
      notes = "F" .. varint(0) .. varint(0) .. notes
      assert(C.tg_block_pack(packer, notes, #notes, buf) == 0)
    end
    local path = tape.spill(folder .. "/other.tgr", ffi.string(buf.data, buf.len))
    C.tg_buf_fini(buf)
    C.tg_packer_free(packer)
    return path
  end
  local LAYOUT = varint(3) ..
                   text("account") .. varint(4) .. field("mood", "t") .. field("balance", "d") ..
                   field("margin_mode", "e", { "sideways", "hedging" }) .. field("leverage", "t") ..
                   text("hedges") .. varint(1) .. field("id", "q") ..
                   text("positions") .. varint(2) .. field("position_id", "q") .. field("karma", "d")

  it("of another build is read by the names of its fields", function()
    local model = require("support.model")
    local path = other(LAYOUT,
      "\1" .. varint(0) .. varint(0) .. varint(0) .. text("a") .. -- a poll of the account "a"
        varint(15) .. varint(3) .. varint(500) .. varint(0) ..      -- a policy, account, hedges, positions
        varint(15) .. varint(15) .. text("gloomy") .. "\2" .. varint(2 * 123456) .. varint(2) .. text("1:100") ..
        varint(2 * 2) .. varint(0) .. varint(1) .. varint(10) .. varint(0) .. varint(1) .. varint(12) ..
        varint(2 * 1) .. varint(0) .. varint(3) .. varint(2 * 77) .. "\2" .. varint(500))
    local note, err = ffi.new("struct tg_note"), ffi.new("struct tg_err")
    local out = ffi.new("struct tg_tape *[1]")
    assert.equal(0, C.tg_tape_open(path, out, err), ffi.string(err.text))
    local facts = C.tg_tape_facts(out[0])
    assert.equal("9.9", ffi.string(facts.version))
    assert.is_true(facts.ids_as_text)
    assert.equal(1, C.tg_tape_next(out[0], note, err), ffi.string(err.text))
    local records = note.records
    assert.same({ 3, 500 }, { note.suspect_polls, note.interval_ms })
    assert.equal(1234.56, model.get("account", records.account, "balance"))
    assert.equal("hedging", model.get("account", records.account, "margin_mode"))
    assert.equal(0, model.get("account", records.account, "leverage")) -- it was a text there
    assert.is_nil(model.get("account", records.account, "equity"))
    assert.equal("balance margin_mode", model.changed("account", records.account_fields))
    assert.is_true(records.positions_known)
    assert.is_false(records.deals_known)
    assert.equal(1, records.positions_count)
    assert.equal(77, model.get("position", records.positions[0], "position_id"))
    assert.is_nil(model.get("position", records.positions[0], "profit"))
    assert.equal(0, C.tg_tape_next(out[0], note, err))
    C.tg_tape_close(out[0])
  end)

  it("with a name of an enumeration that is not known has \"unknown\"", function()
    local model = require("support.model")
    local path = other(LAYOUT, "\1" .. varint(0) .. varint(0) .. varint(0) .. text("a") ..
      varint(2) .. varint(0) .. varint(4) .. varint(4) .. varint(0))
    local note, err, out = ffi.new("struct tg_note"), ffi.new("struct tg_err"), ffi.new("struct tg_tape *[1]")
    assert.equal(0, C.tg_tape_open(path, out, err))
    assert.equal(1, C.tg_tape_next(out[0], note, err))
    assert.equal("unknown", model.get("account", note.records.account, "margin_mode"))
    C.tg_tape_close(out[0])
  end)

  it("of a later format, or that lies, is refused", function()
    local function fault_of(path)
      local notes, faults = tape.read(path)
      assert.same({}, notes)
      return faults[1][2]
    end
    local begin = "\1" .. varint(0) .. varint(0) .. varint(0) .. text("a")
    local lies = {
      varint(0) .. varint(0),                                           -- no entity
      varint(1) .. text("position") .. varint(0),                       -- no account
      varint(1) .. text("account") .. varint(65),                       -- too many fields
      varint(1) .. text("account") .. varint(1) .. field("balance", "?"),
      varint(1) .. text(("n"):rep(64)) .. varint(0),
      varint(99),
    }
    for _, lie in ipairs(lies) do
      assert.matches("damaged: its list of fields cannot be read", fault_of(other(lie)), 1, true)
    end
    local notes = {
      "\0" .. varint(0) .. varint(0),                                   -- a RESTART is never on tape
      "\3" .. varint(2 ^ 60) .. varint(0),                               -- a time that no clock tells
      "\3" .. varint(0) .. varint(2 ^ 60 + 2 ^ 20),
      begin .. varint(0) .. varint(2 ^ 55),
      "\9" .. varint(0) .. varint(0) .. varint(0) .. text("a"),         -- an unknown kind
      "\1" .. varint(0) .. varint(0) .. varint(5),                      -- an account that was not named
      "\5" .. varint(0) .. varint(0) .. varint(0) .. text(""),
      "\5" .. varint(0) .. varint(0) .. varint(0) .. text("a\0b"),
      begin .. varint(16) .. varint(0),                                 -- a part beyond the layout
      begin .. varint(2) .. varint(0) .. varint(0) .. varint(16),       -- a field beyond the layout
      begin .. varint(2) .. varint(0) .. varint(2) .. varint(2) .. "\11", -- a decimal of 11 digits
      begin .. varint(8) .. varint(0) .. varint(3),                     -- one row as before, and there was none
      begin .. varint(8) .. varint(0) .. varint(2) .. varint(1) .. varint(0), -- a row from a row that is not there
      begin .. varint(8) .. varint(0) .. varint(2 * 60000),             -- more rows than bytes
      begin .. varint(8) .. varint(0) .. varint(2 * 70000) .. ("\0"):rep(150000), -- more rows than are allowed
      begin .. varint(1) .. varint(3) .. varint(2 ^ 31) .. varint(0),   -- polled less than ever
      begin .. ("\255"):rep(11),                                        -- a number without an end
      "\4" .. varint(0) .. varint(0) .. varint(0) .. text("a") .. text(("s"):rep(513)),
    }
    for i, bytes in ipairs(notes) do
      local path = other(LAYOUT, bytes)
      assert.matches("damaged: a note of this block cannot be read", fault_of(path), 1, true, "case " .. i)
    end
  end)
end)

describe("a reel", function()
  local folder

  before_each(function() folder = tape.folder() end)
  after_each(function() tape.remove(folder) end)

  local function kinds(notes)
    local out = {}
    for i, note in ipairs(notes) do
      out[i] = note.kind
    end
    return table.concat(out, " ")
  end

  -- Tapes of one press, one note each; `gaps[i]`: something was lost before tape i.
  local function tapes(count, gaps, run)
    local press, err = tape.press(folder, { run = run }), ffi.new("struct tg_err")
    local scribe, out = ffi.new("struct tg_scribe"), ffi.new("struct tg_buf")
    for i = 1, count do
      local note, keep = tape.note({ kind = "poll", account = "a", poll = {}, at = i })
      assert(C.tg_scribe_add(scribe, note) == 0)
      keep[1] = nil
      C.tg_scribe_take(scribe, out)
      C.tg_scribe_restart(scribe)
      assert(C.tg_press_write(press, out.data, out.len, true, gaps and gaps[i] or false, tape.START_MS + i, err) == 0)
    end
    C.tg_scribe_fini(scribe)
    C.tg_buf_fini(out)
    C.tg_press_free(ffi.gc(press, nil))
  end

  it("joins the tapes of one run", function()
    tapes(3)
    local notes, faults = tape.read(folder)
    assert.same({}, faults)
    assert.equal("poll poll poll", kinds(notes))
  end)

  it("restarts where something was lost, where a tape is missing, and at another run", function()
    tapes(3, { [2] = true })
    assert.equal("poll restart poll poll", kinds(tape.read(folder)))
    local files = tape.files(folder)
    assert.equal("poll restart poll", kinds(tape.read(files[1], files[3])))
    assert.equal("poll poll", kinds(tape.read(files[2], files[3])))
    tapes(1, nil, 8)
    files = tape.files(folder)
    assert.equal("poll restart poll", kinds(tape.read(files[1], files[2])))
  end)

  it("goes on behind a tape with a fault, restarting", function()
    tapes(3)
    local files = tape.files(folder)
    tape.spill(files[2], tape.slurp(files[2]):sub(1, -2))
    local notes, faults = tape.read(folder)
    assert.equal("poll restart poll", kinds(notes))
    assert.equal(1, #faults)
    tape.spill(files[2], "nonsense")
    notes, faults = tape.read(folder)
    assert.equal("poll restart poll", kinds(notes))
    assert.equal(1, #faults)
  end)
end)
