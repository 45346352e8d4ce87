-- Put back an item and its links out of a backup, or say what would become of each. What the store knows is
-- never lost for it: used clicks only rise, and what was deleted since stays deleted unless told otherwise.
-- KEYS item, links, deleted, then the links
-- ARGV schema, slot, write (1) or only look (0), of two that differ take the backup's (1) or leave ours (0),
--      revive (1 or 0), the item's hash (empty: none), how many links, then of each:
--      id, ms its record is kept or '' for a link that is not deleted, its hash
-- Returns newer | ok, what became of the item, what became of each link:
--      new | same | raised (clicks) | differs | deleted | revived | over (deleted for so long that it is forgotten)
local schema, slot = tonumber(ARGV[1]), ARGV[2]
local write, replace, revive = ARGV[3] == '1', ARGV[4] == '1', ARGV[5] == '1'
local at = 6
local function word() at = at + 1; return ARGV[at - 1] end
local function hash()
  local found, count = {}, tonumber(word())
  for i = 1, count, 2 do found[word()] = word() end
  return found
end
local function words(found)
  local flat = {}
  for name, value in pairs(found) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  return flat
end
local function stored(key)
  local found, flat = {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found, #flat > 0
end
local function number(text) return tonumber(text or '') or 0 end

for _, key in ipairs(KEYS) do
  if redis.call('TYPE', key).ok == 'hash' and number(redis.call('HGET', key, 'v')) > schema then return {'newer'} end
end

-- Fields that change by themselves, or are only another spelling of the same.
local QUIET = {v = true, version = true, sealed = true, title = true, owners = true, clicks_used = true,
               opened_at = true}
local function differ(ours, theirs)
  for name, value in pairs(theirs) do
    if not QUIET[name] and ours[name] ~= value then return true end
  end
  for name in pairs(ours) do
    if not QUIET[name] and theirs[name] == nil then return true end
  end
  return false
end
local function later(ours, theirs) return string.format('%.0f', math.max(number(ours.version), number(theirs.version)) + 1) end
local function higher(ours, theirs)
  return number(ours.clicks_used) > number(theirs.clicks_used) and ours.clicks_used or theirs.clicks_used
end
local changed = false

local function restore_item(theirs)
  if next(theirs) == nil then return 'same' end
  local ours, there = stored(KEYS[1])
  if not there then
    if write then redis.call('HSET', KEYS[1], unpack(words(theirs))) end
    changed = true
    return 'new'
  end
  if theirs.access == nil or ours.access == theirs.access then return 'same' end
  -- A switch that nobody has touched is no word against the backup's.
  local untouched = ours.access == nil
  if untouched or replace then
    if write then redis.call('HSET', KEYS[1], 'version', later(ours, theirs), 'access', theirs.access) end
    changed = true
  end
  return untouched and 'new' or 'differs'
end

local function restore_link(key, id, life, theirs)
  local ours, there = stored(key)
  if not there then
    if life ~= '' and tonumber(life) <= 0 then return 'over' end
    if write then
      redis.call('HSET', key, unpack(words(theirs)))
      if life ~= '' then
        redis.call('PEXPIRE', key, life)
        redis.call('ZADD', KEYS[3], theirs.deleted_at, id)
      else
        redis.call('ZADD', KEYS[2], theirs.created_at, id)
      end
    end
    changed = true
    return 'new'
  end
  if life ~= '' then return 'same' end
  if ours.deleted_at ~= nil then
    if not revive then return 'deleted' end
    theirs.clicks_used, theirs.version = higher(ours, theirs), later(ours, theirs)
    if write then
      redis.call('HSET', key, unpack(words(theirs)))
      for name in pairs(ours) do
        if theirs[name] == nil then redis.call('HDEL', key, name) end
      end
      redis.call('PERSIST', key)
      redis.call('ZREM', KEYS[3], id)
      redis.call('ZADD', KEYS[2], theirs.created_at, id)
    end
    changed = true
    return 'revived'
  end
  local differs, raised = differ(ours, theirs), number(theirs.clicks_used) > number(ours.clicks_used)
  if differs and replace then
    theirs.clicks_used, theirs.version, theirs.sealed = higher(ours, theirs), later(ours, theirs), ours.sealed
    if write then
      redis.call('HSET', key, unpack(words(theirs)))
      for name in pairs(ours) do
        if theirs[name] == nil then redis.call('HDEL', key, name) end
      end
    end
    changed = true
  elseif raised then
    if write then redis.call('HSET', key, 'clicks_used', theirs.clicks_used, 'version', later(ours, theirs)) end
    changed = true
  end
  return differs and 'differs' or raised and 'raised' or 'same'
end

local item = restore_item(hash())
local links = {}
for i = 1, tonumber(word()) do
  local id, life = word(), word()
  links[i] = restore_link(KEYS[3 + i], id, life, hash())
end
if write and changed then redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'item', id = slot})) end
return {'ok', item, links}
