# Stock jq as a filter of a dpp pipe:
#
#     jq -c --unbuffered -L SHARE/jq 'include "dpp"; event(select(.type == "x"))'
#
# event(f) passes control lines on and applies f to events. It does what
# dpp-transform does: an event on which f fails becomes a dead line with the
# reason, a JSON body in data_base64 is .data while f looks, outputs 2, 3 … that
# keep the id get ID#2, ID#3 …, an attribute set to null is left out, and an
# output that is no event is dead. But jq prints all anew: numbers pass through
# doubles (1.0 becomes 1, and 12345678901234567890 another number), which
# dpp-transform never does.
#
# Most events take the short way through this file: it is written so that they
# cost little more than f.

def _dpp_hint:
  "; an output must be an event: change its members, as in .data |= …";

# Which of the attributes is no string?
def _dpp_fault:
  first(
    (("specversion", "id", "source", "type") as $name
     | select(.[$name] == null)
     | "no CloudEvents event: no \"\($name)\"" + _dpp_hint),
    ((keys_unsorted | .[]) as $name
     | select(.[$name] | type != "string") | "member \"\($name)\" is no string"));

def _dpp_check:
  if type != "object" then error("\(type) is no event" + _dpp_hint)
  else
    if [.[]] | contains([null])
    then with_entries(select(.value != null or .key == "data")) else . end
    | if [.specversion, .id, .source, .type | type]
           == ["string", "string", "string", "string"]
         and [.time, .subject, .datacontenttype, .partitionkey, .data_base64,
              .dpporigin, .dpphdr | type] - ["string", "null"] == [] then .
      else error({specversion, id, source, type, time, subject, datacontenttype,
                  partitionkey, data_base64, dpporigin, dpphdr}
                 | with_entries(select(.value != null)) | _dpp_fault) end
    | if has("data_base64") and has("data")
      then error("both data and data_base64") else . end
  end;

def _dpp_number($event):
  reduce .[] as $out ({n: 0, all: []};
    if $out.id == $event.id and $out.source == $event.source then
      .n += 1
      | .n as $n
      | .all += [if $n > 1 then $out | .id += "#\($n)" else $out end]
    else .all += [$out] end)
  | .all[];

# f makes an array of outputs.
def _dpp_outputs($event; f):
  (try f catch {why: (if type == "string" then . else tojson end)})
  | if type == "object" then {dpp: "dead", why: "jq: \(.why)", event: $event}
    elif length < 2 then .[]
    else _dpp_number($event) end;

def _dpp_type_is_json:
  .datacontenttype
  | . == null or (type == "string" and test("^[^; ]*[/+]json(;| |$)"; "i"));

# [the body], if data_base64 holds JSON; else null.
def _dpp_body:
  if (has("data") | not) and _dpp_type_is_json then
    .data_base64 as $text
    | try ($text | @base64d
           | if @base64 == $text then [fromjson] else null end)
      catch null
  else null end;

def _dpp_with_body(f):
  . as $event
  | _dpp_body as $body
  | if $body == null then
      _dpp_outputs($event;
        [f | if has("data") and .data_base64 == $event.data_base64
             then del(.data_base64) else . end
           | _dpp_check])
    else
      _dpp_outputs($event;
        [del(.data_base64) | .data = $body[0] | f | _dpp_check
         | if .data == $body[0] and has("data")
           then del(.data) | .data_base64 = $event.data_base64
           else . end])
    end;

def event(f):
  if type != "object" or (has("dpp") and (has("specversion") | not)) then .
  elif has("data_base64") then _dpp_with_body(f)
  else . as $event | _dpp_outputs($event; [f | _dpp_check]) end;
