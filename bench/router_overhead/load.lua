-- Requests for wrk: wrk ... -s load.lua -- KIND METHOD PATH BODY_BYTES CLOSE
-- 512 different heads, so that no proxy lives on remembering the last one.
local heads, at = {}, 0

local function plain(n, host)
  return "Host: " .. (host or "site") .. (n % 512) .. ".test\r\nUser-Agent: bench/" .. n .. " (load; varied)\r\nAccept: */*\r\n" ..
    "Accept-Language: en-GB,en;q=0." .. (n % 9 + 1) .. "\r\nAccept-Encoding: gzip, br\r\n" ..
    "Cookie: session=" .. string.rep(string.format("%04x", n), 16) .. "; theme=" .. (n % 7) .. "\r\n" ..
    "X-Trace: " .. string.format("%032x", n * 7919) .. "\r\n"
end

local function kept(n)
  return plain(n, "kept")
end

local function browser(n)
  return "Host: site" .. (n % 512) .. ".test\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n" ..
    'sec-ch-ua: "Chromium";v="' .. (100 + n % 30) .. '", "Not?A_Brand";v="24"\r\nsec-ch-ua-mobile: ?0\r\n' ..
    'sec-ch-ua-platform: "Linux"\r\nUpgrade-Insecure-Requests: 1\r\n' ..
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" .. (100 + n % 30) ..
    ".0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp," ..
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\nSec-Fetch-Site: same-origin\r\n" ..
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n" ..
    "Referer: https://site" .. (n % 512) .. ".test/articles/" .. n .. "?page=2\r\nAccept-Encoding: gzip, deflate, br\r\n" ..
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7\r\n" ..
    "Cookie: _ga=GA1.2." .. (n * 104729) .. ".1700000000; _gid=GA1.2." .. (n * 7919) .. ".1700000001; session=" ..
    string.rep(string.format("%04x", n), 24) .. "; csrftoken=" .. string.rep(string.format("%02x", n % 256), 32) .. "\r\n"
end

function init(args)
  local kind, method, path, size, close = args[1], args[2], args[3], tonumber(args[4]), args[5]
  local body = string.rep("b", size)
  local make = ({plain = plain, kept = kept, browser = browser})[kind]
  for n = 1, size > 100000 and 2 or 512 do
    local target = path == "/" and ("/articles/" .. n .. "?page=" .. (n % 13)) or path
    local head = method .. " " .. target .. " HTTP/1.1\r\n" .. make(n)
    if close == "close" then head = head .. "Connection: close\r\n" end
    if size > 0 then head = head .. "Content-Type: application/json\r\nContent-Length: " .. size .. "\r\n" end
    heads[n] = head .. "\r\n" .. body
  end
end

function request()
  at = at % #heads + 1
  return heads[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
