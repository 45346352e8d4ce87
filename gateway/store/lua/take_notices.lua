-- The next notices of one webhook. They are out of sight for a while: whoever took them and dies loses nothing.
-- KEYS lease, due, age, messages
-- ARGV who holds the lease, now, out of sight until, how many
-- Returns lost (the lease) | ok, when the next one is due or '', then of each: id, body, tries so far, since when.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local answer = {'ok', ''}
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[4])
for _, id in ipairs(ids) do
  local body = redis.call('HGET', KEYS[4], id)
  if body then
    redis.call('ZADD', KEYS[2], ARGV[3], id)
    answer[#answer + 1] = id
    answer[#answer + 1] = body
    answer[#answer + 1] = redis.call('HGET', KEYS[4], id .. '#') or '0'
    answer[#answer + 1] = redis.call('ZSCORE', KEYS[3], id) or ARGV[2]
  else
    redis.call('ZREM', KEYS[2], id)
  end
end
local following = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if following[2] then answer[2] = following[2] end
return answer
