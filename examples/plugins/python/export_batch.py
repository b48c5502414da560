#!/usr/bin/env python3
"""Sends a recorded batch of spans to an exporter plugin, without any service.

The library is loaded by its path, an instance made from a configuration, and the
batch (OTLP protobuf, as in a file `traces.binpb`) exported, flushed and shut down.
Needs nothing but Python 3.8; the structures are those of plugin-api/include/spandrel.h.
"""

import argparse
import ctypes
import os
import struct
import sys
import time
from ctypes import CFUNCTYPE, POINTER, Structure, c_char, c_int32, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p

MAGIC = b"SPANDREL"
ABI_MAJOR, ABI_MINOR = 1, 0
KIND_EXPORTER = 1
STATUS = ["ok", "config invalid", "unsupported", "unavailable", "timeout", "shut down", "spans lost", "panicked",
          "io", "malformed", "internal"]
LEVELS = {1: "error", 2: "warning"}


class Text(Structure):
    # The pointer is not a c_char_p, which would read up to a zero.
    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]
    kept = []

    @classmethod
    def of(cls, value):
        """A text that lives as long as this program."""
        encoded = value.encode()
        buffer = ctypes.create_string_buffer(encoded, max(len(encoded), 1))
        cls.kept.append(buffer)
        return cls(ctypes.addressof(buffer), len(encoded))

    def __str__(self):
        return ctypes.string_at(self.ptr, self.len).decode("utf-8", "replace") if self.ptr and self.len else ""


class Bytes(Structure):
    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]


class Batch(Structure):
    _fields_ = [("size", c_size_t), ("parts", POINTER(Bytes)), ("parts_len", c_size_t), ("span_count", c_uint64)]


class ContextEntry(Structure):
    _fields_ = [("key", Text), ("value", Text)]


class Error(Structure):
    pass


Error._fields_ = [("size", c_size_t), ("message", Text), ("cause", Text), ("context", POINTER(ContextEntry)),
                  ("context_len", c_size_t), ("release", CFUNCTYPE(None, POINTER(Error))), ("private_data", c_void_p)]

LogFunction = CFUNCTYPE(None, c_void_p, c_uint32, Text)
NowFunction = CFUNCTYPE(c_uint64, c_void_p)
CountFunction = CFUNCTYPE(None, c_void_p, Text, c_uint64)
SuppressFunction = CFUNCTYPE(None, c_void_p, c_uint32)


class Host(Structure):
    _fields_ = [("size", c_size_t), ("abi_major", c_uint16), ("abi_minor", c_uint16), ("reserved", c_uint32),
                ("data", c_void_p), ("version", Text), ("log", LogFunction), ("now_ns", NowFunction),
                ("count", CountFunction), ("suppress_tracing", SuppressFunction)]


class CreateArguments(Structure):
    # No attributes are passed, so `resource` stays a bare pointer.
    _fields_ = [("size", c_size_t), ("name", Text), ("config", Text), ("resource", c_void_p),
                ("resource_len", c_size_t)]


class ExporterTable(Structure):
    # The entries that this program calls; those behind them are optional.
    _fields_ = [("size", c_size_t),
                ("export_batch", CFUNCTYPE(c_int32, c_void_p, POINTER(Batch), POINTER(Error))),
                ("flush", CFUNCTYPE(c_int32, c_void_p, c_uint64, POINTER(Error))),
                ("shutdown", CFUNCTYPE(c_int32, c_void_p, c_uint64, POINTER(Error))),
                ("destroy", CFUNCTYPE(c_int32, c_void_p))]


class Instance(Structure):
    _fields_ = [("size", c_size_t), ("data", c_void_p), ("exporter", POINTER(ExporterTable)), ("provider", c_void_p),
                ("propagation_fields", POINTER(Text)), ("propagation_fields_len", c_size_t), ("flags", c_uint64)]


class Descriptor(Structure):
    _fields_ = [("magic", c_char * 8), ("size", c_size_t), ("abi_major", c_uint16), ("abi_minor", c_uint16),
                ("abi_minor_min", c_uint16), ("kind", c_uint16), ("flags", c_uint64), ("name", Text),
                ("version", Text), ("vendor", Text), ("license", Text), ("description", Text), ("target", Text),
                ("create", CFUNCTYPE(c_int32, POINTER(CreateArguments), POINTER(Host), POINTER(Instance),
                                     POINTER(Error)))]


class Failure(Exception):
    """Ends the program with a sentence."""


def say(*words):
    # The plugin may write to the same terminal.
    print(*words, flush=True)


def make_host():
    log = LogFunction(lambda _, level, message: say(f"log {LEVELS.get(level, 'info')}: {message}"))
    now = NowFunction(lambda _: time.time_ns())
    count = CountFunction(lambda _, name, by: say(f"count {name} +{by}"))
    suppress = SuppressFunction(lambda _data, _on: None)
    return Host(ctypes.sizeof(Host), ABI_MAJOR, ABI_MINOR, 0, None, Text.of("export_batch.py"), log, now, count,
                suppress)


def load(path):
    """The descriptor of the plugin, once it is known to be one."""
    try:
        # By its whole path: a bare name would be searched for in the system's places.
        library = ctypes.CDLL(os.path.abspath(path))
    except OSError as error:
        raise Failure(f"the library cannot be loaded: {error}")
    try:
        entry = library.spandrel_plugin_v1
    except AttributeError:
        raise Failure(f"{path} is not a Spandrel plugin: it does not export spandrel_plugin_v1")
    entry.restype = POINTER(Descriptor)
    descriptor = entry()
    if not descriptor or bytes(descriptor.contents.magic) != MAGIC:
        raise Failure(f"{path} returns from spandrel_plugin_v1 what is not a descriptor")
    descriptor = descriptor.contents
    version = f"{descriptor.abi_major}.{descriptor.abi_minor}"
    if descriptor.abi_major != ABI_MAJOR or descriptor.abi_minor_min > ABI_MINOR:
        raise Failure(f"{path} was built for plugin ABI {version}; this program speaks {ABI_MAJOR}.{ABI_MINOR}")
    if descriptor.size < ctypes.sizeof(Descriptor) or not descriptor.create:
        raise Failure(f"{path} has a descriptor that is too small or has no function `create`")
    say(f"plugin {descriptor.name} {descriptor.version}, ABI {version}")
    if descriptor.kind != KIND_EXPORTER:
        raise Failure("this program can drive exporters only, and this is a live provider")
    return descriptor


def call(name, function, *arguments):
    """Calls a function that returns a status and fills an error."""
    error = Error(size=ctypes.sizeof(Error))
    status = function(*arguments, ctypes.byref(error))
    text = STATUS[status] if 0 <= status < len(STATUS) else "internal"
    if status != 0:
        text += f": {error.message or 'no text'}"
        if str(error.cause):
            text += f": {error.cause}"
        entries = error.context[:error.context_len] if error.context else []
        text += "".join(f", {entry.key} = {entry.value}" for entry in entries)
    if error.release:
        error.release(ctypes.byref(error))
    say(f"{name}: {text}")
    return status == 0


def send(descriptor, name, config, batch, timeout_ns):
    """Whether all went well."""
    host = make_host()
    # A host table lives as long as the process: threads of the plugin may call it.
    send.host = host
    arguments = CreateArguments(ctypes.sizeof(CreateArguments), Text.of(name), Text.of(config), None, 0)
    instance = Instance(size=ctypes.sizeof(Instance))
    if not call("create", descriptor.create, ctypes.byref(arguments), ctypes.byref(host), ctypes.byref(instance)):
        return False
    if not instance.exporter or instance.exporter.contents.size < ctypes.sizeof(ExporterTable):
        raise Failure("`create` handed out no table of an exporter")
    table, data = instance.exporter.contents, instance.data
    content = ctypes.create_string_buffer(batch, len(batch))
    part = Bytes(ctypes.cast(content, c_void_p), len(batch))
    lent = Batch(ctypes.sizeof(Batch), ctypes.pointer(part), 1, count_spans(batch))
    good = call(f"export of {lent.span_count} spans", table.export_batch, data, ctypes.byref(lent))
    good &= call("flush", table.flush, data, timeout_ns)
    good &= call("shutdown", table.shutdown, data, timeout_ns)
    status = table.destroy(data)
    say(f"destroy: {STATUS[status] if 0 <= status < len(STATUS) else 'internal'}")
    return good and status == 0


def fields(message):
    """Number and content of each field with a length in a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (message[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if message[at - 1] < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            varint()
        elif key & 7 == 2:
            length = varint()
            if at + length > len(message):
                raise IndexError
            yield key >> 3, message[at:at + length]
            at += length
        elif key & 7 in (1, 5):
            at += 8 if key & 7 == 1 else 4
        else:
            raise IndexError


def count_spans(batch):
    """The number of ResourceSpans.scope_spans.spans."""
    messages = [batch]
    try:
        for wanted in (1, 2, 2):
            messages = [content for message in messages for number, content in fields(message) if number == wanted]
    except IndexError:
        raise Failure("the batch is not OTLP protobuf (ExportTraceServiceRequest)")
    return len(messages)


def sample():
    """A small batch: a request, a query in it, and a failure."""

    def varint(value):
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(out) + bytes([value])

    def message(number, *parts):
        content = b"".join(parts)
        return varint(number << 3 | 2) + varint(len(content)) + content

    def text(number, value):
        return message(number, value.encode())

    def integer(number, value):
        return varint(number << 3) + varint(value & (1 << 64) - 1)

    def fixed(number, value):
        return varint(number << 3 | 1) + struct.pack("<d" if isinstance(value, float) else "<Q", value)

    def attribute(number, key, value):
        write = {bool: (2, integer), int: (3, integer), float: (4, fixed), str: (1, text)}
        kind, writer = write[type(value)]
        return message(number, text(1, key), message(2, writer(kind, value)))

    def span(span_id, parent, name, kind, start, end, status, **attributes):
        trace_id = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")
        begin = 1_760_000_000_000_000_000
        parts = [message(1, trace_id), message(2, bytes.fromhex(span_id))]
        parts += [message(4, bytes.fromhex(parent))] if parent else []
        parts += [text(5, name), integer(6, kind), fixed(7, begin + start), fixed(8, begin + end)]
        parts += [attribute(9, key.replace("_", "."), value) for key, value in attributes.items()]
        return message(2, *parts, *([message(15, *status)] if status else []))

    root, query, charge = "00f067aa0ba902b7", "00f067aa0ba902b8", "00f067aa0ba902b9"
    ok, failed = [integer(3, 1)], [text(2, "card declined"), integer(3, 2)]
    spans = [
        span(query, root, "SELECT cart", 3, 1_000_000, 3_250_500, None, db_rows=3, cache_hit=False),
        span(charge, root, "charge_card", 3, 4_000_000, 12_000_000, failed, amount=-12.5, note='two "lines"\n'),
        span(root, None, "POST /checkout", 2, 0, 12_500_000, ok, http_request_method="POST", customer="Zoë"),
    ]
    resource = message(1, attribute(1, "service.name", "shop"))
    return message(1, resource, message(2, message(1, text(1, "sample")), *spans))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plugin", nargs="?", help="the library, as ./libspandrel_print.so")
    parser.add_argument("--batch", metavar="FILE", default=os.path.join(here, "batch.binpb"),
                        help="the spans (default: the sample beside this program)")
    parser.add_argument("--config", metavar="TOML", default="", help="""as 'path = "spans.txt"' (default: empty)""")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=5.0, help="of flush and shutdown (5)")
    parser.add_argument("--sample", metavar="FILE", help="writes the sample batch to FILE, and does nothing else")
    options = parser.parse_args()
    try:
        if options.sample:
            with open(options.sample, "wb") as file:
                file.write(sample())
            return 0
        if not options.plugin:
            parser.error("name a plugin, or --sample FILE; --help says more")
        if not 0 <= options.timeout < 1e9:
            parser.error("--timeout is a number of seconds, not negative")
        with open(options.batch, "rb") as file:
            batch = file.read()
        count_spans(batch)
        descriptor = load(options.plugin)
        good = send(descriptor, str(descriptor.name), options.config, batch, int(options.timeout * 1e9))
        return 0 if good else 1
    except (Failure, OSError) as failure:
        print(f"export_batch.py: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
