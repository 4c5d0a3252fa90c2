"""The YAML language server that editors use, over its standard input and output, as an editor speaks to it.

`npm install yaml-language-server` in any folder, and name that folder in YAML_LANGUAGE_SERVER, or have the command on the PATH.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

WAIT = 60.0


def command() -> str | None:
    """The server's command, if it is installed anywhere."""
    folder = os.environ.get("YAML_LANGUAGE_SERVER")
    local = Path(folder or "") / "node_modules" / ".bin" / "yaml-language-server"
    return str(local) if folder and local.exists() else shutil.which("yaml-language-server")


class Editor:
    """One open document, and what the server says of it."""

    def __init__(self, process: asyncio.subprocess.Process, uri: str) -> None:
        self._process = process
        self._uri = uri
        self._number = 0
        self._version = 0
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._marks: asyncio.Queue[list[dict[str, Any]]] = asyncio.Queue()

    async def listen(self) -> None:
        assert self._process.stdout is not None
        while header := await self._process.stdout.readline():
            if not header.lower().startswith(b"content-length:"):
                continue
            while (await self._process.stdout.readline()).strip():
                pass
            message = json.loads(await self._process.stdout.readexactly(int(header.split(b":")[1])))
            if "method" not in message:
                self._replies.pop(message["id"]).set_result(message.get("result"))
            elif "id" in message:  # the server asks for settings or registers something
                asked = message.get("params", {}).get("items", [])
                self._send({"id": message["id"], "result": [SETTINGS.get(item.get("section")) for item in asked]})
            elif message["method"] == "textDocument/publishDiagnostics":
                self._marks.put_nowait(message["params"]["diagnostics"])

    async def ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        reply = self._replies[self._number] = asyncio.get_running_loop().create_future()
        self._send({"id": self._number, "method": method, "params": params})
        return await asyncio.wait_for(reply, WAIT)

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def diagnostics(self, text: str) -> list[str]:
        """Type the text; what is marked in it, as `line:column message`."""
        self.type(text)
        marks = await asyncio.wait_for(self._marks.get(), WAIT)
        return [
            f"{mark['range']['start']['line'] + 1}:{mark['range']['start']['character'] + 1} {mark['message']}"
            for mark in marks
        ]

    def type(self, text: str) -> None:
        self._version += 1
        document = {"uri": self._uri, "version": self._version}
        if self._version == 1:
            self.tell("textDocument/didOpen", textDocument=document | {"languageId": "yaml", "text": text})
        else:
            self.tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    async def hover(self, text: str, word: str) -> str:
        """What is shown over the word, which the text holds once."""
        await self.diagnostics(text)
        place = position(text, text.index(word) + 1)
        shown = await self.ask("textDocument/hover", textDocument={"uri": self._uri}, position=place)
        return shown["contents"]["value"] if shown else ""

    async def completions(self, text: str) -> dict[str, str]:
        """What is offered at the place of the `|`, with what each would put there."""
        await self.diagnostics(text.replace("|", ""))
        place = position(text, text.index("|"))
        offered = await self.ask("textDocument/completion", textDocument={"uri": self._uri}, position=place)
        return {item["label"]: item.get("insertText") or item["textEdit"]["newText"] for item in offered["items"]}


def position(text: str, offset: int) -> dict[str, int]:
    before = text[:offset]
    return {"line": before.count("\n"), "character": offset - (before.rfind("\n") + 1)}


SETTINGS: dict[str | None, Any] = {}


@asynccontextmanager
async def editing(schema: Path, folder: Path) -> AsyncIterator[Editor]:
    """An editor with a policy open that names that schema for every YAML file."""
    SETTINGS["yaml"] = {
        "schemas": {schema.as_uri(): "*.yaml"},
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},
    }
    server = command()
    assert server is not None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        server, "--stdio", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    editor = Editor(process, (folder / "policy.yaml").as_uri())
    listening = asyncio.create_task(editor.listen())
    try:
        shows = {
            "hover": {"contentFormat": ["markdown"]},
            "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
        }
        await editor.ask(
            "initialize",
            processId=None,
            rootUri=folder.as_uri(),
            capabilities={"textDocument": shows, "workspace": {"configuration": True}},
        )
        editor.tell("initialized")
        editor.tell("workspace/didChangeConfiguration", settings={"yaml": SETTINGS["yaml"]})
        yield editor
    finally:
        process.kill()
        await process.wait()
        listening.cancel()
