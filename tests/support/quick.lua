-- luassert's words for a failure without its price for a success: for loops that assert hundreds of thousands of times.
local quick = {}

function quick.is_true(value, why)
  if value ~= true then assert.is_true(value, why) end
end

function quick.equal(expected, got, why)
  if expected ~= got then assert.equal(expected, got, why) end
end

function quick.is_nil(value, why)
  if value ~= nil then assert.is_nil(value, why) end
end

return quick
