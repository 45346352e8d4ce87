"""Managers who are signed in by somebody else: an OpenID Connect provider, or a proxy in front."""

from __future__ import annotations

import asyncio
import html
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import pytest

from gateway.config_file import load_config
from gateway.loading import loaded
from tests.admin.conftest import ManagerBrowser
from tests.library import POLICY, Library
from tests.running import Running, free_port, running_gateway
from tests.system_parts import need

OIDC = Path(__file__).parents[1] / "oidc"
HOME = "/_gateway/manage"
WINDOW = f"{HOME}?server=tv&item=abc123"

# --- by a proxy's word ---------------------------------------------------------------------------------


@dataclass
class Behind:
    running: Running
    port: int

    def browser(self) -> ManagerBrowser:
        return ManagerBrowser(self.port)


@pytest.fixture
async def behind(library: Library, tmp_path: Path) -> AsyncIterator[Behind]:
    port = free_port()
    extra = f"""manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}
sign_in:
  trusted_header:
    user: X-Remote-User
    groups: X-Remote-Groups
    from: [127.0.0.1]
    rights: [{{group: editors, may: ["tv:*"]}}, {{group: owners, may: ["tv:own"]}}]
"""
    async with running_gateway(tmp_path, POLICY, library.port, extra=extra) as running:
        yield Behind(running, port)


def said(user: str, groups: str = "editors") -> str:
    return f"X-Remote-User: {user}\r\nX-Remote-Groups: {groups}\r\nSec-Fetch-Dest: document\r\n"


async def test_who_the_proxy_names_is_signed_in_with_the_rights_of_the_groups(behind: Behind) -> None:
    browser = behind.browser()
    answer = await browser.get(WINDOW, headers=said("ada"))
    assert answer.status == 303
    entered = await browser.get(answer.headers["location"], headers=said("ada"))
    assert (entered.status, entered.headers["location"]) == (303, WINDOW)
    page = await browser.get(WINDOW, headers=said("ada"))
    assert page.status == 200
    assert b"ada" in page.body


async def test_the_session_ends_with_the_proxys_word(behind: Behind) -> None:
    browser = behind.browser()
    await browser.get(f"{HOME}/sign-in", headers=said("ada"))
    assert (await browser.get(WINDOW, headers=said("ada"))).status == 200
    assert (await browser.get(WINDOW, headers=said("bob"))).status == 303
    assert (await browser.get(WINDOW)).status == 303


async def test_the_groups_count_as_they_are_named_with_each_request(behind: Behind) -> None:
    browser = behind.browser()
    await browser.get(f"{HOME}/sign-in", headers=said("ada"))
    assert (await browser.get(WINDOW, headers=said("ada"))).status == 200
    assert (await browser.get(WINDOW, headers=said("ada", "owners"))).status == 403  # not an owner here
    for lost in (said("ada", "nobody"), said("ada", ""), "X-Remote-User: ada\r\nSec-Fetch-Dest: document\r\n"):
        assert (await browser.get(WINDOW, headers=lost)).status == 303
    assert (await browser.get(WINDOW, headers=said("ada") + "X-Remote-Groups: owners\r\n")).status == 303
    assert (await browser.get(WINDOW, headers=said("ada"))).status == 200


async def test_a_change_of_the_rights_counts_at_once(behind: Behind) -> None:
    browser = behind.browser()
    await browser.get(f"{HOME}/sign-in", headers=said("ada"))
    assert (await browser.get(WINDOW, headers=said("ada"))).status == 200
    await reconfigured(behind.running, 'group: editors, may: ["tv:*"]', 'group: editors, may: ["tv:x*"]')
    assert (await browser.get(WINDOW, headers=said("ada"))).status == 403


async def reconfigured(running: Running, before: str, after: str) -> None:
    file = running.config.file
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    await running.gateway.adapt(loaded(load_config(file, need_servers=True)))


@pytest.mark.parametrize(
    "headers",
    [
        "", "X-Remote-Groups: editors\r\n", "X_Remote_User: ada\r\nX_Remote_Groups: editors\r\n",
        "X-Remote-User: ada\r\nX-Remote-User: bob\r\nX-Remote-Groups: editors\r\n",
        "X-Remote-User: \r\nX-Remote-Groups: editors\r\n",
        "X-Remote-User: ada\r\nX-Remote-Groups: editors\r\nX-Remote-Groups: editors\r\n",
        "X-Remote-User: guest\r\nX-Remote-Groups: editors\r\n",
        "X-Remote-User: Gateway\r\nX-Remote-Groups: editors\r\n",
        "X-Remote-User: system\r\nX-Remote-Groups: editors\r\n",
        "X-Remote-User: cli:root\r\nX-Remote-Groups: editors\r\n",
    ],
)  # fmt: skip
async def test_no_word_is_no_sign_in(behind: Behind, headers: str) -> None:
    answer = await behind.browser().get(f"{HOME}/sign-in", headers=headers + "Sec-Fetch-Dest: document\r\n")
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


async def test_without_a_right_nobody_gets_in(behind: Behind) -> None:
    for groups in ("", "nobody", "editorsX", "editors-in-chief"):
        answer = await behind.browser().get(f"{HOME}/sign-in", headers=said("ada", groups))
        assert answer.status == 403
        assert b"nothing here is yours" in answer.body


async def test_owners_by_header_own_what_the_media_server_says(behind: Behind, library: Library) -> None:
    browser = behind.browser()
    await browser.get(f"{HOME}/sign-in", headers=said("ada", "owners"))
    assert (await browser.get(WINDOW, headers=said("ada", "owners"))).status == 403
    library.owners["abc123"] = "ada"
    assert (await browser.get(WINDOW, headers=said("ada", "owners"))).status == 200


async def test_other_peers_may_not_say_who_somebody_is(library: Library, tmp_path: Path) -> None:
    port = free_port()
    extra = f"""manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}
sign_in: {{trusted_header: {{user: X-Remote-User, from: [10.1.2.3], rights: [{{group: a, may: ["tv:*"]}}]}}}}
"""
    async with running_gateway(tmp_path, POLICY, library.port, extra=extra):
        answer = await ManagerBrowser(port).get(f"{HOME}/sign-in", headers=said("ada", "a"))
        assert answer.status == 403


async def test_a_password_is_no_way_in_where_another_is_configured(behind: Behind) -> None:
    answer = await behind.browser().post(f"{HOME}/sign-in", {"name": "ada", "password": "x"})
    assert answer.status == 405


# --- by a provider ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def oidc_provider_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider and what it needs, installed as its lock file says."""
    npm = need("npm")
    folder = tmp_path_factory.mktemp("oidc")
    for name in ("package.json", "package-lock.json", "provider.mjs"):
        shutil.copy(OIDC / name, folder)
    import subprocess

    subprocess.run(
        [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True, timeout=110
    )
    return folder


@dataclass
class WithProvider:
    port: int
    provider: int
    running: Running


@pytest.fixture
async def elsewhere(oidc_provider_files: Path, library: Library, tmp_path: Path) -> AsyncIterator[WithProvider]:
    port, provider = free_port(), free_port()
    extra = f"""manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}
sign_in:
  oidc:
    issuer: http://127.0.0.1:{provider}
    client_id: gateway
    client_secret: "a secret: of the +client"
    scopes: [openid, profile, email]
    ids: [sub, email]
    rights: [{{group: editors, may: ["tv:*"]}}, {{claim: email_verified, value: "true", may: ["tv:own"]}}]
"""
    process = await asyncio.create_subprocess_exec(
        "node", "provider.mjs", str(provider), f"http://127.0.0.1:{port}{HOME}/sign-in/callback",
        cwd=oidc_provider_files, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "NODE_ENV": "test"},
    )  # fmt: skip
    assert process.stdout is not None
    assert b"ready" in await asyncio.wait_for(process.stdout.readline(), 20)
    try:
        async with running_gateway(tmp_path, POLICY, library.port, extra=extra) as running:
            yield WithProvider(port, provider, running)
    finally:
        process.terminate()
        await process.wait()


class Walker:
    """A browser as far as redirects, cookies and forms go."""

    def __init__(self) -> None:
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.addresses: list[str] = []

    async def go(self, method: str, url: str, data: dict[str, str] | None = None) -> tuple[int, str, str]:
        for _ in range(12):
            self.addresses.append(url)
            headers = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
            async with self.session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
                if answer.status not in (302, 303):
                    return answer.status, str(answer.url), await answer.text()
                url, method, data = urljoin(url, answer.headers["Location"]), "GET", None
        raise AssertionError("it goes round in circles")

    async def sign_in(self, start: str, name: str) -> tuple[int, str, str]:
        """Through our page and the provider's, until we are back."""
        _, url, page = await self.go("GET", start)
        link = re.search(r'href="([^"]*sign-in\?go=1[^"]*)"', page)
        assert link is not None
        status, url, page = await self.go("GET", urljoin(url, html.unescape(link[1])))
        for fields in ({"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}):
            form = re.search(r'<form[^>]*action="([^"]+)"', page)
            if form is None or "/interaction/" not in url:
                break
            status, url, page = await self.go("POST", urljoin(url, html.unescape(form[1])), fields)
        return status, url, page


@pytest.fixture
async def walker() -> AsyncIterator[Walker]:
    walker = Walker()
    yield walker
    await walker.session.close()


async def test_a_provider_signs_a_manager_in(elsewhere: WithProvider, walker: Walker) -> None:
    status, url, page = await walker.sign_in(f"http://127.0.0.1:{elsewhere.port}{WINDOW}", "ada+editors")
    assert (status, url) == (200, f"http://127.0.0.1:{elsewhere.port}{WINDOW}")
    assert "<bdi>ada</bdi>" in page
    assert "Film abc123" in page
    begun = next(parse_qs(urlsplit(one).query) for one in walker.addresses if "code_challenge" in one)
    assert begun["code_challenge_method"] == ["S256"]
    assert begun["response_type"] == ["code"]
    assert not any("secret" in one for one in walker.addresses)


async def test_claims_and_ids_decide_what_somebody_may(
    elsewhere: WithProvider, walker: Walker, library: Library
) -> None:
    start = f"http://127.0.0.1:{elsewhere.port}{WINDOW}"
    status, _, _ = await walker.sign_in(start, "eve")
    assert status == 403  # an owner's right, and not the owner
    library.owners["abc123"] = "eve@example.org"
    status, _, page = await walker.go("GET", start)
    assert status == 200
    assert "Film abc123" in page


async def test_rights_are_those_of_the_configuration_in_force(elsewhere: WithProvider, walker: Walker) -> None:
    start = f"http://127.0.0.1:{elsewhere.port}{WINDOW}"
    assert (await walker.sign_in(start, "ada+editors"))[0] == 200
    await reconfigured(elsewhere.running, 'group: editors, may: ["tv:*"]', 'group: editors, may: ["tv:x*"]')
    assert (await walker.go("GET", start))[0] == 403
    await reconfigured(elsewhere.running, 'group: editors, may: ["tv:x*"]', 'group: staff, may: ["tv:*"]')
    assert (await walker.go("GET", start))[0] == 403  # an owner's right is left, by a claim
    await reconfigured(elsewhere.running, 'group: staff, may: ["tv:*"]', 'group: editors, may: ["tv:*"]')
    assert (await walker.go("GET", start))[0] == 200
    # Another provider's word is another word.
    await reconfigured(
        elsewhere.running, f"issuer: http://127.0.0.1:{elsewhere.provider}", "issuer: http://127.0.0.1:9"
    )
    assert "/sign-in?to=" in (await walker.go("GET", start))[1]


@pytest.mark.parametrize("name", ["guest+editors", "System+editors", "cli:root+editors"])
async def test_a_name_of_the_records_own_signs_nobody_in(elsewhere: WithProvider, walker: Walker, name: str) -> None:
    status, _, page = await walker.sign_in(f"http://127.0.0.1:{elsewhere.port}{WINDOW}", name)
    assert status == 403
    assert "own record" in page


async def test_a_sign_in_is_good_once_and_in_one_browser(elsewhere: WithProvider, walker: Walker) -> None:
    await walker.sign_in(f"http://127.0.0.1:{elsewhere.port}{HOME}", "ada+editors")
    (callback,) = [one for one in walker.addresses if "/sign-in/callback?" in one]
    path = callback.partition(str(elsewhere.port))[2]
    again = await ManagerBrowser(elsewhere.port).get(path)
    assert again.status == 401
    assert "set-cookie" not in again.headers
    # Begun here, ended there: what an attacker would send to somebody.
    other = ManagerBrowser(elsewhere.port)
    begun = await other.get(f"{HOME}/sign-in?go=1")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    victim = await ManagerBrowser(elsewhere.port).get(f"{HOME}/sign-in/callback?code=x&state={state}")
    assert victim.status == 401
    # And it is used up now, for the one who began it too.
    assert (await other.get(f"{HOME}/sign-in/callback?code=x&state={state}")).status == 401


@pytest.mark.parametrize("query", ["", "?state=x", "?code=x", "?error=access_denied&state=y", "?state=%20&code=%20"])
async def test_answers_nobody_asked_for_are_refused(elsewhere: WithProvider, query: str) -> None:
    answer = await ManagerBrowser(elsewhere.port).get(f"{HOME}/sign-in/callback{query}")
    assert answer.status == 401


async def test_a_wrong_code_or_issuer_signs_nobody_in(elsewhere: WithProvider) -> None:
    for more in ("code=wrong", "code=wrong&iss=https%3A%2F%2Fevil.example"):
        browser = ManagerBrowser(elsewhere.port)
        begun = await browser.get(f"{HOME}/sign-in?go=1")
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        answer = await browser.get(f"{HOME}/sign-in/callback?{more}&state={state}")
        assert answer.status == 502
        assert (await browser.get(HOME)).status == 303


async def test_a_provider_that_is_down_is_said(library: Library, tmp_path: Path) -> None:
    port = free_port()
    extra = f"""manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}
sign_in: {{oidc: {{issuer: 'http://127.0.0.1:{free_port()}', client_id: x, client_secret: yyyyyyyyyyyy,
  rights: [{{group: a, may: ["tv:*"]}}]}}}}
"""
    async with running_gateway(tmp_path, POLICY, library.port, extra=extra):
        answer = await ManagerBrowser(port).get(f"{HOME}/sign-in?go=1")
        assert answer.status == 502
        assert b"could not be reached" in answer.body
