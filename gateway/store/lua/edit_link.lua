-- Change fields of a link that is not deleted.
-- KEYS link
-- ARGV schema, link id, expected version or '', then how many names and values to set, these, names to remove
-- Returns missing | newer | deleted | changed (by somebody else) | ok, and the link's hash as it is now.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing', {}} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer', {}} end
if redis.call('HEXISTS', KEYS[1], 'deleted_at') == 1 then
  return {'deleted', redis.call('HGETALL', KEYS[1])}
end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[1], 'version') ~= ARGV[3] then
  return {'changed', redis.call('HGETALL', KEYS[1])}
end
-- First what a full store refuses: a limit must not be lifted by an edit that fails.
redis.call('HINCRBY', KEYS[1], 'version', 1)
-- Schema 2 has the form of 1 and options that a version of 1 would overlook.
if redis.call('HGET', KEYS[1], 'v') == '1' then redis.call('HSET', KEYS[1], 'v', '2') end
local count = tonumber(ARGV[4])
for i = 5, 4 + count, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = 5 + count, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'link', id = ARGV[2]}))
return {'ok', redis.call('HGETALL', KEYS[1])}
