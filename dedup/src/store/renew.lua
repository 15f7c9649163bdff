-- KEYS: lease, epoch. ARGV: holder, its epoch, lease in ms.
-- Answers {1, epoch, '', 0}; {2, epoch, '', 0} where something was forgotten; {0, highest epoch, holder, 0} where another one writes.
local holder = redis.call('HGET', KEYS[1], 'holder')
local known = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if known > tonumber(ARGV[2]) or (holder and holder ~= ARGV[1]) then
  return {'0', string.format('%.0f', known), holder or '', '0'}
end
local answer = '1'
if not holder or known < tonumber(ARGV[2]) then answer = '2' end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'epoch', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {answer, ARGV[2], '', '0'}
