-- Other variables for a grant that lives: the media server names its streams anew.
-- KEYS grant
-- ARGV schema, grant id, variables
-- Returns newer | ok | ended | missing.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return {'ended'} end
redis.call('HSET', KEYS[1], 'variables', ARGV[3])
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'renewed', id = ARGV[2]}))
return {'ok'}
