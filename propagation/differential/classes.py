"""The classes of differences to OpenTelemetry for Python; ../src/docs.md has the reason of each."""

import re
import urllib.parse

HEX = re.compile(r"[0-9a-fA-F]+")


def explain(name, headers, ours, theirs):
    """The classes of a difference; an empty list if there is none, `None` if it has no explanation."""
    if ours == theirs:
        return []
    values = lambda wanted: [value for key, value in headers if key.lower() == wanted]
    found = EXPLAIN[name](values, ours, theirs)
    return sorted(set(found)) or None


def tracecontext(values, ours, theirs):
    found = []
    lines = values("traceparent")
    if theirs[0] and not ours[0]:
        if len(lines) > 1:
            found.append("a line twice")
        elif lines[0].endswith("\n"):
            found.append("tracecontext: a line feed at the end")
        return found
    if not (ours[0] and theirs[0]) or ours[0][:2] != theirs[0][:2]:
        return found
    if theirs[0][2] & ~3 and theirs[0][2] & 3 == ours[0][2]:
        found.append("tracecontext: unknown flags")
    elif theirs[0][2] != ours[0][2]:
        return []
    if ours[0][3] != theirs[0][3]:
        keys = [member.strip(" \t").split("=")[0] for line in values("tracestate") for member in line.split(",")]
        keys = [key for key in keys if key]
        level_1 = re.compile(r"[a-z][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13}")
        if theirs[0][3]:
            return []
        if len(keys) != len(set(keys)):
            found.append("tracecontext: equal keys in a trace state")
        elif any(not level_1.fullmatch(key) for key in keys):
            found.append("tracecontext: keys that are legal since Level 2")
        else:
            return []
    return found


def baggage(values, ours, theirs):
    found = []
    lines = values("baggage")
    text = ",".join(lines)
    members = [member for member in text.split(",") if member.strip(" \t")]
    if ours[1] != theirs[1]:
        if len(lines) > 1:
            found.append("baggage: several lines")
        if len(members) > 64:
            found.append("baggage: more than 64 members")
        if len(text) > 8192 or any(len(member) > 4096 for member in members):
            found.append("baggage: a member of more than 4,096 bytes, or a header of more than 8,192")
        if ";" in text:
            found.append("baggage: properties")
        if "+" in text:
            found.append("baggage: a plus")
        if any(re.match(r"[^=]*%", member) for member in members):
            found.append("baggage: a key with a percent sign")
        both = set(ours[1]) & set(theirs[1])
        if any(ours[1][key] != theirs[1][key] and ours[1][key].strip() == theirs[1][key] for key in both):
            found.append("baggage: encoded blanks at the ends of a value")
        return found
    # They are of the same mind, and write it differently.
    plus = {urllib.parse.unquote_plus(key): urllib.parse.unquote_plus(value) for key, value in split(theirs[2].get("baggage", ""))}
    plain = {key: urllib.parse.unquote(value.split(";")[0]) for key, value in split(ours[2].get("baggage", ""))}
    if plus == theirs[1] and plain == ours[1]:
        found.append("baggage: which characters are encoded")
    return found


def split(header):
    return [member.split("=", 1) for member in header.split(",") if member]


def b3(values, ours, theirs):
    found = []
    single, sampled = values("b3"), values("x-b3-sampled")
    multi = [values(key) for key in ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags")]
    parts = single[0].split("-") if single else []
    if any(len(lines) > 1 for lines in [single, *multi]):
        return ["a line twice"]
    if any(set(value) == {"0"} and len(value) >= 16 for value in theirs[2].get("b3", "").split("-") + list(theirs[2].values())):
        if ours[0] is None and theirs[0] is None:
            return ["b3: ids of zero are passed on"]
    if ours[0] and theirs[0] and ours[0][:2] == theirs[0][:2]:
        if ours[0][3] == "b3=d":
            found.append("debug is passed on")
        if ours[0][2] == 1 and theirs[0][2] == 0:
            if len(parts) == 3 and len(parts[2]) == 16:
                found.append("b3: a parent without a decision")
            elif not (single and single[0]) and (not sampled or not sampled[0].strip(" \t")):
                found.append("no decision is taken as sampled")
            elif sampled and sampled[0].lower() == "true":
                found.append("b3: true in any case")
        return found if ours[0][2] == theirs[0][2] or len(found) > (ours[0][3] == "b3=d") else blanks(values, found)
    if ours[0] and not theirs[0]:
        if parts and single[0] and ours[0][0].endswith(multi[0][0].strip(" \t").lower() if multi[0] else "none"):
            return ["b3: what is malformed does not hide the other form"]
        return blanks(values, found)
    if theirs[0] and not ours[0]:
        if single and single[0] and len(parts) >= 3:
            if parts[2] not in ("0", "1", "d"):
                found.append("b3: a decision that is none")
            if len(parts) > 3 and not re.fullmatch("[0-9a-fA-F]{16}", parts[3]):
                found.append("b3: a parent that is none")
        elif sampled and sampled[0].strip(" \t").lower() not in ("0", "1", "d", "true", "false", ""):
            found.append("b3: a decision that is none")
        return found
    if theirs[0] and ours[0] and single and parts and ours[0][:2] != theirs[0][:2]:
        found.append("b3: what is malformed does not hide the other form")
    return found


def blanks(values, found):
    keys = ("b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags")
    if any(value != value.strip(" \t") for key in keys for value in values(key)):
        return [*found, "blanks around a value"]
    return found


def jaeger(values, ours, theirs):
    lines = values("uber-trace-id")
    if len(lines) > 1:
        return ["a line twice"]
    line = lines[0]
    if ours[0] and theirs[0] and ours[0][:2] == theirs[0][:2]:
        trace_id, span_id, flags, state = ours[0]
        sampled = theirs[0][2]
        found = []
        if state == "b3=d":
            found.append("debug is passed on")
        if (flags, state, sampled) not in ((0, "", 0), (1, "", 1), (1, "b3=d", 1), (1, "b3=d", 0)):
            return []
        if theirs[2]["uber-trace-id"] == f"{trace_id}:{span_id}:{'0' * 16}:{'03' if sampled else '00'}":
            found.append("jaeger: how flags and parent are written")
            return found
        return []
    if ours[0] and "%3" in line:
        return ["jaeger: encoded colons"]
    if not ours[0]:
        parts = line.strip(" \t").split(":")
        # Python reads numbers: with sign, underscores, prefix, of any length, and blanks around them.
        lenient = [part for part in (*parts[:2], *parts[3:]) if not HEX.fullmatch(part)]
        too_long = [len(part) > most for part, most in zip(parts, (32, 16, 999, 2))]
        if len(parts) == 4 and (lenient or any(too_long)):
            return ["ids and flags as Python reads numbers"]
    return []


def xray(values, ours, theirs):
    lines = values("x-amzn-trace-id")
    fields = [field.split("=") for field in lines[0].split(";")] if lines else []
    keys = [field[0].strip() for field in fields]
    known = [key for key in keys if key in ("Root", "Parent", "Sampled")]
    if len(known) != len(set(known)):
        return ["xray: a field twice"]
    if ours[0] and theirs[0] and ours[0][:2] == theirs[0][:2] and "Sampled" not in keys:
        return ["no decision is taken as sampled"]
    if ours[0] and not theirs[0]:
        if any(field[0].strip() == "Sampled" and field[1:] and field[1].strip() == "?" for field in fields):
            return ["no decision is taken as sampled"]
        if any(len(field) != 2 for field in fields):
            return ["xray: a field that is not of the three is malformed"]
    if theirs[0] and not ours[0]:
        ids = [field[1].strip() for field in fields if field[0].strip() in ("Root", "Parent")]
        if any(not re.fullmatch(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}|[0-9a-fA-F]{16}", text) for text in ids):
            return ["ids and flags as Python reads numbers"]
        if any(part != part.strip(" \t") and part.strip() == part.strip(" \t").strip() for field in fields for part in field):
            return ["xray: line feeds and other white space around a field"]
    return []


EXPLAIN = {"tracecontext": tracecontext, "baggage": baggage, "b3": b3, "b3multi": b3, "jaeger": jaeger, "xray": xray}
