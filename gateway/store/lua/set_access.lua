-- Turn an item's guest access on or off. An item that has never been seen is recorded with it.
-- KEYS item
-- ARGV schema, slot, 1 or 0, then the item's hash
-- Returns newer | ok, and the item's hash as it is now.
if redis.call('EXISTS', KEYS[1]) == 1 then
  if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer', {}} end
else
  for i = 5, 4 + tonumber(ARGV[4]), 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
if redis.call('HGET', KEYS[1], 'access') ~= ARGV[3] then
  redis.call('HSET', KEYS[1], 'access', ARGV[3])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
  redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'item', id = ARGV[2]}))
end
return {'ok', redis.call('HGETALL', KEYS[1])}
