-- Take what is due of one of the two lists: it is out of sight for a while, so whoever takes it and dies loses nothing.
-- KEYS watched or due, jobs
-- ARGV now, out of sight until, how many
-- Returns of each: grant id, the job, tries so far, what was handed to the grant since.
local answer = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])) do
  local job = redis.call('HGET', KEYS[2], id)
  if job then
    redis.call('ZADD', KEYS[1], ARGV[2], id)
    answer[#answer + 1] = id
    answer[#answer + 1] = job
    answer[#answer + 1] = redis.call('HGET', KEYS[2], id .. '#') or '0'
    answer[#answer + 1] = redis.call('HGET', KEYS[2], id .. '@') or '{}'
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return answer
