-- Variables that the media server gave for one grant: put before those it has, of each name the latest few.
-- KEYS grant
-- ARGV schema, grant id, values by name as JSON, by name how many are kept as JSON, when they were asked for anew (ms, or empty)
-- Returns newer | missing | ended | ok, all that has been brought by now.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return {'ended'} end
local most = cjson.decode(ARGV[4])
local brought = cjson.decode(redis.call('HGET', KEYS[1], 'brought') or '{}')
for name, values in pairs(cjson.decode(ARGV[3])) do
  local kept, known = {}, {}
  for _, list in ipairs({values, brought[name] or {}}) do
    for _, value in ipairs(list) do
      if not known[value] and #kept < most[name] then
        known[value] = true
        kept[#kept + 1] = value
      end
    end
  end
  brought[name] = kept
end
local text = cjson.encode(brought)
redis.call('HSET', KEYS[1], 'brought', text)
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'renewed_at', ARGV[5]) end
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'renewed', id = ARGV[2]}))
return {'ok', text}
