#!/usr/bin/env python3
"""A backend that takes spans in every form and decodes them with the official libraries.

usage: decode_spans.py

Takes OTLP over HTTP (protobuf, JSON) and over gRPC, JSON of Zipkin, and Thrift of Jaeger. Prints its URL
for HTTP and its URL for gRPC. Then, for each line of standard input, it prints one line of JSON:

    taken        all spans since the last time
    file PATH    those in a file with lines of OTLP/JSON

Ends when standard input does. Values are texts that begin with their type, `int 7`, so that nothing is
rounded on the way to the test. What came twice, in a type of its own or with another length is an error.

Needs the packages opentelemetry-proto, grpcio and thrift.
"""

import base64
import json
import queue
import sys
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc
from google.protobuf import json_format
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

IDS = {"traceId", "spanId", "parentSpanId"}
TAKEN = queue.SimpleQueue()


def double(value):
    if value != value:
        return "NaN"
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, repr(value).replace("e+", "e"))


def once(pairs):
    """A dictionary; a key that is there twice is an error."""
    found = dict(pairs := list(pairs))
    if len(found) != len(pairs):
        raise ValueError(f"a key is there twice: {[key for key, _ in pairs]}")
    return found


def parse_json(text):
    return json.loads(text, object_pairs_hook=once)


# OTLP


def check_known(message):
    if len(UnknownFieldSet(message)):
        raise ValueError(f"{message.DESCRIPTOR.name} has fields that OTLP does not have")
    for field, value in message.ListFields():
        if field.message_type:
            for inner in [value] if hasattr(value, "ListFields") else value:
                check_known(inner)


def any_value(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [any_value(item) for item in value.array_value.values]
    if kind == "double_value":
        return "double " + double(value.double_value)
    if kind == "bool_value":
        return "bool " + str(value.bool_value).lower()
    if kind in ("string_value", "int_value"):
        return f"{kind.removesuffix('_value')} {getattr(value, kind)}"
    raise ValueError(f"the attributes of spans have no {kind}")


def attributes(pairs):
    return once((pair.key, any_value(pair.value)) for pair in pairs)


def otlp(request):
    check_known(request)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "state": span.trace_state,
                    "flags": span.flags,
                    "name": span.name,
                    "kind": span.kind,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "status": {"code": span.status.code, "message": span.status.message},
                    "attributes": attributes(span.attributes),
                    "events": [
                        {
                            "name": event.name,
                            "time": event.time_unix_nano,
                            "attributes": attributes(event.attributes),
                            "dropped": event.dropped_attributes_count,
                        }
                        for event in span.events
                    ],
                    "links": [
                        {
                            "trace": link.trace_id.hex(),
                            "span": link.span_id.hex(),
                            "state": link.trace_state,
                            "flags": link.flags,
                            "attributes": attributes(link.attributes),
                            "dropped": link.dropped_attributes_count,
                        }
                        for link in span.links
                    ],
                    "dropped": {
                        "attributes": span.dropped_attributes_count,
                        "events": span.dropped_events_count,
                        "links": span.dropped_links_count,
                    },
                    "scope": {"name": scope.scope.name, "version": scope.scope.version},
                    "resource": attributes(resource.resource.attributes),
                }


def ids_adapted(value):
    """Ids are hexadecimal in OTLP/JSON and base64 in protobuf's own JSON."""
    if isinstance(value, list):
        return [ids_adapted(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else ids_adapted(item)
        for key, item in value.items()
    }


def otlp_json(text):
    return otlp(json_format.ParseDict(ids_adapted(parse_json(text)), ExportTraceServiceRequest()))


# Jaeger. As the compiler of Thrift describes structures: https://github.com/jaegertracing/jaeger-idl, thrift/jaeger.thrift


class Struct:
    def read(self, protocol):
        protocol.readStruct(self, self.spec)

    def __str__(self):
        return str(self.__dict__)


def struct(name, *fields):
    spec = [None] + [(number, *field, None) for number, field in enumerate(fields, 1)]
    return [type(name, (Struct,), {"spec": spec} | {field[1]: None for field in fields}), spec]


def text(name):
    return (TType.STRING, name, "UTF8")


def some(name, kind):
    return (TType.LIST, name, (TType.STRUCT, kind, False))


def number(name):
    return (TType.I64, name, None)


KIND = ("vStr", "vDouble", "vBool", "vLong", "vBinary")
TAG = struct(
    "Tag",
    text("key"),
    (TType.I32, "vType", None),
    text("vStr"),
    (TType.DOUBLE, "vDouble", None),
    (TType.BOOL, "vBool", None),
    number("vLong"),
    (TType.STRING, "vBinary", "BINARY"),
)
LOG = struct("Log", number("timestamp"), some("fields", TAG))
REFERENCE = struct("SpanRef", (TType.I32, "refType", None), *map(number, ("traceIdLow", "traceIdHigh", "spanId")))
SPAN = struct(
    "Span",
    *map(number, ("traceIdLow", "traceIdHigh", "spanId", "parentSpanId")),
    text("operationName"),
    some("references", REFERENCE),
    (TType.I32, "flags", None),
    number("startTime"),
    number("duration"),
    some("tags", TAG),
    some("logs", LOG),
)
PROCESS = struct("Process", text("serviceName"), some("tags", TAG))
BATCH = struct("Batch", (TType.STRUCT, "process", PROCESS), some("spans", SPAN))


def tag(found):
    values = [getattr(found, name) for name in KIND]
    if [kind for kind, value in enumerate(values) if value is not None] != [found.vType]:
        raise ValueError(f"a tag with another value than that of its type: {found}")
    value = values[found.vType]
    shown = [str, double, lambda value: str(value).lower(), str, bytes.hex][found.vType](value)
    return f"{('string', 'double', 'bool', 'int', 'binary')[found.vType]} {shown}"


def tags(found):
    return once((one.key, tag(one)) for one in found or [])


def unsigned(value):
    return f"{value % 2**64:016x}"


def trace_id(found):
    return unsigned(found.traceIdHigh) + unsigned(found.traceIdLow)


def thrift(body):
    protocol = TBinaryProtocol(TMemoryBuffer(body))
    batch = BATCH[0]()
    batch.read(protocol)
    if protocol.trans.read(1):
        raise ValueError("there is more than a batch")
    for span in batch.spans:
        yield {
            "process": {"service": batch.process.serviceName, "tags": tags(batch.process.tags)},
            "trace": trace_id(span),
            "span": unsigned(span.spanId),
            "parent": unsigned(span.parentSpanId),
            "name": span.operationName,
            "references": [
                {"type": one.refType, "trace": trace_id(one), "span": unsigned(one.spanId)}
                for one in span.references or []
            ],
            "flags": span.flags,
            "start": span.startTime,
            "duration": span.duration,
            "tags": tags(span.tags),
            "logs": [{"time": log.timestamp, "fields": tags(log.fields)} for log in span.logs or []],
        }


# The servers


def decode(path, kind, body):
    if path == "/api/v2/spans" and kind == "application/json":
        return parse_json(body)
    if path == "/api/traces" and kind == "application/x-thrift":
        return list(thrift(body))
    if path == "/v1/traces" and kind == "application/json":
        return list(otlp_json(body))
    if path == "/v1/traces" and kind == "application/x-protobuf":
        return list(otlp(ExportTraceServiceRequest.FromString(body)))
    raise ValueError(f"nobody takes {kind} at {path}")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        TAKEN.put(guarded(decode, self.path.partition("?")[0], self.headers["content-type"], body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Service(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        TAKEN.put(guarded(lambda: list(otlp(request))))
        return ExportTraceServiceResponse()


def guarded(decode, *arguments):
    """What went wrong is for the test, not for the log of a server."""
    try:
        return decode(*arguments)
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"


def answer(command):
    taken = []
    if command.startswith("file "):
        with open(command.removeprefix("file "), encoding="utf-8") as file:
            taken = [guarded(lambda: list(otlp_json(line))) for line in file]
    while not TAKEN.empty():
        taken.append(TAKEN.get())
    errors = [one for one in taken if isinstance(one, str)]
    return {"error": errors[0]} if errors else [span for spans in taken for span in spans]


def main():
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=http.serve_forever, daemon=True).start()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"http://127.0.0.1:{http.server_port} http://127.0.0.1:{port}", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line.rstrip("\n"))), flush=True)
    server.stop(None)
    http.shutdown()


if __name__ == "__main__":
    main()
