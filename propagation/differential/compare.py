"""Random header sets, read and passed on by this crate and by OpenTelemetry for Python.

Each difference must be of a class named below, with its reason; one that is not ends the run
with an error. See README.md.
"""

import argparse
import collections
import random
import subprocess
import sys
import urllib.parse

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.propagators.textmap import Getter, Setter
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PYTHON = {
    "tracecontext": TraceContextTextMapPropagator(),
    "baggage": W3CBaggagePropagator(),
    "b3": B3SingleFormat(),
    "b3multi": B3MultiFormat(),
    "jaeger": JaegerPropagator(),
    "xray": AwsXRayPropagator(),
}


class Headers(Getter, Setter):
    """Names compare without regard to case, and a name may occur several times."""

    def get(self, carrier, key):
        return [value for name, value in carrier if name.lower() == key.lower()] or None

    def keys(self, carrier):
        return [name for name, _ in carrier]

    def set(self, carrier, key, value):
        carrier.append((key.lower(), value))


# Header sets

T, S = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE_IDS = [T, T[16:], T.upper(), "0" * 32, "0" * 16 + T[16:], T[:31], T + "0", "12345"]
SPAN_IDS = [S, S, S.upper(), "0" * 16, S[:15], S + "0", "1"]
PIECES = ["=", ",", ";", ":", "-", "%", " ", "\t", "\r\n", "\0", "\x7f", "\x85", "\u00e9", '"', "\\", "+", "_", "0", "1", "f",
          "F", "g", "a=1", ";p=2", "%0d%0a", "%ff", "%C3%A9", "%zz", "%3A", "b@c", "0a=1", "d", "true"]


class Source:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def trace_id(self):
        r = self.random
        return r.choice(TRACE_IDS) if r.random() < 0.3 else f"{r.getrandbits(128):032x}"

    def span_id(self):
        r = self.random
        return r.choice(SPAN_IDS) if r.random() < 0.3 else f"{r.getrandbits(64):016x}"

    def word(self, letters="abcdefghijklmnopqrstuvwxyz0123456789_-*/", most=8):
        return "".join(self.random.choice(letters) for _ in range(self.random.randint(1, most)))

    def mutate(self, value):
        r = self.random
        for _ in range(r.randint(1, 3)):
            at = r.randint(0, len(value))
            end = r.randint(at, min(len(value), at + 3))
            value = value[:at] + r.choice(["", r.choice(PIECES), chr(r.randint(0, 0x17F))]) + value[end:]
        return value

    def members(self):
        r = self.random
        count = r.choice([1, 2, 3, 5, 12, 32, 33, 40])
        value = lambda: self.word("abcXYZ 0123456789!#$%&'()*+-./:<>?@[]^_`{|}~", r.choice([4, 20, 60])).strip() or "v"
        return [f"{self.word()}={value()}" for _ in range(count)]

    def tracecontext(self):
        r = self.random
        version = r.choice(["00"] * 8 + ["01", "cc", "ff", "0", "000"])
        parent = f"{version}-{self.trace_id()}-{self.span_id()}-{r.choice(['00', '01', '02', '03', 'ff', '1', '0g'])}"
        headers = [("traceparent", parent + r.choice([""] * 8 + ["-", "-x", ".x", " ", "\n"]))]
        if r.random() < 0.7:
            members = self.members()
            cut = r.randint(0, len(members))
            headers += [("tracestate", r.choice([",", ", ", "\t,"]).join(part)) for part in (members[:cut], members[cut:])]
        return headers

    def baggage(self):
        r = self.random
        value = lambda: r.choice(
            [self.word(), urllib.parse.quote(self.word("\u00e9\u00fc \"\\,;=%abc", 6)), self.word() + "=" + self.word(), "", "%ff", "a+b"]
        )
        prop = lambda: r.choice(["", "", "", f";{self.word('abc')}", f";{self.word('abc')}={self.word('xyz')}"])
        blank = lambda: r.choice(["", "", "", " ", "\t"])
        members = [
            f"{blank()}{self.word('abcdefghijkl.-_')}{blank()}={blank()}{value()}{blank()}{prop()}"
            for _ in range(r.choice([1, 2, 3, 8, 64, 65, 70]))
        ]
        if r.random() < 0.02:
            members.insert(r.randint(0, len(members)), "big=" + "x" * r.choice([4000, 4093, 5000, 8188, 9000]))
        cut = r.randint(1, len(members)) if r.random() < 0.2 else len(members)
        return [("baggage", ",".join(part)) for part in (members[:cut], members[cut:]) if part]

    def b3(self):
        r = self.random
        headers = []
        if r.random() < 0.6:
            parts = [self.trace_id(), self.span_id()]
            if r.random() < 0.8:
                parts.append(r.choice(["0", "1", "d", "true", "2", ""]))
                if r.random() < 0.4:
                    parts.append(self.span_id())
            headers.append(("b3", r.choice(["-".join(parts)] * 8 + ["0", "1", "d", ""])))
        if r.random() < 0.6:
            headers += [("X-B3-TraceId", self.trace_id()), ("X-B3-SpanId", self.span_id())]
            if r.random() < 0.8:
                headers.append(("X-B3-Sampled", r.choice(["0", "1", "d", "true", "True", "TRUE", "false", "2", ""])))
            if r.random() < 0.3:
                headers.append(("X-B3-Flags", r.choice(["0", "1", "x"])))
            if r.random() < 0.3:
                headers.append(("X-B3-ParentSpanId", self.span_id()))
        return headers

    b3multi = b3

    def jaeger(self):
        r = self.random
        parts = [self.trace_id(), self.span_id(), r.choice(["0", self.span_id(), "x"]), r.choice(["0", "1", "2", "3", "01", "ff", "100", "x"])]
        return [("uber-trace-id", r.choice([":", ":", ":", "%3A", ";"]).join(parts))]

    def xray(self):
        r = self.random
        trace_id = self.trace_id()
        fields = [f"Root={r.choice(['1', '1', '1', '1', '2'])}-{trace_id[:8]}-{trace_id[8:]}", f"Parent={self.span_id()}"]
        if r.random() < 0.8:
            fields.append("Sampled=" + r.choice(["0", "1", "?", "", "2"]))
        if r.random() < 0.3:
            fields.append(r.choice(["Self=1-67891234-12456789abcdef012345678", "Lineage=a87bd80c:0|68fd508a:5", "x=y=z", ""]))
        if r.random() < 0.3:
            r.shuffle(fields)
        return [("X-Amzn-Trace-Id", r.choice([";", ";", "; ", ","]).join(fields))]

    def headers(self, name):
        r = self.random
        headers = getattr(self, name)()
        if headers and r.random() < 0.35:
            at = r.randrange(len(headers))
            headers[at] = (headers[at][0], self.mutate(headers[at][1]))
        if headers and r.random() < 0.05:
            headers.append(r.choice(headers))
        return headers


# Both answers, in one form: (context or None, baggage, headers)

def ask_python(name, headers):
    access = Headers()
    context = PYTHON[name].extract(headers, Context(), getter=access)
    span = trace.get_current_span(context).get_span_context()
    found = None
    if span.is_valid:
        state = ",".join(f"{key}={value}" for key, value in span.trace_state.items())
        found = (f"{span.trace_id:032x}", f"{span.span_id:016x}", int(span.trace_flags), state)
    members = {key: str(value) for key, value in baggage.get_all(context).items()}
    carrier = []
    PYTHON[name].inject(carrier, context, setter=access)
    return found, members, dict(carrier)


def ask_rust(program, sets):
    digits = lambda text: text.encode().hex()
    lines = ["\t".join([name] + [digits(part) for header in headers for part in header]) for name, headers in sets]
    done = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    text = lambda digits: bytes.fromhex(digits).decode()
    pairs = lambda field: {text(k): text(v) for k, v in (pair.split("=") for pair in field.split(",") if pair)}
    for line in done.stdout.splitlines():
        context, members, headers = line.split("\t")
        found = None
        if context:
            trace_id, span_id, flags, state = text(context).split(" ", 3)
            found = (trace_id, span_id, int(flags, 16), state)
        yield found, pairs(members), pairs(headers)


from classes import explain  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="the example `differential`, built")
    parser.add_argument("--sets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--show", default="", help="print examples of this class")
    arguments = parser.parse_args()

    source = Source(arguments.seed)
    names = list(PYTHON)
    sets = [(name, source.headers(name)) for name, _ in zip((names[i % len(names)] for i in range(arguments.sets)), range(arguments.sets))]
    classes, unexplained, equal, understood = collections.Counter(), [], 0, 0
    for (name, headers), ours in zip(sets, ask_rust(arguments.program, sets), strict=True):
        theirs = ask_python(name, headers)
        understood += ours[0] is not None or bool(ours[1])
        found = explain(name, headers, ours, theirs)
        if found == []:
            equal += 1
        elif found is None:
            unexplained.append((name, headers, ours, theirs))
        else:
            classes.update(found)
            if arguments.show in found:
                print(arguments.show, name, headers, "\n  ours  ", ours, "\n  theirs", theirs)
    print(f"{len(sets)} header sets, {understood} understood by this crate, {equal} treated alike")
    for found, count in classes.most_common():
        print(f"{count:8}  {found}")
    for name, headers, ours, theirs in unexplained[:20]:
        print("unexplained:", name, headers, "\n  ours  ", ours, "\n  theirs", theirs)
    print(f"{len(unexplained):8}  unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
