-- Delete a link for good. Its record stays for a while, so that its address can say "no longer valid".
-- KEYS link, links, deleted
-- ARGV schema, now, link id, expected version or '', ms to keep the record
-- Returns missing | newer | deleted (before) | changed | ok, and the link's hash as it is now.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing', {}} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer', {}} end
if redis.call('HEXISTS', KEYS[1], 'deleted_at') == 1 then
  return {'deleted', redis.call('HGETALL', KEYS[1])}
end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[1], 'version') ~= ARGV[4] then
  return {'changed', redis.call('HGETALL', KEYS[1])}
end
redis.call('HSET', KEYS[1], 'deleted_at', ARGV[2])
-- What nobody needs any more and somebody may have chosen with care.
redis.call('HDEL', KEYS[1], 'pin', 'emails')
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[3])
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'link', id = ARGV[3]}))
return {'ok', redis.call('HGETALL', KEYS[1])}
