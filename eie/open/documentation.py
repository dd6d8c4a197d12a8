"""The API's description as a page, made of its OpenAPI document, without any script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def page(document: Mapping[str, Any]) -> str:
    """The page."""
    info = document["info"]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>{escape(info['title'])} {escape(info['version'])}</title>",
            '<meta name="viewport" content="width=device-width">',
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            f"<p>{escape(info.get('summary', ''))}</p>",
            f"<p>{_marked(info.get('description', ''))}</p>",
            "<p>Requests carry the token: <code>Authorization: Bearer TOKEN</code>. The <a href="
            '"openapi.json">OpenAPI document</a> is for programs.</p>',
            "<pre>curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:PORT/api/v1/workspace</pre>",
            *_operations(document),
            "<h2>Failures</h2>",
            *_failures(document),
            "<h2>Bodies</h2>",
            *_schemas(document),
            "</html>",
        ]
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    tag = None
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if (tags := operation.get("tags")) != tag:
                tag = tags
                yield f"<h2>{escape(', '.join(tags or ['more']).capitalize())}</h2>"
            yield f"<h3><code>{escape(method.upper())} {escape(path)}</code></h3>"
            yield from (
                f"<p>{_marked(part)}</p>" for part in operation.get("description", "").split("\n\n")
            )
            yield from _inputs(operation)
            yield from _answers(operation)


def _inputs(operation: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (
            parameter["name"],
            f"{parameter['in']}, {_kind(parameter['schema'])}"
            + (", needed" if parameter.get("required") else ""),
            parameter.get("description") or parameter["schema"].get("description", ""),
        )
        for parameter in operation.get("parameters", [])
    ]
    if "requestBody" in operation:
        rows.append(("body", _content(operation["requestBody"]), ""))
    yield from _table(rows)


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if status < "400":
            yield f"<p>Answers {escape(status)}: {_content(answer) or 'nothing'}.</p>"


def _content(body: Mapping[str, Any]) -> str:
    """What a body is made of, as HTML: a schema, or a file of some kinds."""
    kinds = [
        escape(kind) if content["schema"].get("format") == "binary" else _kind(content["schema"])
        for kind, content in body.get("content", {}).items()
    ]
    return " or ".join(kinds)


def _failures(document: Mapping[str, Any]) -> Iterator[str]:
    """The statuses from 400 on, each once."""
    found = {
        status: answer["description"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
    }
    yield from _table([(status, "", text) for status, text in sorted(found.items())])


def _schemas(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        if "properties" not in schema or "Validation" in name:
            continue
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3>'
        yield f"<p>{_marked(schema.get('description', ''))}</p>"
        needed = schema.get("required", [])
        yield from _table(
            [
                (
                    field,
                    _kind(inner) + (", needed" if field in needed else ""),
                    inner.get("description", ""),
                )
                for field, inner in schema["properties"].items()
            ]
        )


def _table(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    if rows:
        yield "<table>"
        for name, kind, text in rows:
            yield f"<tr><td><code>{escape(name)}</code><td>{kind}<td>{_marked(text)}"
        yield "</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(escape(repr(one)) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))


def _marked(text: str) -> str:
    """Text with its `code` set as code."""
    parts = escape(" ".join(text.split())).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
