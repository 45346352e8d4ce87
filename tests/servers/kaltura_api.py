"""The fake's /api_v3: services and actions named by the caller, chained results, errors with status 200.

kaltura/server: api_v3/lib/KalturaFrontController.php, KalturaDispatcher.php, api_v3/services/BaseEntryService.php,
SessionService.php, plugins/content/caption/base/services/CaptionAssetService.php
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from tests.servers.asked import send_file
from tests.servers.kaltura_library import DELETED, Asset, Entry, Library, Session

Params = dict[str, Any]


class ApiError(Exception):
    def __init__(self, code: str, message: str, **args: str) -> None:
        super().__init__(message)
        self.code, self.message, self.args_said = code, message, args

    def said(self) -> Params:
        return {
            "code": self.code,
            "message": self.message,
            "objectType": "KalturaAPIException",
            "args": self.args_said,
        }


def entry_not_found(said: object) -> ApiError:
    return ApiError("ENTRY_ID_NOT_FOUND", f'Entry id "{said}" not found', ENTRY_ID=str(said))


class Api:
    """`base`: what every URL in an answer starts with."""

    def __init__(self, library: Library, base: str) -> None:
        self.library, self.base = library, base

    def answer(self, params: Params) -> web.StreamResponse:
        """One request or many: JSON where `format` is 1, XML otherwise."""
        service, action = str(params.get("service", "")), str(params.get("action", ""))
        # services of plugins are spelt with or without the plugin's name
        if (service.lower().removeprefix("caption_"), action.lower()) in (
            ("captionasset", "serve"),
            ("captionasset", "servewebvtt"),
        ):
            return self._serve_caption(params)
        if service.lower() == "multirequest":
            result: Any = self._many(params)
        else:
            result = self._one(service, action, params)
        if str(params.get("format", "2")) == "1":
            return web.json_response(result)  # an error has status 200 like everything else
        inner = f"<result>{_xml(result)}</result><executionTime>0.01</executionTime>"
        return web.Response(text=f"<?xml version='1.0' encoding='utf-8'?><xml>{inner}</xml>", content_type="text/xml")

    def _many(self, params: Params) -> list[Any]:
        """`{2:result:objects:0:id}` in any value is filled from an earlier answer: the caller chains what it likes."""
        shared = {key: value for key, value in params.items() if not key.isdigit() and key not in ("service", "action")}
        results: list[Any] = []
        for number in sorted(int(key) for key in params if key.isdigit()):
            one = {**shared, **params[str(number)]}
            one = {key: _fill(value, results) for key, value in one.items()}
            results.append(self._one(str(one.get("service", "")), str(one.get("action", "")), one))
        return results

    def _one(self, service: str, action: str, params: Params) -> Any:
        try:
            return self._call(service.lower(), action.lower(), params)
        except ApiError as error:
            return error.said()

    def _call(self, service: str, action: str, params: Params) -> Any:
        library = self.library
        if (service, action) == ("session", "startwidgetsession"):
            if params.get("widgetId") != f"_{library.partner}":
                raise ApiError("INVALID_WIDGET_ID", "Unknown widget id")
            return {
                "partnerId": library.partner,
                "ks": library.widget_ks(),
                "userId": "0",
                "objectType": "KalturaStartWidgetSessionResponse",
            }
        if (service, action) == ("session", "start"):
            admin = str(params.get("type", "0")) == "2"
            if params.get("secret") != (library.admin_secret if admin else library.user_secret):
                raise ApiError("START_SESSION_ERROR", f"Error while starting session for partner [{library.partner}]")
            seconds, user = int(params.get("expiry") or 86400), str(params.get("userId") or "")
            return library.sign(user, admin=admin, seconds=seconds, privileges=str(params.get("privileges") or ""))
        session = self._session(params)
        if (service, action) == ("apptoken", "startsession"):
            return self._app_session(params)
        if (service, action) == ("session", "end"):
            # alpha/lib/model/invalidSessionPeer.php, invalidateKs: with it go all that share its session id, and all of
            # an app token do (AppTokenService.php: PRIVILEGE_SESSION_ID is the token's id). For a day.
            shared = [one for one in session.privileges.split(",") if one.startswith("sessionid:")]
            library.ended.update([str(params["ks"]), *shared])
            return None
        if service in ("baseentry", "media"):
            return self._entries(action, params, session)
        if service in ("metadata_metadata", "metadata"):
            return {"totalCount": 0, "objects": [], "objectType": "KalturaMetadataListResponse"}
        if service.removeprefix("caption_") == "captionasset" and action == "list":
            entry = library.find((params.get("filter") or {}).get("entryIdEqual"))
            return {"totalCount": 2, "objects": [self._caption(one) for one in entry.captions] if entry else []}
        if (service, action) == ("flavorasset", "geturl"):
            asset = library.assets.get(str(params.get("id")))
            if asset is None:
                raise ApiError("FLAVOR_ASSET_ID_NOT_FOUND", "Flavor asset id not found")
            at = f"{self.base}/p/{library.partner}/sp/{library.partner}00/serveFlavor"
            return f"{at}/entryId/{asset.entry}/flavorId/{asset.id}/name/a.mp4"
        if (service, action) == ("user", "get"):
            return {"id": session.user, "objectType": "KalturaUser"}
        if service in ("stats", "analytics", "livereports"):
            return True
        raise ApiError("SERVICE_DOES_NOT_EXISTS", f'Service "{service}" does not exists')

    def _app_session(self, params: Params) -> Params:
        """api_v3/services/AppTokenService.php, startSessionAction; alpha/lib/model/AppToken.php, calcHash."""
        library, ks = self.library, str(params.get("ks"))
        if params.get("id") != library.app_token_id:
            raise ApiError("APP_TOKEN_ID_NOT_FOUND", f"App token id [{params.get('id')}] not found")
        if hashlib.sha256(f"{ks}{library.app_token}".encode()).hexdigest() != params.get("tokenHash"):
            raise ApiError("INVALID_APP_TOKEN_HASH", "Invalid application token hash")
        own = f"sessionid:{library.app_token_id},apptoken:{library.app_token_id},setrole:PLAYBACK_BASE_ROLE"
        # kSessionUtils::retrieveAllowedAppSessionPrivileges: none that the token or the server has a word in
        said = [one for one in str(params.get("sessionPrivileges") or "").split(",") if one.startswith("sview:")]
        seconds = min(int(params.get("expiry") or 86400), 86400)
        privileges = ",".join([own, *said])
        return {
            "ks": library.sign("guests", seconds=seconds, privileges=privileges),
            "partnerId": library.partner,
            "userId": "guests",
            "sessionType": 0,
            "privileges": privileges,
            "objectType": "KalturaSessionInfo",
        }

    def _session(self, params: Params) -> Session:
        """From the parameter alone: a header is not read here."""
        said = params.get("ks")
        if not said:
            raise ApiError("MISSING_KS", "Missing KS, session not established")
        session = self.library.read(str(said))
        if session is None:
            raise ApiError("INVALID_KS", f'Invalid KS "{said}", Error "-1,INVALID_STR"', KS=str(said))
        return session

    def _entries(self, action: str, params: Params, session: Session) -> Any:
        library = self.library
        if action in ("get", "getplaybackcontext"):
            entry = library.find(str(params.get("entryId")))
            # sview is entitlement: without it the entry is as good as not there
            if entry is None or entry.status == DELETED or (action == "get" and not session.may_view(entry)):
                raise entry_not_found(params.get("entryId"))
            return self._entry(entry) if action == "get" else self._context(entry, session, str(params.get("ks")))
        if action == "list":
            wanted = params.get("filter") or {}
            found = [one for one in library.entries.values() if one.status != DELETED and session.may_view(one)]
            if said := wanted.get("redirectFromEntryId"):
                # an ended live entry is answered with another one: its recording
                live = library.find(said)
                said = live.recording if live is not None and live.recording else said
                found = [one for one in found if one.id == said]
            if said := wanted.get("idEqual"):
                found = [one for one in found if one.id == said]
            if said := wanted.get("referenceIdEqual"):
                found = [one for one in found if one.reference == said]
            return {
                "totalCount": len(found),
                "objects": [self._entry(one) for one in found],
                "objectType": "KalturaBaseEntryListResponse",
            }
        raise ApiError("ACTION_DOES_NOT_EXISTS", f'Action "{action}" does not exists')

    def _entry(self, entry: Entry) -> Params:
        partner = self.library.partner
        at = f"{self.base}/p/{partner}/sp/{partner}00"
        return {
            "id": entry.id,
            "name": entry.name,
            "description": "",
            "partnerId": partner,
            "userId": "teacher@example.org",
            "creatorId": "teacher@example.org",
            "tags": "",
            "status": entry.status,
            "type": 7 if entry.media_type == 201 else 1,
            "mediaType": entry.media_type,
            "duration": entry.duration,
            "msDuration": entry.duration * 1000,
            "referenceId": entry.reference,
            "downloadUrl": f"{at}/raw/entry_id/{entry.id}/version/0",
            "thumbnailUrl": f"{at}/thumbnail/entry_id/{entry.id}/version/100002",
            "dataUrl": f"{at}/playManifest/entryId/{entry.id}/format/url/protocol/http",
            "createdAt": 1700000000,
            "objectType": "KalturaMediaEntry",
        }

    def _context(self, entry: Entry, session: Session, ks: str) -> Params:
        partner = self.library.partner
        blocked = not session.may_view(entry)
        flavors = ",".join(one.id for one in entry.flavors)
        # the KS that asked stands in the answer's addresses
        tail = f"/ks/{ks}" if entry.guarded else ""
        at = f"{self.base}/p/{partner}/sp/{partner}00/playManifest/entryId/{entry.id}/flavorIds/{flavors}{tail}"
        return {
            "sources": []
            if blocked
            else [
                {
                    "deliveryProfileId": number,
                    "format": format_,
                    "protocols": "http,https",
                    "flavorIds": flavors,
                    "url": f"{at}/protocol/http/format/{format_}/a.{extension}",
                    "drm": [],
                    "objectType": "KalturaPlaybackSource",
                }
                for number, (format_, extension) in enumerate(
                    (("applehttp", "m3u8"), ("mpegdash", "mpd"), ("url", "mp4")), 1001
                )
            ],
            "playbackCaptions": [] if blocked else [self._caption(one) for one in entry.captions],
            "flavorAssets": []
            if blocked
            else [
                {
                    "id": one.id,
                    "entryId": entry.id,
                    "status": 2,
                    "width": one.height * 16 // 9,
                    "height": one.height,
                    "bitrate": one.height,
                    "fileExt": "mp4",
                    "tags": "mobile,web,mbr,iphonenew,dash",
                    "objectType": "KalturaFlavorAsset",
                }
                for one in entry.flavors
            ],
            "actions": [{"type": 1, "objectType": "KalturaAccessControlBlockAction"}] if blocked else [],
            "messages": [{"message": "No KS where KS is required", "code": "BLOCK"}] if blocked else [],
            "bumperData": [],
            "objectType": "KalturaPlaybackContext",
        }

    def _caption(self, asset: Asset) -> Params:
        at = f"{self.base}/api_v3/index.php/service/caption_captionasset/action"
        return {
            "id": asset.id,
            "languageCode": asset.name,
            "label": {"en": "English", "de": "Deutsch"}[asset.name],
            "format": "3",
            "isDefault": False,
            "url": f"{at}/serve/captionAssetId/{asset.id}/v/11",
            "webVttUrl": f"{at}/serveWebVTT/captionAssetId/{asset.id}/segmentIndex/-1/version/11/captions.vtt",
            "objectType": "KalturaCaptionPlaybackPluginData",
        }

    def _serve_caption(self, params: Params) -> web.StreamResponse:
        """By the caption's own id: no entry is named, and no KS is needed for an entry without access control."""
        asset = self.library.assets.get(str(params.get("captionAssetId")))
        entry = self.library.find(asset.entry) if asset is not None and asset.kind == "caption" else None
        session = self.library.read(str(params.get("ks", "")))
        if asset is None or entry is None or (entry.guarded and (session is None or not session.may_view(entry))):
            said = ApiError(
                "CAPTION_ASSET_ID_NOT_FOUND", f'The caption asset id "{params.get("captionAssetId")}" not found'
            )
            return web.Response(text=f"<xml><result>{_xml(said.said())}</result></xml>", content_type="text/xml")
        if str(params.get("action", "")).lower() == "servewebvtt" and not params.get("segmentIndex"):
            part = f"#EXTINF:{entry.duration},\nsegmentIndex/1.vtt"
            text = f"#EXTM3U\n#EXT-X-TARGETDURATION:{entry.duration}\n{part}\n#EXT-X-ENDLIST\n"
            return web.Response(text=text, content_type="application/x-mpegurl")
        return send_file(asset.file, Access_Control_Allow_Origin="*")


def _fill(value: Any, results: list[Any]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(one, results) for key, one in value.items()}
    found = re.fullmatch(r"\{(\d+):result((?::\w+)*)\}", value) if isinstance(value, str) else None
    if found is None or int(found[1]) > len(results):
        return value
    answer = results[int(found[1]) - 1]
    try:
        for step in found[2].split(":")[1:]:
            answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    except (KeyError, IndexError, ValueError, TypeError):
        return value
    return answer


def _xml(value: Any) -> str:
    match value:
        case dict() if value.get("objectType") == "KalturaAPIException":
            inner = "".join(f"<{key}>{escape(str(value[key]))}</{key}>" for key in ("code", "message", "objectType"))
            return f"<error>{inner}</error>"
        case dict():
            return "".join(f"<{key}>{_xml(one)}</{key}>" for key, one in value.items())
        case list():
            return "".join(f"<item>{_xml(one)}</item>" for one in value)
        case bool():
            return str(int(value))
        case None:
            return ""
    return escape(str(value))


def parse_body(kind: str, body: bytes) -> Params:
    if "json" in kind and body.strip().startswith(b"{"):
        found = json.loads(body)
        return found if isinstance(found, dict) else {}
    return {}
