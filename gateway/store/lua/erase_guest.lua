-- Take a person's own words out of a guest's record; when somebody was here stays.
-- KEYS guest
-- Returns missing | ok.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
redis.call('HDEL', KEYS[1], 'name', 'email', 'fields')
return {'ok'}
