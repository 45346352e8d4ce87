-- Other variables for a grant that lives: the media server names its streams anew.
-- KEYS grant
-- ARGV grant id, variables
-- Returns ok | ended | missing.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return {'ended'} end
redis.call('HSET', KEYS[1], 'variables', ARGV[2])
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'renewed', id = ARGV[1]}))
return {'ok'}
