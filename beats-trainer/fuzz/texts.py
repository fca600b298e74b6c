"""Texts that somebody made on purpose, each under the name that says who reads it."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Made = tuple[str, str, bytes]  # kind, name, content
KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjlM7b6C/e0YluzBmfAH7YH75+Lio
D+9bMAYocDGHsqNz6x294DMYNm0Gn4Om9ZAAU8c2M8sEGyHFXhqGwfQAtA==
-----END PUBLIC KEY-----
"""
SIGNATURE = Path(__file__).with_name("model.sig")  # of a folder with one file, a.pt, by the owner of KEY
SIGNED = b"data"
CONFIG, LABELS, PIN, DVC, LISTING = "config.yaml", "label_map.json", "m.pt.dvc", "config", "listing.dir"
BUNDLE, SIG = "bundle.tar", "model.sig"
YAML, JSON = (CONFIG, PIN), (LABELS, LISTING)
ODD = (
    *(
        "~",
        "[]",
        "{}",
        "[[]]",
        "5",
        "-1",
        "1e999",
        ".inf",
        ".nan",
        "0x1F",
        "1:30",
        "2024-02-30",
        "yes",
        "''",
        "=",
    ),
    *(
        "../../x",
        "C:x",
        "hf://",
        "hf://a/b@../../c/d",
        "hf://a/b@main/../../c",
        '"\\ud800"',
        '"\\0"',
        "é",
        "!!set {a}",
    ),
    *("!!python/name:os.system", "!!binary aaa=", "!!timestamp soon", "!!int many", "1" * 5000, "x" * 5000),
)


def whole(tiny: Path) -> dict[str, bytes]:
    """One good text of each kind."""
    labels = {f"species {i}": i for i in range(100)}
    pin = {"outs": [{"path": "m.pt", "md5": "a" * 32, "size": 3}], "desc": "weights", "meta": _meta()}
    return {
        CONFIG: (tiny / "espnet_finetuned_config.yaml").read_bytes(),
        LABELS: json.dumps(labels).encode(),
        PIN: json.dumps(pin, indent=1).encode(),
        DVC: b"[core]\n    remote = hub\n['remote \"hub\"']\n    url = hf://datasets/alice/frogs@v1/files\n",
        LISTING: json.dumps([{"md5": "b" * 32, "relpath": f"a/{i}.pt"} for i in range(20)]).encode(),
        BUNDLE: bundle({"a.pt.dvc": _pin_of(b"weights"), "a.pt": b"weights"}),
        SIG: SIGNATURE.read_bytes(),
    }


def _meta() -> dict[str, Any]:
    return {
        "licence": "MIT",
        "aliases": ["mine"],
        "sources": ["hf://alice/frogs@v1/m.pt"],
        "golden": [1.5] * 16,
        "scores": {"source": "nobody"},
    }


def _pin_of(data: bytes) -> bytes:
    return json.dumps({"outs": [{"path": "a.pt", "md5": hashlib.md5(data).hexdigest()}]}).encode()


def bundle(files: dict[str, bytes], said: object = None, **headers: str) -> bytes:
    """A bundle of these files; its manifest, and the headers of its last file, say other things if told."""
    listed = [
        {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    ]
    manifest = (
        said
        if isinstance(said, bytes)
        else json.dumps({"format": "beats-bundle 1", "files": listed}).encode()
    )
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in {"manifest.json": manifest, **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = headers if name == list(files)[-1] else {}
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def every(tiny: Path, chance: random.Random) -> Iterator[Made]:
    """Each kind, with what may vary drawn anew."""
    yield from _yaml(chance)
    yield from _json(chance)
    yield from _cards(chance)
    yield from _configs(chance)
    yield from _bundles(chance)
    yield from _signatures(chance)
    for name, text in whole(tiny).items():
        for encoding in ("utf-16", "latin-1"):
            odd = text.decode(errors="replace").replace("a", "ä").encode(encoding, errors="replace")
            yield f"{name} in {encoding}", name, odd
        yield f"{name} as it is", name, text
        yield f"{name} of zeros", name, bytes(chance.randrange(1, 10**5))
        yield f"{name} of noise", name, chance.randbytes(chance.randrange(1, 10**4))


def aliased(levels: int, width: int, *, merged: bool = False) -> str:
    """A few lines that stand for width to the power of levels values."""
    rows = ["a0: &a0 {x: 1}" if merged else "a0: &a0 [x, x]"]
    for i in range(1, levels):
        held = ", ".join([f"*a{i - 1}"] * width)
        rows.append(f"a{i}: &a{i} {{<<: [{held}]}}" if merged else f"a{i}: &a{i} [{held}]")
    return "\n".join(rows) + f"\nlast: *a{levels - 1}\n"


def _yaml(chance: random.Random) -> Iterator[Made]:
    bomb = aliased(chance.randrange(8, 30), chance.randrange(3, 12))
    count = chance.randrange(10_000, 80_000)
    texts = {
        "aliases": bomb + "token_list: *a1\nouts: *a1\ndesc: *a1\n",
        "aliases in a field": bomb + "token_list: [*a7]\nouts:\n- path: *a7\ndesc: *a7\n",
        "merges": aliased(chance.randrange(5, 20), 9, merged=True),
        "a chain of merges": "".join(
            ["a0: &a0 {x: 1}\n", *(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 3000))]
        ),
        "within itself": "token_list: &a [*a]\nouts: &b [{path: *b}]\n",
        "within itself, merged": "outs: &a\n  <<: *a\n  path: m.pt\n",
        "depth of lists": "[" * count,
        "depth of dashes": "- " * count,
        "depth of tables": "{a: " * count,
        "depth of questions": "? " * count,
        "many values": "[" + "x," * count + "]",
        "many names": "".join(f"a{i}: 1\n" for i in range(count // 4)),
        "many comments": "#\n" * count,
        "many anchors": "".join(f"- &a{i} x\n" for i in range(count // 4)),
        "many tags": "".join(f"- !a{i} x\n" for i in range(count // 4)),
        "a long name": f"{'x' * count}: 1",
        "a name twice": "outs: []\nouts:\n- path: m.pt\n",
        "documents": "---\na: 1\n" * (count // 10),
        "0.4 MB": "a:\n" + "- x\n" * 100_000,
    }
    for kind, text in texts.items():
        for name in YAML:
            yield f"YAML: {kind}", name, text.encode()
    for odd in ODD:
        yield (
            "YAML: an odd value",
            CONFIG,
            f"token_list: {odd}\nmodel_conf: {{classification_type: {odd}}}\n".encode(),
        )
        field = chance.choice(["path", "md5", "size", "remote"])
        yield "YAML: an odd value", PIN, f"outs:\n- {field}: {odd}\n".encode()
        field = chance.choice(
            ["licence", "aliases", "sources", "golden", "scores", "sha256", "size", "endpoint", "key"]
        )
        yield "YAML: an odd value", PIN, f"outs:\n- path: m.pt\nmeta:\n  {field}: {odd}\n".encode()
        field = chance.choice(["path", "etag", "version_id", "size"])
        yield "YAML: an odd value", PIN, f"deps:\n- {field}: {odd}\nouts:\n- path: m.pt\n".encode()


def _json(chance: random.Random) -> Iterator[Made]:
    count = chance.randrange(10_000, 500_000)
    texts = {
        "depth of lists": "[" * count,
        "depth of tables": '{"a":' * count,
        "closed depth": "[" * 900 + "]" * 900,
        "no numbers": '{"a": NaN, "b": Infinity}',
        "an endless number": '{"a": 1e999}',
        "many digits": '{"a": ' + "1" * count + "}",
        "a name twice": '{"a": 1, "a": 2}',
        "half a letter": '{"\\ud800": 1}',
        "many labels": json.dumps({f"label {i}": i for i in range(count // 10)}),
        "lists": '[{"md5": [[]], "relpath": {}}]',
        "ways out": json.dumps([{"md5": "a" * 32, "relpath": chance.choice(["../m.pt", "/m.pt", "C:m.pt"])}]),
        "a digest that leads away": json.dumps([{"md5": "../" * 11, "relpath": "m.pt"}]),
        "texts": json.dumps({str(i): "x" * 1000 for i in range(count // 1000)}),
    }
    for kind, text in texts.items():
        for name in JSON:
            yield f"JSON: {kind}", name, text.encode()


def _cards(chance: random.Random) -> Iterator[Made]:
    """The card of a repository, saved in the place of what is wanted."""
    front = chance.choice(
        ["license: mit\ntags: [audio]\n", aliased(9, 9), "license: &a [*a]\n", "tags: " + "[" * 5000]
    )
    card = f"---\n{front}---\n\n# Frogs\n\n```python\nimport beats\n```\n"
    for name in (CONFIG, LABELS, PIN, DVC, LISTING, BUNDLE, SIG):
        yield "card", name, card.encode()


def _configs(chance: random.Random) -> Iterator[Made]:
    head = "[core]\nremote = hub\n['remote \"hub\"']\n"
    texts = [
        *("no section", "[", "[core", "[core]\nremote", "=\n", "[a]\n[a]\nb\n b\n", head + "url = hf://\n"),
        *(
            head + "url = hf://a/b@../../c\n",
            head + "url = hf://a/b/../../c\n",
            head + "url = hf://a/b\n" * 9,
        ),
        head + "url = hf://a/b\nendpointurl = " + "x" * chance.randrange(10**5),
        head + "".join(f"name{i} = {i}\n" for i in range(chance.randrange(20_000))),
        "[core]\nremote = a\n" + " b\n" * chance.randrange(90_000),
    ]
    for text in texts:
        yield "DVC config", DVC, text.encode()


def _bundles(chance: random.Random) -> Iterator[Made]:
    files = {"a.pt.dvc": _pin_of(b"weights"), "a.pt": b"weights"}
    for said in (
        b"[]",
        b"null",
        b"[" * 10**5,
        b'{"format": []}',
        b'{"format": "beats-bundle 1", "files": {"a": 1}}',
    ):
        yield "bundle with another manifest", BUNDLE, bundle(files, said)
    for path in ("../a.pt", "/a.pt", "", "a.pt", "A.PT", "nul", "a:b", "x" * 300):
        listed = [
            {"path": name, "size": 7, "sha256": hashlib.sha256(b"weights").hexdigest()}
            for name in ("a.pt", path)
        ]
        manifest = json.dumps({"format": "beats-bundle 1", "files": listed}).encode()
        yield (
            "bundle with an odd name",
            BUNDLE,
            bundle({"a.pt": b"weights", path or "x": b"weights"}, manifest),
        )
    size = str(chance.choice([1 << 20, 1 << 33, 1 << 62]))
    sparse = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "a.pt",
        "GNU.sparse.realsize": size,
    }
    yield "bundle with holes", BUNDLE, bundle(files, **sparse)
    yield (
        "bundle with holes",
        BUNDLE,
        bundle(files, **{"GNU.sparse.map": f"0,1,{size},1", "GNU.sparse.size": size}),
    )
    for header, value in (
        ("size", "-512"),
        ("size", size),
        ("path", "../a.pt"),
        ("comment", "x" * 10**6),
        ("size", "x"),
    ):
        yield "bundle with odd headers", BUNDLE, bundle(files, **{header: value})
    for pin in (
        b"{",
        aliased(9, 9).encode(),
        b"outs: 5",
        _pin_of(b"other"),
        b"outs:\n- path: a.pt\n  md5: " + b"1" * 32,
    ):
        yield "bundle with another pin", BUNDLE, bundle({"a.pt.dvc": pin, "a.pt": b"weights"})


def _signatures(chance: random.Random) -> Iterator[Made]:
    text = SIGNATURE.read_text()
    for odd in ("ü", "\u202e", "\U0001f600", "\ud800", "\0"):
        at = chance.randrange(len(text))
        made = text[:at] + odd + text[at:]
        yield "signature that is not ASCII", SIG, made.encode(errors="surrogatepass")
        said = json.loads(text)
        said["dsseEnvelope"]["signatures"][0]["sig"] = odd * chance.randrange(1, 99)
        yield "signature that is not ASCII", SIG, json.dumps(said).encode()
        said["dsseEnvelope"]["payload"] = odd
        yield (
            "signature that is not ASCII",
            SIG,
            json.dumps(said, ensure_ascii=False).encode(errors="surrogatepass"),
        )
    for odd in ("[]", "null", "[" * 10**5, '{"mediaType": 5}', "{}", '{"dsseEnvelope": []}'):
        yield "signature of another shape", SIG, odd.encode()


def retyped(data: bytes, chance: random.Random) -> bytes:
    """One word replaced by an odd one."""
    words = data.split(b" ")
    words[chance.randrange(len(words))] = chance.choice(ODD).encode()
    return b" ".join(words)


def repeated(data: bytes, chance: random.Random) -> bytes:
    """A piece of it, again and again."""
    start = chance.randrange(len(data))
    piece = data[start : start + chance.choice([1, 10, 100])]
    return data[:start] + piece * chance.choice([2, 100, 3000]) + data[start:]


def anchored(data: bytes, chance: random.Random) -> bytes:
    """Anchors, aliases, merges and tags, where there were values."""
    text = data.decode(errors="replace").split(": ")
    for i in range(1, len(text)):
        text[i] = chance.choice(["", "&a ", "*a ", "!!map ", "{<<: *a} "]) + text[i]
    return ": ".join(text).encode()


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (retyped, repeated, anchored)
