-- Takes from budgets, all or none. A key holds the microsecond, by the server's clock, at which its budget will be full; an absent
-- key is a full budget, or one that was evicted, for which the caller's own memory stands in.
-- ARGV: "1" to take in any case; the window; the most debt; then for each key what one unit takes, what is taken, what is remembered.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local window, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local debts, kept, free = {}, {}, true
for i, key in ipairs(KEYS) do
  local full_at = tonumber(redis.call('GET', key))
  kept[i] = full_at ~= nil
  debts[i] = full_at and math.max(full_at - now, 0) or tonumber(ARGV[3 * i + 3])
  free = free and debts[i] + tonumber(ARGV[3 * i + 1]) <= window
end
local taken = free or ARGV[1] == '1'
local reply = { taken and 1 or 0 }
for i, key in ipairs(KEYS) do
  local cost = taken and tonumber(ARGV[3 * i + 2]) or 0
  local debt = math.min(debts[i] + cost, most)
  if debt > 0 and (cost > 0 or not kept[i]) then
    redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
  end
  reply[i + 1] = debt
end
return reply
