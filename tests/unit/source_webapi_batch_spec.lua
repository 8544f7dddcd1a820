-- A batch, asked and answered by hand: no session, no sockets.
local ffi = require("ffi")
local cdef = require("support.cdef")
local model = require("support.model")
local C = cdef.library("source", { "source/webapi_batch.h", "source/source.h" })

jit.off(true, true)

local OK, FAILED, BUSY, REFUSED, STALE, UNKNOWN, DENIED = 0, 1, 2, 3, 4, 5, 6
local SINCE = 1572518700000

describe("a Web API batch", function()
  local batch, options, clients, zone, jobs, polls, ops, fields, now, wants

  local on_wants = ffi.cast("bool (*)(struct tg_poll *)", function() return wants end)
  local on_done = ffi.cast("void (*)(struct tg_poll *)", function() end)

  before_each(function()
    batch, clients, zone = ffi.new("struct tg_webapi_batch"), ffi.new("struct tg_webapi_clients"), ffi.new("struct tg_webapi_zone")
    options = ffi.new("struct tg_webapi_batch_options", { logins = 3, single_max = 2, deals_overlap_ms = 5000, metadata_ms = 3600000, dormant_ms = 60000 })
    ops = ffi.new("struct tg_poll_ops", { on_done, on_wants })
    fields = ffi.new("struct tg_webapi_fields")
    batch.options, batch.clients, batch.zone = options, clients, zone
    C.tg_webapi_zone_set(zone, 7200, 0)
    jobs, polls, now, wants = {}, {}, 1000, false
  end)

  after_each(function()
    C.tg_webapi_batch_end(batch)
    C.tg_webapi_batch_fini(batch)
    C.tg_webapi_clients_fini(clients)
    for _, poll in ipairs(polls) do
      C.tg_records_fini(poll.records)
    end
  end)

  -- Begins a batch of these logins; `since[login]` is when its deals are wanted from.
  local function begin(logins, since)
    C.tg_webapi_batch_end(batch)
    for _, poll in ipairs(polls) do
      C.tg_records_fini(poll.records)
    end
    jobs, polls = {}, {}
    local list = ffi.new("struct tg_webapi_job *[?]", #logins)
    for i, login in ipairs(logins) do
      polls[i] = ffi.new("struct tg_poll", { ops = ops, account_id = "a", deals_since_ms = since and since[login] or SINCE })
      jobs[i] = ffi.new("struct tg_webapi_job", { poll = polls[i], client = C.tg_webapi_clients_open(clients, login) })
      list[i - 1] = jobs[i]
    end
    assert.equal(0, C.tg_webapi_batch_begin(batch, list, #logins, now, 1572518788000))
  end

  -- The next request as text, nil when there is none.
  local function ask()
    local request = ffi.new("struct tg_webapi_request")
    if not C.tg_webapi_batch_next(batch, request) then return nil end
    local out = { ffi.string(C.tg_webapi_command_name(request.command)) }
    for i = 0, request.params_count - 1 do
      out[#out + 1] = ffi.string(request.params[i].name) .. "=" .. ffi.string(request.params[i].value)
    end
    local logins = {}
    for i = 0, request.logins_count - 1 do
      logins[#logins + 1] = tostring(tonumber(request.logins[i]))
    end
    if #logins > 0 then out[#out + 1] = table.concat(logins, ",") end
    return table.concat(out, " ")
  end

  -- Answers with rows (nil: no list at all); whether the batch failed, and its code.
  local function answer(rows, retcode, status)
    for _, row in ipairs(rows or {}) do
      C.tg_webapi_batch_row(batch, ffi.new("struct tg_webapi_row", { text = row, len = #row }))
    end
    local verdict = ffi.new("struct tg_rest_verdict")
    local told = ffi.new("struct tg_webapi_answer", { retcode = retcode or 0, text = "text", status = status or 0, listed = rows ~= nil, fields = fields })
    local failed = C.tg_webapi_batch_answer(batch, told, verdict)
    return failed, ffi.string(verdict.code)
  end

  local function position(login, id, more)
    return ('{"Position":"%d","Login":"%d","Symbol":"EURUSD","Action":"0","VolumeExt":"1000000","Digits":"5"%s}'):format(id, login, more or "")
  end

  local function account(login, more)
    return ('{"Login":"%d","Balance":"100.00","Equity":"100.00","CurrencyDigits":"2"%s}'):format(login, more or "")
  end

  local function user(login, group)
    return ('{"Login":"%d","Group":"%s","Name":"N%d","Balance":"70.00","Credit":"5.00","Rights":"1"}'):format(login, group or "g", login)
  end

  local function verdict(i) return jobs[i].failed and tonumber(jobs[i].verdict["end"]) or OK, ffi.string(jobs[i].verdict.code) end

  -- Answers everything up to the accounts: positions and accounts as given, no deals.
  local function up_to_accounts(positions, accounts)
    ask()
    answer(positions)
    ask()
    answer({})
    ask()
    return answer(accounts)
  end

  local GROUP = '{"Group":"g","Currency":"EUR","CurrencyDigits":"2","MarginMode":"2"}'

  -- … and the clients and their group as well.
  local function whole(positions, accounts, users)
    up_to_accounts(positions, accounts)
    while true do
      local request = ask()
      if not request then return end
      if request:match("^USER_GET_BATCH") then answer(users) elseif request:match("^GROUP_GET") then answer({ GROUP }) else answer(nil, 13) end
    end
  end

  it("finds whose a row is in whatever order they come, and with accounts left out", function()
    local logins = {}
    for i = 1, 90 do logins[i] = i end
    options.logins = 200
    local orders = { { 1, 2, 3, 90 }, { 90, 3, 2, 1 }, { 1, 17, 18, 35, 36, 53, 1, 2 }, { 5, 5, 91, 5, 6, 23, 22, 40 }, { 16, 16, 32, 49, 49, 90, 90, 1 } }
    for _, order in ipairs(orders) do
      begin(logins)
      ask()
      local rows, wanted = {}, {}
      for i, login in ipairs(order) do
        rows[i] = position(login, 1000 + i)
        wanted[login] = (wanted[login] or 0) + 1
      end
      C.tg_webapi_batch_cancel(jobs[40])
      assert.is_false(answer(rows))
      for i = 1, 90 do
        assert.equal(i ~= 40 and wanted[i] or 0, polls[i].records.positions_count, i)
      end
    end
  end)

  it("asks for positions, deals and accounts in this order, and once for what it does not know", function()
    begin({ 1, 2 })
    assert.equal("POSITION_GET_BATCH 1,2", ask())
    assert.is_false(answer({ position(1, 11), position(2, 21), position(2, 22), position(9, 91) }))
    assert.equal("DEAL_GET_BATCH from=" .. SINCE / 1000 - 5 + 7200 .. " to=" .. 1572518788 + 7200 + 86400 .. " 1,2", ask())
    answer({ '{"Deal":"5","Login":"2","Action":"2","Profit":"10.00"}' })
    assert.equal("USER_ACCOUNT_GET_BATCH 1,2", ask())
    answer({ account(2), account(1) })
    assert.equal("USER_GET_BATCH 1,2", ask())
    answer({ user(1), user(2) })
    assert.equal("GROUP_GET group=g", ask())
    answer({ GROUP })
    assert.is_nil(ask())
    assert.same({ OK, OK }, { verdict(1), (verdict(2)) })
    local records = polls[2].records
    assert.same({ true, true, true, false }, { records.account_known, records.positions_known, records.deals_known, records.orders_known })
    assert.same({ 2, 1 }, { records.positions_count, records.deals_count })
    assert.equal(1, polls[1].records.positions_count)
    assert.equal(1572518788000LL, records.source_time_ms)
    for key, value in pairs({ currency = "EUR", name = "N2", margin_mode = "hedging", balance = 100, login = "2", id = "a" }) do
      assert.equal(value, model.get("account", records.account, key), key)
    end
    begin({ 1, 2 })
    up_to_accounts({}, { account(1), account(2) })
    assert.is_nil(ask())
    assert.equal(0, polls[1].records.positions_count)
    assert.is_true(polls[1].records.positions_known)
  end)

  it("asks for orders when it is to, and for their history when something went", function()
    options.orders = true
    begin({ 1, 2 })
    ask()
    answer({})
    assert.equal("ORDER_GET_BATCH 1,2", ask())
    answer({ '{"Order":"7","Login":"1","Symbol":"X","Type":"2","State":"1","Digits":"3"}' })
    assert.truthy(ask():match("^DEAL"))
    begin({ 1, 2 })
    wants = true
    ask()
    answer({})
    ask()
    answer({})
    assert.equal("HISTORY_GET_BATCH from=" .. SINCE / 1000 - 5 + 7200 .. " to=" .. 1572518788 + 7200 + 86400 .. " 1,2", ask())
    answer({ '{"Order":"7","Login":"1","Symbol":"X","Type":"2","State":"4","Digits":"3"}' })
    ask()
    answer({})
    ask()
    answer({ account(1), account(2) })
    repeat
      local request = ask()
      if request then answer(nil, 13) end
    until not request
    assert.same({ true, true, 1, 0 }, { polls[1].records.orders_known, polls[1].records.history_known, polls[1].records.history_count,
      polls[1].records.orders_count })
  end)

  it("reads the ended orders of all accounts now and then, since it last did, whatever happens to them", function()
    options.orders, options.history_ms = true, 5000
    local started = 1572518788000
    -- Lives a round at a time of the wall clock; its request for the history, or nil.
    local function round(at, logins)
      begin(logins or { 1, 2 }, { [1] = at - 60000, [2] = at - 60000, [3] = at - 60000, [4] = at - 60000 })
      batch.started_wall_ms = at
      local history
      while true do
        local request = ask()
        if not request then return history end
        local name = request:match("^%S+")
        if name == "HISTORY_GET_BATCH" then history = request end
        if name == "USER_ACCOUNT_GET_BATCH" then
          answer({ account(1), account(2), account(3), account(4) })
        elseif name == "GROUP_GET" then
          answer(nil, 13)
        else
          answer({})
        end
      end
    end
    local function from(request) return tonumber(request:match("from=(%d+)")) - 7200 end
    assert.equal((started - 60000) / 1000 - 5, from(round(started)))
    assert.is_nil(round(started + 4999))
    local second = round(started + 5000)
    assert.truthy(second:find(" 1,2", 1, true))
    assert.equal(started / 1000 - 5, from(second)) -- not a minute, but since it was read, and the overlap
    assert.is_true(polls[1].records.history_known)
    assert.is_nil(round(started + 6000))
    -- A cursor older than what the owner asks for is no reason to ask for more.
    assert.equal((started + 200000 - 60000) / 1000 - 5, from(round(started + 200000)))
    options.history_ms = 0
    assert.is_nil(round(started + 900000))
    -- Masks, when there are more than a request names.
    options.history_ms, options.groups = 5000, "real\\*"
    assert.truthy(round(started + 1000000, { 1, 2, 3, 4 }):find("group=real\\*", 1, true))
    assert.is_true(polls[4].records.history_known)
  end)

  it("parts what exceeds a request, and takes masks instead when there are any", function()
    begin({ 1, 2, 3, 4 })
    assert.equal("POSITION_GET_BATCH 1,2,3", ask())
    answer({})
    assert.equal("POSITION_GET_BATCH 4", ask())
    options.groups = "real\\*,demo\\*"
    begin({ 1, 2, 3, 4 })
    assert.equal("POSITION_GET_BATCH group=real\\*,demo\\*", ask())
    answer({ position(1, 11), position(77, 771) })
    assert.truthy(ask():match("^DEAL_GET_BATCH group=real\\%*,demo\\%* from=%d+ to=%d+$"))
    answer({})
    assert.equal("USER_ACCOUNT_GET_BATCH group=real\\*,demo\\*", ask())
    answer({ account(1), account(2), account(3), account(4), account(77) })
    assert.equal("USER_GET_BATCH 1,2,3", ask())
    answer({ user(1), user(2), user(3) })
    assert.equal("USER_GET_BATCH 4", ask())
    begin({ 1, 2 })
    assert.equal("POSITION_GET_BATCH 1,2", ask())
  end)

  it("asks apart for the deals of those who were away for long", function()
    begin({ 1, 2 }, { [2] = SINCE - 3600000 })
    ask()
    answer({})
    local deal = '{"Deal":"%d","Login":"%d","Action":"2","Profit":"1.00"}'
    assert.equal("DEAL_GET_BATCH from=" .. SINCE / 1000 - 5 + 7200 .. " to=" .. 1572518788 + 7200 + 86400 .. " 1", ask())
    answer({ deal:format(1, 1), deal:format(2, 2) })
    assert.equal("DEAL_GET_BATCH from=" .. SINCE / 1000 - 3605 + 7200 .. " to=" .. 1572518788 + 7200 + 86400 .. " 2", ask())
    answer({ deal:format(2, 2), deal:format(3, 2) })
    assert.same({ 1, 2 }, { polls[1].records.deals_count, polls[2].records.deals_count })
    assert.is_true(polls[1].records.deals_known and polls[2].records.deals_known)
  end)

  it("asks for no deals twice but within the overlap, unless something is unexplained", function()
    begin({ 1, 2 })
    whole({}, { account(1), account(2) }, { user(1), user(2) })
    local short = "from=" .. 1572518788 - 5 + 7200 .. " "
    begin({ 1, 2 }, { [1] = 1572518728000, [2] = 1572518728000 })
    ask()
    answer({})
    assert.truthy(ask():find(short, 1, true))
    begin({ 1 }, { [1] = 1572518728000 })
    wants = true
    ask()
    answer({})
    assert.truthy(ask():find("from=" .. 1572518728 - 5 + 7200 .. " ", 1, true))
    wants = false
    begin({ 1 }, { [1] = 1572518788000 - 66000 }) -- its owner has not taken the newest polls in
    ask()
    answer({})
    assert.truthy(ask():find("from=" .. 1572518722 - 5 + 7200 .. " ", 1, true))
  end)

  it("spoils one account with a broken row of its own, and all with one of nobody's", function()
    begin({ 1, 2 })
    ask()
    assert.is_false(answer({ position(1, 11), position(2, 21):gsub('"Action":"0"', '"Action":"7"') .. "" }))
    assert.same({ FAILED, "BAD_ROW" }, { verdict(2) })
    assert.equal("DEAL_GET_BATCH", ask():match("^%S+"))
    assert.is_false(jobs[1].failed)
    begin({ 1, 2 })
    ask()
    assert.same({ true, "BAD_DOCUMENT" }, { answer({ position(1, 11), '{"Position":"5"}' }) })
    assert.same({ FAILED, "BAD_DOCUMENT" }, { verdict(1) })
    assert.same({ FAILED, "BAD_DOCUMENT" }, { verdict(2) })
    assert.is_nil(ask())
  end)

  it("takes a broken deal for deals that are not known", function()
    begin({ 1, 2 })
    ask()
    answer({})
    ask()
    answer({ '{"Deal":"5","Login":"2","Action":"0"}' })
    ask()
    answer({ account(1), account(2) })
    repeat
      local request = ask()
      if request then answer(nil, 8) end
    until not request
    assert.same({ true, false, OK, OK }, { polls[1].records.deals_known, polls[2].records.deals_known, (verdict(1)), (verdict(2)) })
  end)

  it("takes no list for no answer, unless the server says that there is none", function()
    begin({ 1 })
    ask()
    assert.same({ true, "BAD_DOCUMENT" }, { answer(nil) })
    for _, code in ipairs({ 1, 13, 5003 }) do
      begin({ 1 })
      ask()
      assert.is_false(answer(nil, code))
      assert.is_true(polls[1].records.positions_known)
    end
  end)

  it("fails as a whole with what the server says of it", function()
    for code, wanted in pairs({ [7] = FAILED, [9] = FAILED, [10] = FAILED, [14] = FAILED, [15] = FAILED, [12] = BUSY, [1018] = BUSY,
      [8] = DENIED, [1002] = REFUSED, [12001] = FAILED }) do
      begin({ 1, 2 })
      ask()
      assert.is_true((answer({ position(1, 5) }, code)))
      assert.equal(wanted, (verdict(1)), code)
      assert.equal(wanted, (verdict(2)), code)
      assert.is_true(batch.failed) -- so that its end is not taken for a round that went well
      assert.is_false(polls[1].records.positions_known)
    end
    begin({ 1 })
    ask()
    assert.same({ true, "HTTP_STATUS" }, { answer(nil, -1, 403) })
    assert.equal(REFUSED, (verdict(1)))
    begin({ 1, 2 })
    assert.is_false(batch.failed)
    whole({ position(1, 5) }, { account(1), account(2) }, { user(1), user(2) })
    assert.is_false(batch.failed)
  end)

  it("is no failure as a whole when one account of it fails", function()
    begin({ 1, 2 })
    whole({ position(1, 5), '{"Position":"6","Login":"2"}' }, { account(1), account(2) }, { user(1), user(2) })
    assert.same({ OK, FAILED }, { (verdict(1)), (verdict(2)) })
    assert.is_false(batch.failed)
  end)

  it("goes on without deals that cannot be had", function()
    begin({ 1 })
    ask()
    answer({})
    ask()
    assert.is_false(answer({ '{"Deal":"5","Login":"1","Action":"2"}' }, 8))
    ask()
    answer({ account(1) })
    repeat
      local request = ask()
      if request then answer(nil, 8) end
    until not request
    assert.same({ OK, false, 0 }, { (verdict(1)), polls[1].records.deals_known, polls[1].records.deals_count })
    assert.equal("", ffi.string(model.get("account", polls[1].records.account, "currency")))
  end)

  it("looks twice at an account that floats without a position", function()
    begin({ 1 })
    up_to_accounts({}, { account(1, ',"Profit":"5.00"') })
    assert.equal("POSITION_GET_BATCH 1", ask())
    answer({ position(1, 11) })
    assert.equal("USER_GET_BATCH 1", ask())
    assert.equal(1, polls[1].records.positions_count)
    begin({ 1 })
    up_to_accounts({}, { account(1, ',"Storage":"-0.10"') })
    ask()
    answer({})
    ask()
    assert.same({ STALE, "INCONSISTENT" }, { verdict(1) })
  end)

  it("calls an account dormant when the server keeps no trade state of it alone", function()
    begin({ 1, 2 })
    up_to_accounts({}, { account(2) })
    assert.equal("USER_GET_BATCH 1,2", ask())
    answer({ user(1), user(2) })
    assert.equal("USER_ACCOUNT_GET login=1", ask())
    assert.is_false(answer(nil, 13))
    assert.equal("GROUP_GET group=g", ask())
    answer({ GROUP })
    assert.is_nil(ask())
    local records = polls[1].records
    assert.same({ OK, true, true, 0 }, { (verdict(1)), records.account_known, records.positions_known, records.positions_count })
    for key, value in pairs({ balance = 70, credit = 5, equity = 75, margin_free = 75, margin = 0, profit = 0, margin_level = 0, currency = "EUR" }) do
      assert.equal(value, model.get("account", records.account, key), key)
    end
    -- It is believed for a while; its record, where its balance stands, is read again each minute.
    begin({ 1 })
    up_to_accounts({}, {})
    assert.is_nil(ask())
    assert.equal(OK, (verdict(1)))
    now = now + 60000
    begin({ 1 })
    up_to_accounts({}, {})
    assert.equal("USER_GET_BATCH 1", ask())
    answer({ user(1) })
    assert.is_nil(ask())
    now = now + 3600000
    begin({ 1 })
    up_to_accounts({}, {})
    ask()
    answer({ user(1) })
    assert.equal("USER_ACCOUNT_GET login=1", ask())
  end)

  it("reads the record of an account that has just become dormant, however new the one it has", function()
    begin({ 1 })
    up_to_accounts({}, { account(1) })
    assert.equal("USER_GET_BATCH 1", ask())
    answer({ user(1) })
    assert.equal("GROUP_GET group=g", ask())
    answer({ GROUP })
    assert.is_nil(ask())
    now = now + 1000
    begin({ 1 })
    up_to_accounts({}, {})
    assert.equal("USER_GET_BATCH 1", ask())
    answer({ (user(1):gsub("70.00", "321.00")) })
    assert.equal("USER_ACCOUNT_GET login=1", ask())
    answer(nil, 13)
    assert.is_nil(ask())
    assert.equal(OK, (verdict(1)))
    assert.equal(321, model.get("account", polls[1].records.account, "balance"))
    now = now + 1000
    begin({ 1 })
    up_to_accounts({}, {})
    assert.is_nil(ask())
  end)

  it("believes no answer that leaves out an account it has", function()
    begin({ 1 })
    up_to_accounts({}, {})
    ask()
    answer({ user(1) })
    ask()
    answer({ account(1) })
    ask()
    assert.same({ STALE, "PARTIAL_ANSWER" }, { verdict(1) })
    begin({ 1 })
    up_to_accounts({ position(1, 11) }, {})
    ask()
    assert.same({ STALE, "PARTIAL_ANSWER" }, { verdict(1) })
  end)

  it("believes it of an account that had positions only when it is said twice", function()
    begin({ 1 })
    whole({ position(1, 11) }, { account(1) }, { user(1) })
    assert.equal(OK, (verdict(1)))
    begin({ 1 })
    whole({}, {}, { user(1) })
    assert.same({ STALE, "MISSING_ACCOUNT" }, { verdict(1) })
    begin({ 1 })
    whole({}, {}, { user(1) })
    assert.same({ OK, 0, true }, { (verdict(1)), polls[1].records.positions_count, polls[1].records.positions_known })
  end)

  it("starts counting again when the account was there in between", function()
    begin({ 1 })
    whole({ position(1, 11) }, { account(1) }, { user(1) })
    begin({ 1 })
    whole({}, {}, { user(1) })
    begin({ 1 })
    whole({ position(1, 11) }, { account(1) }, { user(1) })
    assert.equal(OK, (verdict(1)))
    begin({ 1 })
    whole({}, {}, { user(1) })
    assert.equal(STALE, (verdict(1)))
  end)

  it("knows an account that does not exist only by its record", function()
    begin({ 1 })
    up_to_accounts({}, {})
    ask()
    answer({})
    assert.equal("USER_GET login=1", ask())
    answer(nil, 13)
    assert.is_nil(ask())
    assert.same({ UNKNOWN, "NO_SUCH_ACCOUNT" }, { verdict(1) })
    begin({ 1 })
    up_to_accounts({}, {})
    ask()
    answer({})
    ask()
    answer(nil, 9)
    while ask() do answer(nil, 9) end
    assert.equal(STALE, (verdict(1)))
  end)

  it("reads clients one by one where the server has no lists of them, a few at a time", function()
    begin({ 1, 2, 3 })
    up_to_accounts({}, { account(1), account(2), account(3) })
    ask()
    assert.is_false(answer(nil, 12002))
    assert.equal("USER_GET login=1", ask())
    answer({ user(1) })
    assert.equal("USER_GET login=2", ask())
    answer({ user(2) })
    assert.equal("GROUP_GET group=g", ask())
    answer({ GROUP })
    assert.is_nil(ask())
    assert.same({ OK, OK, OK }, { (verdict(1)), (verdict(2)), (verdict(3)) })
    begin({ 1, 2, 3 })
    up_to_accounts({}, { account(1), account(2), account(3) })
    assert.equal("USER_GET login=3", ask())
  end)

  it("does not insist on records that are refused", function()
    begin({ 1 })
    up_to_accounts({}, { account(1) })
    ask()
    answer(nil, 8)
    assert.is_nil(ask())
    assert.equal(OK, (verdict(1)))
    begin({ 1 })
    up_to_accounts({}, { account(1) })
    assert.is_nil(ask())
    now = now + 60000
    begin({ 1 })
    up_to_accounts({}, { account(1) })
    assert.equal("USER_GET_BATCH 1", ask())
  end)

  it("learns the decimals of symbols whose rows do not tell them", function()
    begin({ 1 })
    whole({ (position(1, 11):gsub(',"Digits":"5"', "")) }, { account(1) }, { user(1) })
    assert.equal(5, polls[1].records.positions[0]._digits)
    now = now + 3600000
    begin({ 1 })
    up_to_accounts({ (position(1, 11):gsub(',"Digits":"5"', "")) }, { account(1) })
    ask()
    answer({ user(1) })
    assert.equal("GROUP_GET group=g", ask())
    answer({ GROUP })
    assert.equal("SYMBOL_GET symbol=EURUSD", ask())
    answer({ '{"Symbol":"EURUSD","Digits":"3"}' })
    assert.is_nil(ask())
    assert.equal(3, polls[1].records.positions[0]._digits)
  end)

  it("goes on for the others when a poll is cancelled in its middle", function()
    begin({ 1, 2 })
    ask()
    answer({ position(1, 11) })
    C.tg_webapi_batch_cancel(jobs[1])
    ask()
    answer({ '{"Deal":"5","Login":"1","Action":"2","Profit":"1"}' })
    assert.equal("USER_ACCOUNT_GET_BATCH 2", ask())
    answer({ account(1), account(2) })
    assert.equal("USER_GET_BATCH 2", ask())
    answer({ user(2) })
    ask()
    answer({ GROUP })
    assert.is_nil(ask())
    assert.equal(OK, (verdict(2)))
    assert.equal(0, polls[1].records.deals_count)
  end)

  it("forgets clients that nobody polls", function()
    for login = 1, 700 do
      C.tg_webapi_clients_open(clients, login).seen_ms = login <= 600 and 10 or 20
    end
    begin({ 5 })
    C.tg_webapi_clients_find(clients, 5).seen_ms = 10
    C.tg_webapi_clients_sweep(clients, 20)
    assert.equal(101, tonumber(clients.by_login.count))
    assert.is_true(C.tg_webapi_clients_find(clients, 5) ~= nil and C.tg_webapi_clients_find(clients, 601) ~= nil)
    assert.is_true(C.tg_webapi_clients_find(clients, 6) == nil)
  end)
end)
