-- Argo CD's health of a RagPipeline, from its conditions alone. Uses no library of Lua's, since Argo CD loads none for a script of
-- its configuration.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "The pipeline is being deleted.")
end

local status = obj.status
if status == nil or status.conditions == nil then
  return health("Progressing", "The operator has not looked at the pipeline yet.")
end
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not looked at the newest spec yet.")
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end
local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

if holds("Paused") then
  return health("Suspended", conditions.Paused.message)
end
if holds("Stalled") then
  return health("Degraded", conditions.Stalled.message)
end
if holds("Reconciling") then
  return health("Progressing", conditions.Reconciling.message)
end
if holds("Ready") then
  return health("Healthy", conditions.Ready.message)
end
-- Nobody but a person will change that, so nothing should wait for it.
local asleep = { Stopped = true, ScaledToZero = true }
if conditions.Ready ~= nil and asleep[conditions.Ready.reason] then
  return health("Suspended", conditions.Ready.message)
end
if conditions.Ready ~= nil then
  return health("Progressing", conditions.Ready.message)
end
return health("Progressing", "The condition Ready is missing.")
