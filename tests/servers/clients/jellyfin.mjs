// Signs in, looks an item up and plays it, all by Jellyfin's own client package.
// node jellyfin.mjs BASE NAME PASSWORD ITEM  →  one line of JSON with what it saw
import { Jellyfin } from "@jellyfin/sdk";
import * as apis from "@jellyfin/sdk/lib/utils/api/index.js";

const [base, name, password, itemId] = process.argv.slice(2);
const jellyfin = new Jellyfin({
  clientInfo: { name: "a test, with a comma", version: "1.0" },
  deviceInfo: { name: "a \"device\"", id: "device-of-the-client" },
});
const api = jellyfin.createApi(base);
const seen = { version: (await apis.getSystemApi(api).getPublicSystemInfo()).data.Version };
const login = { authenticateUserByName: { Username: name, Pw: password } };
api.update({ accessToken: (await apis.getAuthenticationApi(api).authenticateUserByName(login)).data.AccessToken });
seen.me = (await apis.getUserApi(api).getCurrentUser()).data.Name;
seen.type = (await apis.getLibraryApi(api).getItem({ itemId })).data.Type;
const asked = {
  itemId,
  playbackInfoDto: {
    MaxStreamingBitrate: 200000,
    DeviceProfile: {
      DirectPlayProfiles: [],
      TranscodingProfiles: [{ Container: "mp4", Type: "Video", Protocol: "hls", VideoCodec: "h264", AudioCodec: "aac" }],
    },
  },
};
const info = (await apis.getMediaInfoApi(api).getPostedPlaybackInfo(asked)).data;
const source = info.MediaSources[0];
seen.url = source.TranscodingUrl;
seen.session = info.PlaySessionId;
const text = async path => (await api.axiosInstance.get(base + path, { headers: { Authorization: api.authorizationHeader } })).data;
const below = (path, line) => path.split("?")[0].replace(/[^/]*$/, "") + line;
const uri = lines => lines.split("\n").filter(line => line && !line.startsWith("#"));
const variant = below(seen.url, uri(await text(seen.url))[0]);
const segment = below(variant, uri(await text(variant))[0]);
const bytes = await api.axiosInstance.get(base + segment, {
  responseType: "arraybuffer", headers: { Authorization: api.authorizationHeader },
});
seen.segment = bytes.data.byteLength;
const subtitle = source.MediaStreams.find(stream => stream.Type === "Subtitle");
const said = await apis.getSubtitleApi(api).getSubtitle({
  routeItemId: itemId, routeMediaSourceId: source.Id, routeIndex: subtitle.Index, routeFormat: "vtt",
});
seen.subtitle = said.data.split("\n")[0];
const image = apis.getImageApi(api).getItemImageUrlById(itemId, "Primary", { fillWidth: 100 });
seen.image = (await api.axiosInstance.get(image, { responseType: "arraybuffer" })).data.byteLength;
seen.tiles = (await apis.getTrickPlayApi(api).getTrickplayHlsPlaylist({ itemId, width: 320 })).data.split("\n")[0];
// The package for version 12 has no name for this one any more; the address is still there.
seen.ended = (await api.axiosInstance.delete(`${base}/Videos/ActiveEncodings`, {
  params: { deviceId: "device-of-the-client", playSessionId: info.PlaySessionId },
  headers: { Authorization: api.authorizationHeader },
})).status;
await apis.getSessionApi(api).reportSessionEnded();
seen.after = await apis.getUserApi(api).getCurrentUser().then(answer => answer.status, error => error.response.status);
console.log(JSON.stringify(seen));
