-- KEYS: lease, epoch. ARGV: holder, wanted epoch, lease in ms.
-- Answers {1, epoch, ''} or {0, ms left, holder}.
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then
  return {'0', tostring(redis.call('PTTL', KEYS[1])), holder}
end
local epoch = tonumber(ARGV[2])
local known = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if epoch <= known then epoch = known + 1 end
local written = string.format('%.0f', epoch)
redis.call('SET', KEYS[2], written)
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'epoch', written)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'1', written, ''}
