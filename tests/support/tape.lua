-- Recordings under test: notes written as tables, tapes read back as tables.
--
-- The records themselves are made by support.model: a poll is what its `prepare` takes.
local ffi = require("ffi")
local uv = require("luv")
local cdef = require("support.cdef")
local model = require("support.model")
local C = cdef.library("record", { "record/recorder.h", "record/scribe.h", "record/reel.h", "record/block.h",
                                   "record/shelf.h" })

local tape = { C = C, START_MS = 1700000000000 }

tape.KIND = { restart = 0, poll = 1, turn = 2, tick = 3, status = 4, ended = 5, connected = 6, disconnected = 7,
              snapshot = 8 }
local NAME = {}
for name, kind in pairs(tape.KIND) do
  NAME[kind] = name
end

tape.PARTS = { positions = "position", orders = "order", history = "order", deals = "deal" }

-- Everything that records say, as one text: what is the same reads the same, to the bit.
function tape.text_of(records)
  local out = { tostring(records.source_time_ms) }
  local function row(name, at)
    local entity = C["tg_" .. name .. "_entity"]
    for i = 0, entity.count - 1 do
      local field = entity.fields[i]
      local bytes = ffi.string(ffi.cast("const char *", at) + field.offset, field.size)
      if field.kind == 0 then bytes = bytes:match("^[^%z]*") end
      if field.kind >= 7 and at["_" .. ffi.string(field.name)] ~= at["_" .. ffi.string(field.name)] then bytes = "nan" end
      out[#out + 1] = ffi.string(field.name) .. "=" .. bytes
    end
  end
  if records.account_known then
    out[#out + 1] = "account " .. tostring(records.account_fields)
    row("account", records.account)
  end
  for _, part in ipairs({ "positions", "orders", "history", "deals" }) do
    if records[part .. "_known"] then
      out[#out + 1] = part .. " " .. records[part .. "_count"]
      for i = 0, records[part .. "_count"] - 1 do
        row(tape.PARTS[part], records[part] + i)
      end
    end
  end
  return table.concat(out, "\n")
end

function tape.folder()
  return assert(uv.fs_mkdtemp("/tmp/tidegate-tape-XXXXXX"))
end

function tape.remove(folder)
  for _, path in ipairs(tape.files(folder)) do
    os.remove(path)
  end
  uv.fs_rmdir(folder)
end

-- The files of a folder, by name.
function tape.files(folder)
  local out = {}
  local scan = uv.fs_scandir(folder)
  for name in function() return scan and uv.fs_scandir_next(scan) end do
    out[#out + 1] = folder .. "/" .. name
  end
  table.sort(out)
  return out
end

function tape.slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function tape.spill(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

-- A note for the core: { kind = "poll", account = "a", poll = {…}, at = milliseconds since START_MS }.
function tape.note(what)
  local note = ffi.new("struct tg_note")
  local keep = { what.account, what.text }
  note.kind = tape.KIND[what.kind]
  note.wall_ms = tape.START_MS + (what.at or 0)
  note.mono_ms = 5000 + (what.at or 0)
  note.account, note.text = what.account, what.text
  if what.poll then
    local account = model.new()
    account:prepare(what.poll)
    account.records.source_time_ms = what.source_time or 0
    note.records = account.records
    note.suspect_polls, note.interval_ms = 3, 500 + (what.at or 0)
    keep[3] = account
  end
  return note, keep
end

-- A press on a folder. `options`: file_bytes, total_bytes, min_free_bytes, run.
function tape.press(folder, options)
  options = options or {}
  local o = ffi.new("struct tg_press_options", {
    folder = folder, file_bytes = options.file_bytes or 2 ^ 30, total_bytes = options.total_bytes or 2 ^ 40,
    min_free_bytes = options.min_free_bytes or 0,
    facts = { version = "spec", run = options.run or 7 },
  })
  return ffi.gc(C.tg_press_new(o), C.tg_press_free)
end

-- Writes lists of notes into a folder, each list as one block of one tape; gives the tape's path and what each note's
-- records said.
function tape.write(folder, blocks, options)
  local scribe = ffi.gc(ffi.new("struct tg_scribe"), C.tg_scribe_fini)
  local press, err, texts = tape.press(folder, options), ffi.new("struct tg_err"), {}
  local out = ffi.gc(ffi.new("struct tg_buf"), C.tg_buf_fini)
  for _, notes in ipairs(blocks) do
    local fresh = not scribe.goes_on
    for _, what in ipairs(notes) do
      local note, keep = tape.note(what)
      assert(C.tg_scribe_add(scribe, note) == 0)
      texts[#texts + 1] = note.records ~= nil and tape.text_of(note.records) or false
      keep[1] = nil
    end
    C.tg_scribe_take(scribe, out)
    assert(C.tg_press_write(press, out.data, out.len, fresh, false, tape.START_MS, err) == 0, ffi.string(err.text))
  end
  C.tg_press_free(ffi.gc(press, nil))
  local files = tape.files(folder)
  return files[#files], texts
end

local function read_note(note)
  return {
    kind = NAME[note.kind], at = tonumber(note.wall_ms - tape.START_MS), mono = tonumber(note.mono_ms),
    account = note.account ~= nil and ffi.string(note.account) or nil,
    text = note.text ~= nil and ffi.string(note.text) or nil,
    interval = note.records ~= nil and note.interval_ms or nil,
    records = note.records ~= nil and tape.text_of(note.records) or nil,
  }
end

-- All notes of files and folders, and the faults on the way as { code, text }.
function tape.read(...)
  local paths, count = { ... }, select("#", ...)
  local list = ffi.new("const char *[?]", count, paths)
  local out, err = ffi.new("struct tg_reel *[1]"), ffi.new("struct tg_err")
  local rc = C.tg_reel_open(list, count, out, err)
  if rc ~= 0 then return nil, { { rc, ffi.string(err.text) } } end
  local note, notes, faults = ffi.new("struct tg_note"), {}, {}
  repeat
    rc = C.tg_reel_next(out[0], note, err)
    if rc > 0 then notes[#notes + 1] = read_note(note) end
    if rc < 0 then faults[#faults + 1] = { rc, ffi.string(err.text) } end
  until rc == 0
  C.tg_reel_close(out[0])
  return notes, faults
end

return tape
