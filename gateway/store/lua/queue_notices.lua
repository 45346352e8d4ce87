-- Put notices into queues and note how far we have come, in one step: neither lost nor made twice by a crash between.
-- KEYS lease, marks, then of each webhook: due, age, messages, state
-- ARGV who holds the lease, now, notices a queue may hold, ms it is kept, how many webhooks, digest of each one's
--      address, how many names and values of marks, these, how many marks to remove, these, then of each notice:
--      number of its webhook, id, body
-- Returns lost (the lease) | ok, then of each webhook how many old notices were dropped.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local now, bound, life = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local at = 5
local function words()
  local count = tonumber(ARGV[at])
  local found = {}
  for i = 1, count do found[i] = ARGV[at + i] end
  at = at + count + 1
  return found
end
local addresses, marks, over = words(), words(), words()

local answer = {'ok'}
for i = 1, #addresses do answer[i + 1] = 0 end
for i = at, #ARGV, 3 do
  local which = tonumber(ARGV[i])
  local id, body = ARGV[i + 1], ARGV[i + 2]
  local first = 3 + (which - 1) * 4
  local due, age, messages, state = KEYS[first], KEYS[first + 1], KEYS[first + 2], KEYS[first + 3]
  -- A receiver that has said it is gone gets nothing more at this address.
  if redis.call('HGET', state, 'gone') ~= addresses[which] and redis.call('HSETNX', messages, id, body) == 1 then
    -- In the order they came, all of them due.
    local score = string.format('%.3f', now - (#ARGV - i) / 3000)
    redis.call('ZADD', due, score, id)
    redis.call('ZADD', age, score, id)
    while redis.call('ZCARD', age) > bound do
      local oldest = redis.call('ZPOPMIN', age)[1]
      redis.call('ZREM', due, oldest)
      redis.call('HDEL', messages, oldest, oldest .. '#')
      redis.call('HINCRBY', state, 'dropped', 1)
      answer[which + 1] = answer[which + 1] + 1
    end
    for _, key in ipairs({due, age, messages}) do redis.call('PEXPIRE', key, life) end
  end
end
for i = 1, #marks, 2 do redis.call('HSET', KEYS[2], marks[i], marks[i + 1]) end
for _, mark in ipairs(over) do redis.call('HDEL', KEYS[2], mark) end
redis.call('PEXPIRE', KEYS[2], life)
return answer
