"""Reads OTLP/JSON lines with the official protobuf messages, as a stranger would.

Usage: check_trace_file.py FILE. Needs the package opentelemetry-proto. Ids are
hexadecimal in OTLP/JSON and base64 in protobuf's own JSON, so they are adapted.
Ends with exit code 1 and a sentence at the first line that does not parse.
"""

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

IDS = {"traceId", "spanId", "parentSpanId"}


def adapt(value):
    if isinstance(value, list):
        return [adapt(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else adapt(item)
            for key, item in value.items()
        }
    return value


def main(path):
    spans, ids, parents = 0, set(), []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                sys.exit(f"{path}:{number}: the line has no end")
            try:
                traces = json_format.ParseDict(adapt(json.loads(line)), TracesData())
            except (ValueError, json_format.ParseError) as error:
                sys.exit(f"{path}:{number}: {error}")
            for resource in traces.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        spans += 1
                        ids.add((span.trace_id, span.span_id))
                        if span.parent_span_id:
                            parents.append((span.trace_id, span.parent_span_id))
                        if len(span.trace_id) != 16 or len(span.span_id) != 8 or not span.name:
                            sys.exit(f"{path}:{number}: a span without ids or name")
                        if span.end_time_unix_nano < span.start_time_unix_nano:
                            sys.exit(f"{path}:{number}: a span that ends before it starts")
    missing = sum(parent not in ids for parent in parents)
    traces = len({trace for trace, _ in ids})
    print(f"{path}: {spans} spans in {traces} traces, every line parses, {missing} parents are missing")
    if missing or len(ids) != spans:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
