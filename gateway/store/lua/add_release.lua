-- One more set of what is to be released when a grant ends. Of the sets only the latest stay: the one before them is a
-- job of its own, which is due now. Where the grant's own job is not there any more, or due, so is this set's.
-- KEYS watched, due, jobs
-- ARGV grant id, when to look (ms), now, the job of this set alone, its variables as JSON, how many stay, a name for one more job
local id, extra = ARGV[1], ARGV[1] .. '/' .. ARGV[7]
local text = redis.call('HGET', KEYS[3], id)
if not text then
  redis.call('HSET', KEYS[3], id, ARGV[4])
  redis.call('ZADD', KEYS[1], ARGV[2], id)
  return {'ok'}
end
if not redis.call('ZSCORE', KEYS[1], id) then
  redis.call('HSET', KEYS[3], extra, ARGV[4])
  redis.call('ZADD', KEYS[2], ARGV[3], extra)
  return {'due'}
end
local job = cjson.decode(text)
local sets = job.sets or {}
sets[#sets + 1] = cjson.decode(ARGV[5])
if #sets + 1 > tonumber(ARGV[6]) then
  local old = cjson.decode(text)
  old.sets = nil
  job.variables = table.remove(sets, 1)
  redis.call('HSET', KEYS[3], extra, cjson.encode(old))
  redis.call('ZADD', KEYS[2], ARGV[3], extra)
end
job.sets = sets
redis.call('HSET', KEYS[3], id, cjson.encode(job))
return {'ok'}
