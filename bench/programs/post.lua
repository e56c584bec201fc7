-- The one request that is sent, and the report as a line of JSON. Arguments: the body; "refusals" to count answers of 429, which is dearer; "Name: value"
-- for each further header.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = args[1]
  refused = 0
  for index = 2, #args do
    local name, value = args[index]:match("^([^:]+): (.*)$")
    if name then
      wrk.headers[name] = value
    elseif args[index] == "refusals" then
      function response(status)
        if status == 429 then refused = refused + 1 end
      end
    end
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  local refusals = 0
  for _, thread in ipairs(threads) do refusals = refusals + thread:get("refused") end
  io.write(string.format(
    '\n{"requests":%d,"refused":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, refusals, summary.duration, latency:percentile(50), latency:percentile(99), e.connect, e.read, e.write, e.status - refusals, e.timeout))
end
