#!/usr/bin/env python3
"""A service between two others, traced by the OpenTelemetry SDK of Python.

usage: python_service.py NEXT TRACES

Answers GET with what the service at the URL NEXT answers for the same path. Prints its own URL, ends
when standard input does, and leaves its spans in the file TRACES, as lines of OTLP/JSON.

Needs the package opentelemetry-sdk.
"""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

TRACER = trace.get_tracer("python-service")
# Loopback needs no proxy that the environment may name.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Lines(SpanExporter):
    """Writes each span as a line of OTLP/JSON."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def export(self, spans):
        for span in spans:
            parent = "" if span.parent is None else f"{span.parent.span_id:016x}"
            name = {"key": "service.name", "value": {"stringValue": span.resource.attributes["service.name"]}}
            line = {
                "traceId": f"{span.context.trace_id:032x}",
                "spanId": f"{span.context.span_id:016x}",
                "parentSpanId": parent,
                "traceState": span.context.trace_state.to_header(),
                "name": span.name,
                # Those of OTLP begin with `unspecified`.
                "kind": span.kind.value + 1,
                "startTimeUnixNano": str(span.start_time),
                "endTimeUnixNano": str(span.end_time),
            }
            resource = {"attributes": [name]}
            scopes = [{"scope": {"name": span.instrumentation_scope.name}, "spans": [line]}]
            self.file.write(json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}) + "\n")
        self.file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self):
        self.file.close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        incoming = propagate.extract({name.lower(): value for name, value in self.headers.items()})
        with TRACER.start_as_current_span("GET", context=incoming, kind=trace.SpanKind.SERVER):
            with TRACER.start_as_current_span("call the next", kind=trace.SpanKind.CLIENT):
                headers = {}
                propagate.inject(headers)
                request = urllib.request.Request(self.server.next + self.path, headers=headers)
                with OPENER.open(request, timeout=60) as response:
                    body = response.read()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def main():
    provider = TracerProvider(resource=Resource.create({"service.name": "python"}))
    provider.add_span_processor(BatchSpanProcessor(Lines(sys.argv[2])))
    trace.set_tracer_provider(provider)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.next = sys.argv[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
    server.shutdown()
    provider.shutdown()


if __name__ == "__main__":
    main()
