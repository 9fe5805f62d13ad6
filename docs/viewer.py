"""Pictures of a study in a viewer that others made: OHIF beside Orthanc, in a headless Chromium.

    npm pack @ohif/app && tar xzf ohif-app-*.tgz
    python -m docs.viewer STUDY_FOLDER --viewer package/dist --out PICTURES

Orthanc (with its DICOMweb plug-in) and Chromium come from the distribution. Everything listens on loopback only.
The study folder holds the images and our results; each series of ours becomes one picture.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_PLUGINS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc")
_WIDTH, _HEIGHT = 1400, 840
_QUALITY = 85
_CONFIG = """
window.config = {
  routerBasename: '/', extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2,
  showLoadingIndicator: true, defaultDataSourceName: 'dicomweb', investigationalUseDialog: { option: 'never' },
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'dicomweb',
    configuration: {
      friendlyName: 'archive', name: 'archive', wadoUriRoot: '/dicom-web', qidoRoot: '/dicom-web',
      wadoRoot: '/dicom-web', qidoSupportsIncludeField: false, imageRendering: 'wadors',
      thumbnailRendering: 'wadors', enableStudyLazyLoad: true, supportsFuzzyMatching: false, supportsWildcard: true,
      omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true, relativeResolution: 'studies' },
    },
  }],
};
"""


@dataclass(frozen=True)
class Shown:
    """What a viewer made of a study."""

    name: str
    picture: bytes
    text: str
    complaints: tuple[str, ...]
    """errors and warnings of the page"""


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """An Orthanc with DICOMweb on loopback; gives its address."""
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "DicomServerEnabled": False,
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        "Plugins": [place for place in _PLUGINS if Path(place).is_dir()],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        server = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/dicom-web/studies")
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(url: str, limit_s: float = 30) -> None:
    end = monotonic() + limit_s
    while True:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.HTTPError:
            pass
        if monotonic() > end:
            raise TimeoutError(f"nothing answers at {url}")
        sleep(0.2)


def _site(viewer: Path, archive: str) -> Starlette:
    client = httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_keepalive_connections=0))

    async def proxy(request: Request) -> Response:
        asked = await client.request(
            request.method,
            archive + request.url.path,
            params=request.query_params,
            content=await request.body(),
            headers={name: value for name, value in request.headers.items() if name in ("accept", "content-type")},
        )
        kept = {name: value for name, value in asked.headers.items() if name == "content-type"}
        return Response(asked.content, asked.status_code, kept)

    async def page(request: Request) -> Response:
        path = (viewer / request.path_params["path"]).resolve()
        if request.path_params["path"] == "app-config.js":
            answer: Response = Response(_CONFIG, media_type="text/javascript")
        elif path.is_relative_to(viewer.resolve()) and path.is_file():
            answer = FileResponse(path)
        else:
            answer = FileResponse(viewer / "index.html")
        # shared memory, which the viewer's workers want, needs an isolated page
        answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        answer.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        return answer

    return Starlette(
        routes=[Route("/dicom-web/{path:path}", proxy, methods=["GET", "POST"]), Route("/{path:path}", page)]
    )


@asynccontextmanager
async def served(viewer: Path, archive: str) -> AsyncIterator[str]:
    """The viewer's files and, under the same address, the archive's DICOMweb."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(_site(viewer, archive), port=port, log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


def _complaint(said: dict[str, Any]) -> str | None:
    """What the page threw or wrote as an error or warning."""
    parameters = said.get("params", {})
    if said.get("method") == "Runtime.exceptionThrown":
        details = parameters["exceptionDetails"]
        return f"thrown: {details.get('exception', {}).get('description') or details['text']}"
    if said.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
        words = (item.get("description") or str(item.get("value", "")) for item in parameters["args"])
        return f"{parameters['type']}: {' '.join(words)}"
    return None


class Browser:
    """A page of a headless Chromium, driven by its DevTools protocol."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.complaints: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message)
            complaint = _complaint(said)
            if complaint is not None:
                self.complaints.append(complaint)
            waiting = self._waiting.pop(said.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(said)

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; its result."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        said = await asyncio.wait_for(self._waiting[number], 120)
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']['message']}")
        return dict(said["result"])

    async def run(self, script: str) -> Any:
        """Value of a JavaScript expression."""
        said = await self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return said["result"].get("value")

    async def until(self, script: str, limit_s: float) -> bool:
        """Whether an expression becomes true in time."""
        end = monotonic() + limit_s
        while monotonic() < end:
            if await self.run(script):
                return True
            await asyncio.sleep(0.5)
        return False

    async def double_click(self, x: float, y: float) -> None:
        """A double click at a place of the page."""
        for count in (1, 2):
            for kind in ("mousePressed", "mouseReleased"):
                await self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)

    async def picture(self) -> bytes:
        """What is seen now, as JPEG."""
        said = await self.ask("Page.captureScreenshot", format="jpeg", quality=_QUALITY)
        return base64.b64decode(said["data"])


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Browser]:
    """A headless Chromium with one empty page."""
    port = free_port()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no Chromium is installed")
    command = [program, "--headless=new", "--no-sandbox", "--hide-scrollbars", "--mute-audio", "--disable-gpu"]
    command += ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    command += [f"--remote-debugging-port={port}", f"--user-data-dir={folder / 'chromium'}"]
    command += [f"--window-size={_WIDTH},{_HEIGHT}", "about:blank"]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await asyncio.to_thread(_wait_for, f"http://127.0.0.1:{port}/json/version")
        pages = httpx.get(f"http://127.0.0.1:{port}/json").json()
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        async with websockets.connect(address, max_size=None) as socket:
            yield Browser(socket)
    finally:
        browser.terminate()
        browser.wait(30)


_SKIP_THE_TOUR = """[...document.querySelectorAll('button,a,span,div')].filter(
  e => e.children.length === 0 && e.innerText === 'Skip all').forEach(e => e.click())"""
# the question whether measurements of a report are to be taken over
_SAY_YES = """(() => {
  const found = [...document.querySelectorAll('button')].filter(
    e => /^(yes|load|confirm|hydrate)/i.test(e.innerText.trim()));
  found.forEach(e => e.click());
  return found.length;
})()"""
# the list of measurements at the right, which is folded away
_SHOW_THE_LIST = """(() => {
  const found = [...document.querySelectorAll('[data-cy="trackedMeasurements-btn"]')];
  found.forEach(e => e.click());
  return found.length;
})()"""
_THUMBNAILS = """[...document.querySelectorAll('[data-cy^="study-browser-thumbnail"]')].map(e => {
  const r = e.getBoundingClientRect();
  return {text: e.innerText.replace(/\\s+/g, ' '), x: r.x + r.width / 2, y: r.y + r.height / 2};
})"""


async def _open(browser: Browser, page: str, wait_s: float) -> None:
    browser.complaints.clear()
    await browser.ask("Page.navigate", url=page)
    await asyncio.sleep(2)
    if not await browser.until(f"({_THUMBNAILS}).length > 0", 90):
        raise TimeoutError("the viewer shows no series")
    await asyncio.sleep(wait_s)


async def _shown(browser: Browser, name: str) -> Shown:
    text = await browser.run("document.body.innerText")
    return Shown(name, await browser.picture(), text, tuple(browser.complaints))


async def show(
    study_instance_uid: str, viewer: Path, archive: str, folder: Path, wait_s: float, only: str
) -> list[Shown]:
    """Open a study, then every one of its series whose label has the words."""
    shown = []
    async with served(viewer, archive) as address, chromium(folder) as browser:
        await browser.ask("Runtime.enable")
        await browser.ask(
            "Emulation.setDeviceMetricsOverride", width=_WIDTH, height=_HEIGHT, deviceScaleFactor=1, mobile=False
        )
        page = f"{address}/viewer?StudyInstanceUIDs={study_instance_uid}"
        await _open(browser, page, wait_s)
        await browser.run(_SKIP_THE_TOUR)
        await asyncio.sleep(2)
        shown.append(await _shown(browser, "study"))
        for number, label in enumerate(item["text"] for item in await browser.run(_THUMBNAILS)):
            if only.lower() not in label.lower():
                continue
            # a fresh page for each: one that breaks the viewer must not hide the next
            await _open(browser, page, wait_s)
            await browser.run(
                f"""document.querySelectorAll('[data-cy^="study-browser-thumbnail"]')[{number}].scrollIntoView()"""
            )
            place = (await browser.run(_THUMBNAILS))[number]
            await browser.double_click(place["x"], place["y"])
            await asyncio.sleep(wait_s)
            if await browser.run(_SAY_YES):
                await asyncio.sleep(wait_s)
                await browser.run(_SHOW_THE_LIST)
                await asyncio.sleep(2)
            shown.append(await _shown(browser, f"{number:02}-{_word(label)}"))
    return shown


def _word(text: str) -> str:
    return "-".join("".join(c.lower() if c.isalnum() else " " for c in text).split())[:60]


def main() -> int:
    """Store, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="folder with the DICOM files of one study")
    parser.add_argument("--viewer", type=Path, required=True, help="the viewer's built files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--wait", type=float, default=8.0, help="seconds that a series gets to appear")
    parser.add_argument("--only", default="", help="only series whose label has these words")
    parser.add_argument("--log", action="store_true", help="tell the viewer's errors and warnings too")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, orthanc(Path(name)) as archive:
        for path in sorted(item for item in chosen.study.rglob("*") if item.is_file()):
            httpx.post(f"{archive}/instances", content=path.read_bytes()).raise_for_status()
        (uid,) = (item["0020000D"]["Value"][0] for item in httpx.get(f"{archive}/dicom-web/studies").json())
        shown = asyncio.run(show(uid, chosen.viewer, archive, Path(name), chosen.wait, chosen.only))
    chosen.out.mkdir(parents=True, exist_ok=True)
    for item in shown:
        (chosen.out / f"{item.name}.jpg").write_bytes(item.picture)
        sys.stdout.write(f"{item.name}\n")
        for complaint in item.complaints if chosen.log else ():
            sys.stdout.write(f"    {complaint}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
