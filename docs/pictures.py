"""Draw the README's pictures from the demo's published pages, in Debian's chromium with the network blocked.

usage: make demo pictures
"""

from pathlib import Path

from playwright.sync_api import sync_playwright

from finops_kit.settings import find_workspace

PICTURES = Path(__file__).resolve().parent / "pictures"
PAGES = ("finance", "engineering")
CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    """One picture per page: the first screenful, as a reader sees it."""
    PICTURES.mkdir(exist_ok=True)
    reports = find_workspace().reports
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name in PAGES:
            page = browser.new_page(viewport={"width": 1280, "height": 960})
            page.route("**/*", lambda route: route.continue_() if route.request.url[:5] == "file:" else route.abort())
            page.goto((reports / f"{name}.html").as_uri())
            page.wait_for_timeout(1500)
            page.screenshot(path=str(PICTURES / f"{name}.png"))
            print(PICTURES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
