"""config.yaml: each mistake is named at its place, all at once, and what is right becomes values."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from gateway.config import Config, Listen, Manage, Origin
from gateway.config_file import load_config
from gateway.errors import BadFile

PHC = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
TOKEN = "sha256:" + "ab" * 32
PUBLIC = "public_url: https://guest.example.org\n"
SERVER = "servers: [{name: tv, upstream: http://127.0.0.1:8096, policy: hls}]\n"
DURATION = "must be a duration such as 90s, 15m, 12h, 7d or 1h30m (a number alone is seconds)"
LISTEN = "must be an address and a port, such as 127.0.0.1:8080 or [::]:8080"
STORES = "redis://, rediss://, unix://, redis+sentinel://, redis+cluster://"


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def load(folder: Path, text: str, **environ: str) -> Config:
    return load_config(write(folder, text), environ)


def faults(folder: Path, text: str, **environ: str) -> list[str]:
    """What is wrong, each as line:column: what, without the file's name."""
    path = write(folder, text)
    with pytest.raises(BadFile) as caught:
        load_config(path, environ)
    return [str(fault).removeprefix(f"{path}:").replace(str(folder), "FOLDER") for fault in caught.value.faults]


# Each line: what is added to a good file of two lines (the third line is the first of it), and the fault.
WRONG = {
    # addresses
    "listen: 8080": f"3:9: listen: {LISTEN}",
    "listen: localhost": f"3:9: listen: {LISTEN}",
    "listen: 127.0.0.1:99999": f"3:9: listen: {LISTEN}",
    "listen: '::1:8080'": f"3:9: listen: {LISTEN}",
    "listen: [127.0.0.1:8080]": "3:9: listen: must be text, not a list",
    "listen: ''": "3:9: listen: must not be empty",
    "admin_listen: yes": "3:15: admin_listen: must be text, not a truth value (true, false, yes, no, on, off);"
    " write it in quotes",
    "admin_listen: 127.0.0.1:8080": "3:15: admin_listen: 127.0.0.1:8080 is the address of listen already",
    "manage: {listen: 127.0.0.1:8080, url: 'https://m.example.org'}":
        "3:18: manage.listen: 127.0.0.1:8080 is the address of listen already",
    "manage: {listen: 127.0.0.1:8081}": "3:9: manage.url: is missing",
    "manage: {url: https://m.example.org, lisen: x}": "3:38: manage.lisen: unknown key (did you mean listen?)",
    "manage: https://guest.example.org": "3:9: manage: must differ from the guests' address: scripts of the media"
    " server's pages run there",
    "manage: https://guest.example.org:444": "3:9: manage: must have a host name of its own, or a listen address"
    " (manage: {listen: …, url: …})",
    "manage: 8081": "3:9: manage: must be a mapping (key: value)",
    "manage: ftp://x": "3:9: manage: must begin with http:// or https://",
    # the store and its secrets
    "store: mysql://x": f"3:8: store: must be embedded or begin with {STORES}",
    "store: redis:/x": f"3:8: store: must be embedded or begin with {STORES}",
    "store: redis://": "3:8: store: must name a host, such as redis://127.0.0.1:6379",
    "store: redis://x:0": "3:8: store: must name a host, such as redis://127.0.0.1:6379",
    "store: unix://": "3:8: store: must name a socket, such as unix:///run/valkey.sock",
    "store: redis+sentinel://127.0.0.1:26379":
        "3:8: store: must name the service, such as redis+sentinel://127.0.0.1:26379/mymaster",
    "store: 'redis://:a#b@127.0.0.1'": "3:8: store: is cut short by a # (in a password it is written as %23)",
    "store: redis://127.0.0.1:port": "3:8: store: is no URL (an odd character in a password is written as %XX)",
    "secrets: abc": "3:10: secrets: must be a list ([a, b], or lines that begin with -)",
    "secrets: [short]": "3:11: secrets[0]: has 5 bytes, at least 32 are needed (`gateway secret` makes one)",
    "secrets: ['file:']": "3:11: secrets[0]: must name a file, such as file:secrets/gateway.key",
    "secrets: [file:none]": "3:11: secrets[0]: FOLDER/none can't be read: No such file or directory",
    "secrets: [12345678901234567890123456789012]": "3:11: secrets[0]: must be text or file:PATH, not a number",
    "trusted_proxies: [proxy.lan]": "3:19: trusted_proxies[0]: must be an IP address or a network such as 10.0.0.0/8,"
    " not a name",
    "trusted_proxies: [10.1.0.0/8]": "3:19: trusted_proxies[0]: has bits behind its mask; write 10.0.0.0/8 or one"
    " address",
    "trusted_proxies: ['::1', '0::1']": "3:26: trusted_proxies[1]: stands here twice",
    "data_dir: 7": "3:11: data_dir: must be text, not a number; write it in quotes",
    # times, sizes, choices
    "session: {max_age: 1y}": f"3:20: session.max_age: {DURATION}",
    "session: {max_age: 1.5}": f"3:20: session.max_age: {DURATION}",
    "session: {max_age: -5}": f"3:20: session.max_age: {DURATION}",
    "session: {max_age: 1s}": "3:20: session.max_age: must be from 1m to 90d",
    "session: {leave_after: 2d}": "3:24: session.leave_after: must be from 5s to 1d",
    "session: {store_grace: 25h}": "3:24: session.store_grace: must be from 0s to 1d",
    "session: {cookie: 'a b'}": "3:19: session.cookie: must be letters, digits, _ and - (on https the cookie is"
    " __Host- and this)",
    "session: []": "3:10: session: must be a mapping (key: value)",
    "guests: {retention_days: 0}": "3:26: guests.retention_days: must be a whole number from 1 to 3650",
    "guests: {retention_days: '90'}": "3:26: guests.retention_days: must be a whole number from 1 to 3650",
    "limits: {form: 1GB}": "3:16: limits.form: must be a size such as 16KiB, from 1024 to 1048576 bytes",
    "log: {format: xml}": "3:15: log.format: must be text or json",
    "log: {access: 2}": "3:15: log.access: must be all, off, or a share from 0 to 1 such as 0.1",
    "prefixes: {link: g}": "3:18: prefixes.link: must be a path such as /g: letters, digits, . _ ~ - and no slash at"
    " the end",
    "prefixes: {link: /g/../x}": "3:18: prefixes.link: must be a path such as /g: letters, digits, . _ ~ - and no"
    " slash at the end",
    "prefixes: {link: /_gateway/g}": "3:11: prefixes: link and own must not lie inside one another",
    "theme: {logo: none.png}": "3:15: theme.logo: no file FOLDER/none.png",
    "theme: {name: 7}": "3:15: theme.name: must be text, not a number; write it in quotes",
    # unknown, and of a later version
    "lisen: x": "3:1: lisen: unknown key (did you mean listen?)",
    "session: {maxage: 1h}": "3:11: session.maxage: unknown key (did you mean max_age?)",
    "tls: {certificate: x}": "3:6: tls.key: is missing",
    "tls: {certificate: 'file:', key: x}": "3:20: tls.certificate: must name a file",
    "tls: {certificate: x, key: '-----BEGIN PRIVATE KEY-----'}": "3:28: tls.key: must name a file, not hold what is"
    " in it",
    "tls: {certificate: x, key: y, hsts: 1d}": "3:31: tls.hsts: unknown key (known: certificate, key)",
    "sign_in: oidc": "3:10: sign_in: must be password, or a mapping with trusted_header or oidc",
    "theme: {folder: mine}": "3:17: theme.folder: no folder FOLDER/mine (No such file or directory)",
    "theme: {colors: {}}": "3:9: theme.colors: unknown key (did you mean colours?)",
    "guests: {consent: We keep your name}": "3:19: guests.consent: must be a mapping (key: value)",
    "limits: {connections: 5}": "3:23: limits.connections: must be a whole number from 8 to 1000000",
    "languages: [xx]": "3:13: languages[0]: this version does not implement the language 'xx' "
    "(known: ar, de, en, es, fr, he, ja, pt)",
    # managers
    "managers: [{name: al, token: 'x', may: ['tv:*']}]": "3:30: managers[0].token: must be sha256: and 64 hex digits"
    " (`gateway token create` makes one), not the token itself",
    "managers: [{name: al, password: hunter2, may: ['tv:*']}]": "3:33: managers[0].password: must be a hash that"
    " begins with $argon2id$v=19$ (`gateway password` makes one)",
    f"managers: [{{name: al, password: '{PHC.replace('65536', '1024')}', may: ['tv:*']}}]": "3:33: managers[0]"
    ".password: is too weak or too costly a hash (`gateway password` makes one with 64 MiB and 3 passes)",
    "managers: [{name: al, may: ['tv:*']}]": "3:12: managers[0].password: is missing (`gateway password`), or token"
    " (`gateway token create`)",
    f"managers: [{{name: al, token: '{TOKEN}'}}]": "3:12: managers[0].may: is missing: which items, such as"
    ' ["tv:*"]',
    f"managers: [{{name: al, token: '{TOKEN}', may: [tw]}}]": "3:111: managers[0].may[0]: must be server:item, such as"
    ' "tv:*" or "tv:own"',
    f"managers: [{{name: al, token: '{TOKEN}', may: ['tw:*']}}]": "3:111: managers[0].may[0]: no server tw (known:"
    " tv)",
    f"managers: [{{name: al, token: '{TOKEN}', may: ['tv:own'], ids: [7]}}]": "3:128: managers[0].ids[0]: must be text,"
    " not a number; write it in quotes",
    f"managers: [{{name: 'a:b', token: '{TOKEN}', may: []}}]": "3:19: managers[0].name: must be 1 to 100 characters"
    " without : and control characters",
    f"managers: [{{name: Gateway, token: '{TOKEN}', may: []}}]": "3:19: managers[0].name: is a name that the record"
    " uses itself; take another",
    "managers: [al]": "3:12: managers[0]: must be a mapping (key: value)",
    # YAML itself
    "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2": "4:1: listen: given twice (first on line 3)",
    "listen: &a 127.0.0.1:1\ndata_dir: *a": "3:9: anchors and aliases are not used here",
    "data_dir: !!python/name:os.system x": "3:11: tags are not used here (tag:yaml.org,2002:python/name:os.system)",
    "data_dir: ${NOWHERE}/x":
        "3:11: the environment variable NOWHERE is not set here (set it, or write ${NOWHERE:-default})",
}  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_is_named_at_its_place(tmp_path: Path, line: str) -> None:
    assert faults(tmp_path, PUBLIC + SERVER + line + "\n") == [WRONG[line]]


# Each line: keys of a server besides the good ones, and the fault.
WRONG_SERVER = {
    "name: TV": "2:11: servers[0].name: must be small letters, digits and -, at most 40",
    "name: no": "2:11: servers[0].name: must be text, not a truth value (true, false, yes, no, on, off);"
    " write it in quotes",
    "name:": "2:10: servers[0].name: must not be empty",
    "ceilings: {max_day: 9}": "5:16: servers[0].ceilings.max_day: unknown key (did you mean max_days?)",
    "ceilings: {default_days: 9, max_days: 3}": "5:30: servers[0].ceilings.default_days: is more than max_days, 3",
    "ceilings: {require: [pins]}": "5:26: servers[0].ceilings.require[0]: can't be required of a link (did you mean"
    " pin?)",
    "upstream: 127.0.0.1:8096": "3:15: servers[0].upstream: must be a URL such as http://127.0.0.1:8096",
    "upstream: ftp://x": "3:15: servers[0].upstream: must begin with http:// or https://",
    "upstream: http://x:0": "3:15: servers[0].upstream: the port must be a number from 1 to 65535",
    "upstream: http://x/base": "3:15: servers[0].upstream: must be scheme, host and port alone, such as"
    " http://127.0.0.1:8096, without a path",
    "upstream: http://x/?a=b": "3:15: servers[0].upstream: must be scheme, host and port alone, such as"
    " http://127.0.0.1:8096, without a path",
    "upstream: http://me:pw@x": "3:15: servers[0].upstream: must hold no user name or password; credentials are written"
    " in the policy (upstream: basic)",
    "upstream: http://1.2.3": "3:15: servers[0].upstream: the host must be a name such as tv.example.org, or an IP"
    " address (v6 in [])",
    "upstream: http://tv.exämple": "3:15: servers[0].upstream: the host must be written in ASCII (as xn--…)",
    "upstream: {webrtc: http://x}": "3:15: servers[0].upstream.main: is missing",
    "upstream: {main: http://x, webrtc: x}": "3:40: servers[0].upstream.webrtc: must be a URL such as"
    " http://127.0.0.1:8096",
    "upstream: {main: http://x, api: http://u:p@y}": "3:37: servers[0].upstream.api: must hold no user name or"
    " password; credentials are written in the policy (upstream: basic)",
    "upstream: {main: http://x, Web RTC: http://y}": "3:32: servers[0].upstream.Web RTC: must be small letters, digits,"
    " - and _, at most 40",
    "policy: hsl": "4:13: servers[0].policy: no policy hsl is shipped (did you mean hls?); one of your own is written"
    " as ./hsl.yaml",
    "policy: ./mine.yaml": "4:13: servers[0].policy: no file FOLDER/mine.yaml",
    "policy: {}": "4:13: servers[0].policy: must be text, not a mapping",
    "guest_access: 'yes'": "5:19: servers[0].guest_access: must be true or false",
    "public_host: https://tv.example.org": "5:18: servers[0].public_host: must be a host name alone, such as"
    " tv.example.org",
    "also_known_as: [media.lan]": "5:21: servers[0].also_known_as[0]: must be a URL such as https://guest.example.org",
    "behind: cloud": "5:13: servers[0].behind: must be own_host or shared_host or forward_auth",
    "timeouts: {answer: 0}": "5:24: servers[0].timeouts.answer: must be from 1s to 1d",
    "timeouts: {read: 5}": "5:16: servers[0].timeouts.read: unknown key (known: answer, connect, idle)",
    "polcy: hls": "5:5: servers[0].polcy: unknown key (did you mean policy?)",
}  # fmt: skip


@pytest.mark.parametrize("line", WRONG_SERVER)
def test_a_mistake_in_a_server_is_named_at_its_place(tmp_path: Path, line: str) -> None:
    keys = {"name": "name: tv", "upstream": "upstream: http://127.0.0.1:8096", "policy": "policy: hls"}
    keys[line.partition(":")[0]] = line
    text = "servers:\n  - " + "\n    ".join(keys.values()) + "\n" + PUBLIC
    assert faults(tmp_path, text) == [WRONG_SERVER[line]]


def test_what_is_missing_is_named_at_the_place_it_is_missing_from(tmp_path: Path) -> None:
    assert faults(tmp_path, "listen: 127.0.0.1:8080\nservers:\n  - guest_access: true\n") == [
        "1:1: public_url: is missing",
        "3:5: servers[0].name: is missing",
        "3:5: servers[0].policy: is missing",
        "3:5: servers[0].upstream: is missing",
    ]


def test_all_mistakes_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = faults(tmp_path, "log: {format: xml}\nlisten: 80\nlisen: 3\npublic_url: x\nsecrets: [a, b]\n")
    assert [fault.split(":")[0] for fault in found] == ["1", "2", "3", "4", "5", "5"]


def test_several_servers_are_told_apart_by_name_and_host(tmp_path: Path) -> None:
    one = "{name: tv, upstream: http://a, policy: hls, public_host: tv.example.org}"
    assert faults(tmp_path, f"{PUBLIC}servers: [{one}, {one}]\n") == [
        "2:92: servers[1].name: tv is taken (the server on line 2)",
        "2:142: servers[1].public_host: tv.example.org is the host of tv already",
    ]
    assert faults(tmp_path, f"{PUBLIC}servers: [{one}, {{name: b, upstream: http://b, policy: hls}}]\n") == [
        "2:85: servers[1].public_host: is missing: with several servers the host name tells which one is meant"
    ]


def test_managers_have_names_and_tokens_of_their_own(tmp_path: Path) -> None:
    text = f"""\
    managers:
      - {{name: al, token: "{TOKEN}", may: ["tv:*"]}}
      - {{name: al, password: "{PHC}", may: ["*:*"]}}
      - {{name: bo, token: "{TOKEN.upper().replace("SHA", "sha")}", may: ["t?:a*"]}}
    """
    assert faults(tmp_path, PUBLIC + SERVER + dedent(text)) == [
        "5:12: managers[1].name: al is taken (the manager on line 4)",
        "6:23: managers[2].token: is the token of al already",
    ]


@pytest.mark.parametrize("written", ["hunter2-plain-text", "sha256:hunter2-plain-text"])
def test_a_refused_secret_is_not_repeated(tmp_path: Path, written: str) -> None:
    text = f"secrets: [{written}]\nmanagers: [{{name: al, token: '{written}', password: '{written}', may: []}}]\n"
    text += f"store: 'redis://:{written}#@x'\n"
    assert "hunter2" not in "\n".join(faults(tmp_path, PUBLIC + text))


def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("k" * 40)
    secret.chmod(0o644)
    text = PUBLIC + "secrets: [file:key]\n"
    assert faults(tmp_path, text) == [
        "2:11: secrets[0]: FOLDER/key can be read by everybody (mode 0644): chmod 600 FOLDER/key"
    ]
    secret.chmod(0o640)
    assert load(tmp_path, text).secrets == (b"k" * 40,)


def test_a_short_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 31 + "\n")
    (tmp_path / "key").chmod(0o600)
    assert faults(tmp_path, PUBLIC + "secrets: [file:key]\n") == [
        "2:11: secrets[0]: FOLDER/key holds 31 bytes, at least 32 are needed (`gateway secret` makes one)"
    ]


def test_a_secret_written_here_is_refused_where_everybody_can_read_it(tmp_path: Path) -> None:
    path = write(tmp_path, PUBLIC + "secrets: [" + "k" * 32 + "]\n", mode=0o644)
    with pytest.raises(BadFile, match=r":2:11: secrets\[0\]: everybody can read this file: write file:PATH, or chmod"):
        load_config(path, {})
    path.chmod(0o600)
    assert load_config(path, {}).secrets == (b"k" * 32,)


def test_a_secret_of_the_environment_does_not_stand_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, PUBLIC + "secrets: ['${KEY}']\n", mode=0o644)
    assert load_config(path, {"KEY": "k" * 32}).secrets == (b"k" * 32,)


def test_a_file_that_is_not_there_or_not_yaml_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"/none.yaml:1:1: can't be read: No such file or directory$"):
        load_config(tmp_path / "none.yaml")
    assert faults(tmp_path, "listen: [\n") == [
        "2:1: not YAML: did not find expected node content",
    ]
    assert faults(tmp_path, "- a\n") == ["1:1: must be a mapping (key: value)", "1:1: public_url: is missing"]


def test_an_empty_later_key_is_none_at_all(tmp_path: Path) -> None:
    text = "tls: {}\nsign_in:\nguests: {fields: [], consent: }\nsession: {embed_origins: []}\nlimits: {}\n"
    text += "theme: {colours: {}, folder: }\nlanguages: []\nmanagers: []\nsecrets: []\n"
    assert load(tmp_path, PUBLIC + text).servers == ()


def test_a_file_without_a_server_is_read_but_not_served(tmp_path: Path) -> None:
    path = write(tmp_path, PUBLIC + "servers: []\n")
    assert load_config(path).servers == ()
    with pytest.raises(BadFile, match=r":2:10: servers: no servers: there is nothing to stand in front of$"):
        load_config(path, need_servers=True)


def test_little_is_needed_and_the_rest_has_values(tmp_path: Path) -> None:
    config = load(tmp_path, PUBLIC + SERVER)
    assert config.listen == Listen("127.0.0.1", 8080)
    assert config.public_url == Origin("https", "guest.example.org", 443)
    assert config.manage is None
    assert config.data_dir == tmp_path / "data"
    assert (config.store, config.secrets, config.managers, config.warnings) == ("embedded", (), (), ())
    assert config.retention == timedelta(days=90)
    (server,) = config.servers
    assert (server.name, str(server.upstream), str(server.public)) == (
        "tv", "http://127.0.0.1:8096", "https://guest.example.org",
    )  # fmt: skip
    assert server.policy_path.name == "hls.yaml"
    assert server.policy_path.is_file()


def test_everything_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("server: x\n")
    (tmp_path / "logo.svg").write_text("<svg/>")
    (tmp_path / "hash").write_text(PHC + "\n")
    (tmp_path / "hash").chmod(0o600)
    config = load(
        tmp_path,
        dedent("""\
        listen: "[::1]:0"
        public_url: https://Guest.example.org:8443/
        manage: https://manage.example.org
        admin_listen: 127.0.0.1:9090
        data_dir: /var/lib/gateway
        store: redis://:${PW}@cache:6379/2
        trusted_proxies: [10.0.0.0/8, 192.0.2.1]
        servers:
          - name: tv
            upstream: HTTPS://Media.lan
            policy: ./mine.yaml
            guest_access: false
            public_host: tv.example.org
            also_known_as: [https://media.example.org:9443]
            behind: shared_host
            timeouts: {connect: 2, answer: 1m, idle: 1h30m}
          - {name: r2, upstream: "http://[::1]:81", policy: hls, public_host: "r2.example.org:444"}
        managers: [{name: al, password: file:hash, may: ["tv:own"], ids: [u7]}]
        guests: {retention_days: 30}
        session: {max_age: 1d, leave_after: 90s, store_grace: 0, cookie: guest}
        prefixes: {link: /join, own: /_g/own}
        limits: {form: 32KiB}
        theme: {name: Cinema, notice: "", logo: logo.svg}
        languages: [en]
        log: {format: json, access: off}
        """),
        PW="geheim",
    )
    tv, r2 = config.servers
    assert (str(config.listen), str(config.public_url)) == ("[::1]:0", "https://guest.example.org:8443")
    assert config.manage == Manage(Origin("https", "manage.example.org", 443), None)
    assert (config.data_dir, config.store) == (Path("/var/lib/gateway"), "redis://:geheim@cache:6379/2")
    assert "geheim" not in repr(config)
    assert config.trusted_proxies == ("10.0.0.0/8", "192.0.2.1")
    assert (str(tv.upstream), tv.policy_path, tv.guest_access) == ("https://media.lan", tmp_path / "mine.yaml", False)
    assert (str(tv.public), str(r2.public)) == ("https://tv.example.org:8443", "https://r2.example.org:444")
    assert [str(origin) for origin in tv.also_known_as] == ["https://media.example.org:9443"]
    assert (tv.behind, tv.timeouts.connect, tv.timeouts.idle) == (
        "shared_host", timedelta(seconds=2), timedelta(minutes=90),
    )  # fmt: skip
    assert r2.upstream.netloc == "[::1]:81"
    assert (config.managers[0].password, config.managers[0].ids) == (PHC, ("u7",))
    assert (config.retention, config.session.store_grace) == (timedelta(days=30), timedelta(0))
    assert (config.prefixes.link, config.prefixes.own) == ("/join", "/_g/own")
    assert (config.limits.form, config.theme.logo, config.log.access) == (32_768, tmp_path / "logo.svg", 0.0)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://guest.example.org", True),
        ("http://192.168.1.5:8080", True),
        ("http://127.0.0.1:8080", False),
        ("http://tv.localhost:8080", False),
        ("http://[::1]:8080", False),
        ("https://guest.example.org", False),
    ],
)
def test_plain_http_is_a_warning_outside_this_machine(tmp_path: Path, url: str, warned: bool) -> None:
    config = load(tmp_path, f"{SERVER}public_url: {url}\n")
    expected = f"2:13: public_url: {url} is not https: names, addresses and links of guests can be read on their way"
    assert [str(one).removeprefix(f"{config.file}:") for one in config.warnings] == [expected] * warned


def test_the_shipped_sample_is_valid() -> None:
    sample = Path(__file__).parents[2] / "config.yaml"
    config = load_config(sample, {}, need_servers=True)
    assert [server.policy for server in config.servers] == ["hls"]
    assert config.warnings == ()
