"""A real browser without a window, and what it asked for and complained about."""

import json
import shutil

import pytest

# Without a sandbox, because continuous integration runs as root; without its background requests,
# which would be seen as those of the page.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--window-size=1500,1000",
]


def headless_chromium():
    """Return Chromium that records console messages and requests; skip the test without it."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


def requests_to_outside(browser) -> list[str]:
    """Return the addresses that the browser has asked for since the last call, but for files."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in asked if not url.startswith(("file:", "data:"))]


def errors_in_console(browser) -> list[dict]:
    """Return the errors in the browser's console since the last call."""
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
