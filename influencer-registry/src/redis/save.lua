-- Writes edits in one step, if the list is still the one that was edited. Answers the new version, or 0 where somebody else was first.
-- KEYS: the entries, the version, the confirmation. ARGV: the version that was edited, the channel, "1" where emptiness is confirmed,
-- then three for each entry: its id, its text as it was ('' for none), its text as it is to be ('' takes it away).
local version = redis.call('GET', KEYS[2]) or ''
if version ~= ARGV[1] then return 0 end
for i = 4, #ARGV, 3 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
end
if ARGV[3] == '1' and redis.call('HLEN', KEYS[1]) > 0 then return 0 end
for i = 4, #ARGV, 3 do
  if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
end
-- Newer than any list before it, also than one that this server forgot.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local old = tonumber(version) or 0
if not (old < 9007199254740991) then old = 0 end -- also what is no number at all
local new = string.format('%.0f', math.max(old + 1, now))
redis.call('SET', KEYS[2], new)
if ARGV[3] == '1' then redis.call('SET', KEYS[3], new) end
redis.call('PUBLISH', ARGV[2], new)
return tonumber(new)
