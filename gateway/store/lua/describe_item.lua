-- What the media server says of an item now: its title and whose it is.
-- KEYS item
-- ARGV schema, title or '', owners or ''
-- Returns missing | newer | ok.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
-- First what a full store refuses, so that it is the whole or nothing.
for at, name in ipairs({'title', 'owners'}) do
  if ARGV[at + 1] ~= '' then redis.call('HSET', KEYS[1], name, ARGV[at + 1]) end
end
for at, name in ipairs({'title', 'owners'}) do
  if ARGV[at + 1] == '' then redis.call('HDEL', KEYS[1], name) end
end
return {'ok'}
