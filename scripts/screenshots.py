"""Open a report in a browser, check it at two widths, and take screenshots of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from html import escape, unescape
from pathlib import Path
from typing import Annotated, Any

import _common as common
from PIL import Image
from tyro.conf import Positional, arg

WIDTHS = (390, 1280)  # pixels: a phone and a desk
BROWSERS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--virtual-time-budget=4000",
)  # fmt: skip

CHECK = """<script>
window.addEventListener("load", () => {
  const told = {errors: window.faults, wide: [], meet: [], empty: [], requests: 0, height: 0};
  const room = document.documentElement.clientWidth;
  for (const each of document.querySelectorAll("body *")) {
    const inside = each.closest(".wide") || each.closest("svg");
    if (!inside && each.getBoundingClientRect().right > room + 1) told.wide.push(each.tagName);
  }
  for (const figure of document.querySelectorAll("figure")) {
    const texts = [...figure.querySelectorAll("svg text")].filter(t => t.textContent.trim());
    if (!texts.length) told.empty.push(figure.textContent.trim().slice(0, 60));
    const boxes = texts.map(t => [t.textContent.trim(), t.getBoundingClientRect()]);
    for (let a = 0; a < boxes.length; a++) for (let b = a + 1; b < boxes.length; b++) {
      const [s, p] = boxes[a], [t, q] = boxes[b];
      const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (across > 1 && down > 0.25 * Math.min(p.height, q.height)) told.meet.push(s + " | " + t);
    }
  }
  told.requests = performance.getEntriesByType("resource").length;
  told.height = document.documentElement.scrollHeight;
  told.room = room;
  parent.document.title = "CHECKED" + JSON.stringify(told) + "CHECKED";
});
</script>"""
BEFORE = """<script>window.faults = [];
window.addEventListener("error", e => window.faults.push(String(e.message)));
console.error = (...all) => window.faults.push(all.join(" "));
</script>"""


def main(
    report: Annotated[Positional[Path], arg(metavar="REPORT", help="a report.html")],
    *,
    out: Annotated[Path, arg(metavar="DIR", help="where the pictures go")] = Path("docs/images"),
    name: Annotated[str, arg(help="how their names begin")] = "report",
    screens: Annotated[int, arg(help="height of a picture, in screens of 800 pixels; 0: all")] = 0,
) -> None:
    """Check that nothing is wider than the page, and that no two texts of a figure meet.

    Also that there is no error, no request and no empty figure. Faults are printed, and the exit
    code is then 2. Needs Chromium.
    """
    common.expect(report.is_file(), f"{report}: no such file; expected the report of compare.py")
    browser = next((found for each in BROWSERS if (found := shutil.which(each))), None)
    common.expect(browser is not None, f"no browser is installed; expected {BROWSERS[0]}")
    out.mkdir(parents=True, exist_ok=True)
    faults = []
    for width in WIDTHS:
        told = checked(str(browser), report, width)
        height, room = told.pop("height"), told.pop("room")
        common.expect(room == width, f"the browser shows {room} pixels; expected {width}")
        faults += [f"{width} pixels: {key}: {value}" for key, value in told.items() if value]
        picture = out / f"{name}-{width}.png"
        shown = min(height, 800 * screens) if screens else height
        page = report.read_text(encoding="utf-8")
        framed(str(browser), page, width, shown, f"--screenshot={picture.absolute()}")
        with Image.open(picture) as image:
            image.convert("RGB").crop((0, 0, width, shown)).save(picture, optimize=True)
        print(f"{picture}: {width} x {shown} pixels")
    common.expect(not faults, "\n".join(faults))


def checked(browser: str, report: Path, width: int) -> dict[str, Any]:
    """Return what the browser finds at a width: faults by kind, and the height of the page."""
    page = report.read_text(encoding="utf-8")
    page = page.replace("<head>", f"<head>{BEFORE}", 1).replace("</body>", f"{CHECK}</body>", 1)
    shown = framed(browser, page, width, 800, "--dump-dom")
    found = re.search("CHECKED(.*?)CHECKED", shown, re.DOTALL)
    common.expect(found is not None, f"{report}: the browser does not show it")
    assert found is not None
    told: dict[str, Any] = json.loads(unescape(found.group(1)))
    return told


def framed(browser: str, page: str, width: int, height: int, *options: str) -> str:
    """Run the browser on a page in a frame of this size, and return what it prints.

    A window cannot be narrower than 500 pixels; a frame can.
    """
    with tempfile.TemporaryDirectory() as profile:
        frame = Path(profile) / "frame.html"
        frame.write_text(
            f'<body style="margin:0"><iframe style="border:0;width:{width}px;height:{height}px" '
            f'srcdoc="{escape(page)}"></iframe>',
            encoding="utf-8",
        )
        done = subprocess.run(
            [browser, *QUIET, f"--user-data-dir={profile}",
             f"--window-size={max(width, 500)},{height}", *options, frame.as_uri()],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    common.run(main)
