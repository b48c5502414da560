"""Compares AI spans in a trace file with what Phoenix or MLflow made of them.

    TRACING_TYPE=file,otlp TRACING_ENDPOINT=http://127.0.0.1:6006 TRACING_AI__DIALECT=both program
    python check_ai_backend.py phoenix http://127.0.0.1:6006 traces.jsonl [project]
    python check_ai_backend.py mlflow  http://127.0.0.1:5000 traces.jsonl [experiment id]
    python check_ai_backend.py push    http://127.0.0.1:6006 model=2.5,10 ...   # US dollars per million tokens, to Phoenix

Needs `httpx` for Phoenix and `mlflow` for MLflow; both servers may run on this machine. Kinds, sessions, users, tokens and, where the
backend knows a price for the model, cost to a billionth of a dollar have to be equal. Says how many spans were, and exits with 1
if one was not.
"""

import json
import re
import sys
from decimal import Decimal

KINDS = {
    "chat": "LLM", "text_completion": "LLM", "embeddings": "EMBEDDING", "rerank": "RERANKER", "retrieval": "RETRIEVER",
    "execute_tool": "TOOL", "invoke_agent": "AGENT", "guardrail": "GUARDRAIL",
}
# MLflow's words for some of them where it goes by `gen_ai.operation.name`.
SAME = {"CHAT_MODEL": "LLM", "COMPLETION": "LLM"}


def value(of):
    kind, found = next(iter(of.items()), (None, None))
    if kind == "intValue":
        return int(found)
    if kind == "arrayValue":
        return [value(item) for item in found.get("values", [])]
    return found


def nano(usd):
    return None if usd is None else int((Decimal(repr(usd)) * 10**9).to_integral_value())


def spans_of(path):
    """The operations in a file of OTLP/JSON lines, by span id."""
    for line in open(path):
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    found = {a["key"]: value(a["value"]) for a in span.get("attributes", [])}
                    kind = found.get("openinference.span.kind") or KINDS.get(found.get("gen_ai.operation.name"))
                    if kind is None:
                        continue
                    first = lambda *keys: next((found[k] for k in keys if k in found), None)
                    yield span["spanId"], {
                        "name": span["name"],
                        "kind": kind,
                        "session": first("session.id", "gen_ai.conversation.id"),
                        "user": first("user.id"),
                        "input": first("gen_ai.usage.input_tokens", "llm.token_count.prompt"),
                        "output": first("gen_ai.usage.output_tokens", "llm.token_count.completion"),
                        "cost": nano(first("spandrel.cost.total", "llm.cost.total")),
                    }


def phoenix(url, project):
    import httpx

    client = httpx.Client(base_url=url, trust_env=False)
    query = """query($name: String!) { projects(filter: {col: name, value: $name}) { edges { node { name
        spans(first: 1000) { edges { node { spanId name spanKind attributes tokenCountPrompt tokenCountCompletion
        costSummary { total { cost } } } } } } } } }"""
    answer = client.post("/graphql", json={"query": query, "variables": {"name": project}}).json()
    if "errors" in answer:
        sys.exit(f"Phoenix says: {answer['errors']}")
    [node] = [edge["node"] for edge in answer["data"]["projects"]["edges"] if edge["node"]["name"] == project]
    for edge in node["spans"]["edges"]:
        span = edge["node"]
        found = json.loads(span["attributes"])
        yield span["spanId"], {
            "kind": span["spanKind"].upper(),
            "session": (found.get("session") or {}).get("id"),
            "user": (found.get("user") or {}).get("id"),
            "input": span["tokenCountPrompt"],
            "output": span["tokenCountCompletion"],
            "cost": nano(((span["costSummary"] or {}).get("total") or {}).get("cost")),
        }


def mlflow(url, experiment):
    from mlflow import MlflowClient

    client, token = MlflowClient(url), None
    while True:
        page = client.search_traces(locations=[experiment], max_results=100, page_token=token)
        for trace in page:
            for span in trace.data.spans:
                tokens, cost = span.attributes.get("mlflow.chat.tokenUsage") or {}, span.attributes.get("mlflow.llm.cost") or {}
                kind = span.span_type
                yield span.span_id, {
                    "kind": SAME.get(kind, kind),
                    "session": trace.info.trace_metadata.get("mlflow.trace.session"),
                    "user": trace.info.trace_metadata.get("mlflow.trace.user"),
                    "input": tokens.get("input_tokens"),
                    "output": tokens.get("output_tokens"),
                    "cost": nano(cost.get("total_cost")),
                }
        token = page.token
        if not token:
            return


def push(url, models):
    import httpx

    client = httpx.Client(base_url=url, trust_env=False)
    mutation = "mutation($input: CreateModelMutationInput!) { createModel(input: $input) { model { name } } }"
    for model in models:
        name, prices = model.split("=")
        kinds = zip(["input", "output"], ["PROMPT", "COMPLETION"], prices.split(","))
        costs = [{"tokenType": t, "kind": k, "costPerMillionTokens": float(p)} for t, k, p in kinds]
        given = {"name": name, "namePattern": f"^{re.escape(name)}$", "costs": costs}
        print(json.dumps(client.post("/graphql", json={"query": mutation, "variables": {"input": given}}).json()))


def compare(ours, theirs):
    """How many are equal, and what is not."""
    equal, unpriced, wrong = 0, 0, []
    for span_id, span in ours.items():
        found = theirs.get(span_id)
        if found is None:
            wrong.append(f"{span['name']} ({span_id}) is not there")
            continue
        is_call = span["kind"] in ("LLM", "EMBEDDING")
        # What OpenTelemetry has no word for has no kind there either.
        keys = [] if found["kind"] in ("UNKNOWN", None) and span["kind"] == "CHAIN" else ["kind"]
        keys += ["session", "user"] + (["input", "output"] if span["kind"] == "LLM" else [])
        differ = [f"{key} {span[key]!r} there {found[key]!r}" for key in keys if span[key] != found[key]]
        if is_call and found["cost"] is None:
            unpriced += 1
        elif is_call and span["cost"] != found["cost"]:
            differ.append(f"cost {span['cost']} there {found['cost']} nano-USD")
        if differ:
            wrong.append(f"{span['name']} ({span_id}): {'; '.join(differ)}")
        else:
            equal += 1
    return equal, unpriced, wrong


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    backend, url, *rest = sys.argv[1:]
    if backend == "push":
        return push(url, rest)
    ours = dict(spans_of(rest[0]))
    theirs = dict(phoenix(url, (rest + ["default"])[1]) if backend == "phoenix" else mlflow(url, (rest + ["0"])[1]))
    equal, unpriced, wrong = compare(ours, theirs)
    print(f"{equal} of {len(ours)} spans are equal in {backend}; of {unpriced} calls it knows no price")
    print("\n".join(wrong[:20]))
    sys.exit(1 if wrong or not ours else 0)


main()
