describe("a token, while memory is short,", function()
  it("is refused if it is forged, wherever the allocation fails", function()
    local run = assert(io.popen(arg[-1] .. " tests/support/short_memory.lua 2>&1")) -- the sanitizer comes along
    local said = run:read("*a")
    run:close()
    local count = {}
    for name, number in said:gmatch("([%w_]+)=(%d+)") do
      count[name] = tonumber(number)
    end
    assert.is_truthy(count.failures, said)
    assert.is_true(count.failures > 20, said)
    assert.equal(0, count.forged_ok)
    assert.is_true(count.good_ok > 0 and count.good_refused > 0, said)
    assert.equal(0, count.wrong_keys)
    assert.is_true(count.refused_keys > 0, said)
  end)
end)
