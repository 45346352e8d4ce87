"""Jellyfin's answers about items, users and itself. Paths in comments are of `jellyfin/jellyfin`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.servers.asked import Refused, send_file
from tests.servers.jellyfin_call import Call
from tests.servers.jellyfin_callers import acting_user
from tests.servers.jellyfin_library import Item, Library, Session, User, new_id

SERVER_ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def shown(item: Item) -> dict[str, Any]:
    """`MediaBrowser.Model/Dto/BaseItemDto.cs`, the fields that clients look at first."""
    value: dict[str, Any] = {
        "Id": item.id, "Name": item.name, "Type": item.type, "MediaType": item.media_type, "ServerId": SERVER_ID,
        "IsFolder": not item.sources and not item.remote, "LocationType": "FileSystem",
        "ImageTags": {"Primary": "a" * 32}, "BackdropImageTags": [],
    }  # fmt: skip
    if item.ticks is not None:
        value["RunTimeTicks"] = item.ticks
    return value


def user_shown(user: User) -> dict[str, Any]:
    policy = {"IsAdministrator": user.admin, "EnableContentDownloading": user.may_download}
    return {"Id": user.id, "Name": user.name, "ServerId": SERVER_ID, "HasPassword": True, "Policy": policy}


def session_list(library: Library) -> list[dict[str, Any]]:
    return [
        {"UserName": session.user.name, "DeviceId": session.device_id, "NowPlayingItem": shown(library["film"])}
        for session in library.sessions.values()
    ]


def public_info(call: Call) -> web.Response:
    version = "10.11.9" if call.server.legacy else "12.0.0"
    return web.json_response(
        {
            "LocalAddress": call.server.url, "ServerName": "a fake", "Version": version,
            "ProductName": "Jellyfin Server", "Id": SERVER_ID, "StartupWizardCompleted": True,
        }
    )  # fmt: skip


def system_info(call: Call) -> web.Response:
    return web.json_response(
        {"Id": SERVER_ID, "ProgramDataPath": "/var/lib/jellyfin", "CachePath": "/var/cache/jellyfin"}
    )


def ping(call: Call) -> web.Response:
    return web.json_response("Jellyfin Server")


def health(call: Call) -> web.Response:
    return web.Response(text="Healthy")


def branding(call: Call) -> web.Response:
    return web.json_response({"LoginDisclaimer": "", "CustomCss": "", "SplashscreenEnabled": False})


def web_client(call: Call) -> web.Response:
    """The player for people with accounts; it is of no use to a guest."""
    return web.Response(text="<!doctype html><title>Jellyfin</title><div id=reactRoot></div>", content_type="text/html")


def sign_in(call: Call) -> web.Response:
    """`Jellyfin.Api/Controllers/UserController.cs`. The device is taken from the header that has no token yet."""
    library = call.server.library
    user = next((user for user in library.users if user.name == call.json.get("Username")), None)
    if not call.caller.device_id:
        raise Refused(400, "Error processing request.")
    if user is None or user.password != call.json.get("Pw"):
        raise Refused(401, "Error processing request.")
    token = new_id()
    library.sessions[token] = Session(user, call.caller.device_id)
    return web.json_response({"User": user_shown(user), "AccessToken": token, "ServerId": SERVER_ID})


def sign_out(call: Call) -> web.Response:
    call.server.library.sessions.pop(call.caller.token, None)
    return web.Response(status=204)


def me(call: Call) -> web.Response:
    if call.caller.user is None:
        raise Refused(400)
    return web.json_response(user_shown(call.caller.user))


def users(call: Call) -> web.Response:
    return web.json_response([user_shown(user) for user in call.server.library.users])


def keys(call: Call) -> web.Response:
    found = [{"AccessToken": key, "AppName": name} for key, name in call.server.library.keys.items()]
    return web.json_response({"Items": found, "TotalRecordCount": len(found)})


def sessions(call: Call) -> web.Response:
    return web.json_response(session_list(call.server.library))


def telemetry(call: Call) -> web.Response:
    """Taken, whatever item the body names."""
    return web.Response(status=204)


def list_items(call: Call) -> web.Response:
    """All that the caller may see, or those named by `ids`."""
    wanted = [call.guid(one) for one in call.query.get("ids").split(",") if one]
    found = [
        shown(item)
        for item in call.server.library.items.values()
        if call.caller.sees(item) and (not wanted or item.id in wanted)
    ]
    return web.json_response({"Items": found, "TotalRecordCount": len(found), "StartIndex": 0})


def one_item(call: Call) -> web.Response:
    """`UserLibraryController.cs`, GetItem: a key without a user is 400, an item the user may not see is 404."""
    item_id = call.guid()
    user = acting_user(call.caller, call.path.get("user") or call.query.first("userId"), call.server.library)
    if user is None:
        raise Refused(400, "Error processing request.")
    item = call.item(item_id, as_user=False)
    if not user.sees(item):
        raise Refused(404)
    return web.json_response(shown(item))


def delete_items(call: Call) -> web.Response:
    """`LibraryController.cs`: with a key anything goes, and it is gone from the disk too."""
    named = [call.path["id"]] if "id" in call.path else [one for one in call.query.get("ids").split(",") if one]
    for one in named:
        item = call.item(call.guid(one))
        if not call.caller.is_key and not (call.caller.user and call.caller.user.may_delete):
            raise Refused(401, "Unauthorized access")
        del call.server.library.items[item.id]
    return web.Response(status=204)


def download(call: Call) -> web.StreamResponse:
    item = call.item(call.guid())
    if not item.sources:
        raise Refused(400, "Error processing request.")
    return send_file(_whole(item), Content_Disposition=f'attachment; filename="{item.name}.mp4"')


def whole_file(call: Call) -> web.StreamResponse:
    """`LibraryController.cs`, GetFile: any signed-in user, whatever is said about downloads."""
    item = call.item(call.guid())
    if not item.sources:
        raise Refused(404)
    return send_file(_whole(item))


def _whole(item: Item) -> Any:
    return item.sources[0].folder / ("song.mp3" if item.media_type == "Audio" else "film.mp4")


def image(call: Call) -> web.StreamResponse:
    """`ImageController.cs`: open, and no user is asked."""
    item = call.item(call.guid(), as_user=False)
    if not item.sources or call.path.get("kind", "").lower() not in ("primary", "backdrop", "thumb", "logo"):
        raise Refused(404)
    return send_file(item.sources[0].folder / "poster.jpg", Cache_Control="public, max-age=31536000")


def media_segments(call: Call) -> web.Response:
    item = call.item(call.guid())
    found = [{"Id": new_id(), "ItemId": item.id, "Type": "Intro", "StartTicks": 0, "EndTicks": 20_000_000}]
    return web.json_response({"Items": found, "TotalRecordCount": 1, "StartIndex": 0})


def fonts(call: Call) -> web.Response:
    return web.json_response([{"Name": "everybodys.ttf", "Size": 1000}])


def lyrics(call: Call) -> web.Response:
    item = call.item(call.guid())
    return web.json_response({"Metadata": {}, "Lyrics": [{"Text": f"La la {item.name}", "Start": 0}]})
