-- Note that a link has been opened, the first time only.
-- KEYS link
-- ARGV schema, now
-- Returns missing | newer | deleted | before | ok.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
if redis.call('HEXISTS', KEYS[1], 'deleted_at') == 1 then return {'deleted'} end
if redis.call('HSETNX', KEYS[1], 'opened_at', ARGV[2]) == 0 then return {'before'} end
return {'ok'}
