# Stock jq as a filter of a dpp pipe:
#
#     jq -c --unbuffered -L SHARE/jq 'include "dpp"; event(select(.type == "x"))'
#
# event(f) passes control lines on and applies f to events. It does what
# dpp-transform does: an event on which f fails becomes a dead line with the
# reason, a JSON body in data_base64 is .data while f looks, outputs 2, 3 … that
# keep the id get ID#2, ID#3 …, and an output that is no event is dead. But jq
# prints all anew: numbers pass through doubles (1.0 becomes 1, and
# 12345678901234567890 another number), which dpp-transform never does.

def _dpp_type_is_json:
  (.datacontenttype // "")
  | type == "string"
    and (. == "" or test("^[^; ]*[^; ][/+]json(;| |$)"; "i"));

# The body, if it is JSON in data_base64; else nothing.
def _dpp_body:
  if has("data_base64") and (has("data") | not) and _dpp_type_is_json then
    .data_base64
    | try (. as $text | @base64d | select(@base64 == $text) | fromjson | [.])
      catch empty
  else empty end;

def _dpp_need($name):
  if (.[$name] | type) != "string" then
    if has($name) and .[$name] != null then
      error("member \"\($name)\" is no string")
    else
      error("no CloudEvents event: no \"\($name)\"; an output must be an "
            + "event: change its members, as in .data |= …")
    end
  else . end;

# One output as an event; the input is the output.
def _dpp_output($event; $body):
  if type != "object" then
    error("\(type) is no event; an output must be an event: change its "
          + "members, as in .data |= …")
  else . end
  | with_entries(select(.value != null or .key == "data"))
  | if $body == null then
      if has("data") and has("data_base64")
         and .data_base64 == $event.data_base64 then del(.data_base64)
      else . end
    elif has("data") and .data == $body[0] and (has("data_base64") | not) then
      del(.data) | .data_base64 = $event.data_base64
    else . end
  | if has("data") and has("data_base64") then
      error("both data and data_base64")
    else . end
  | _dpp_need("specversion") | _dpp_need("id")
  | _dpp_need("source") | _dpp_need("type");

def _dpp_number($event):
  reduce .[] as $out ({n: 0, all: []};
    if $out.id == $event.id and $out.source == $event.source then
      .n += 1
      | .n as $n
      | .all += [if $n > 1 then $out | .id += "#\($n)" else $out end]
    else .all += [$out] end)
  | .all[];

def _dpp_apply(f):
  . as $event
  | (first(_dpp_body) // null) as $body
  | [ (if $body == null then . else del(.data_base64) | .data = $body[0] end)
      | f | _dpp_output($event; $body) ];

def event(f):
  if type != "object" or (has("dpp") and (has("specversion") | not)) then .
  else
    . as $event
    | (try {out: _dpp_apply(f)}
       catch {why: (if type == "string" then . else tojson end)})
    | if has("why") then {dpp: "dead", why: "jq: \(.why)", event: $event}
      else .out | _dpp_number($event) end
  end;
