// Makes a link to one asset with an owner's key, and looks at that asset as a guest; by Immich's own client package.
// node immich.mjs BASE API_KEY ASSET  →  one line of JSON with what it saw
import * as sdk from "@immich/sdk";

const [base, apiKey, id] = process.argv.slice(2);
sdk.init({ baseUrl: `${base}/api`, apiKey });
const seen = { me: (await sdk.getMyUser()).name };
const link = await sdk.createSharedLink({ sharedLinkCreateDto: { type: "INDIVIDUAL", assetIds: [id] } });
seen.upload = link.allowUpload;
const { key } = link;
seen.mine = (await sdk.getMySharedLink({ key })).assets.map(asset => asset.id);
seen.info = (await sdk.getAssetInfo({ id, key })).type;
seen.thumbnail = (await sdk.viewAsset({ id, key, size: "preview" })).size;
seen.playback = (await sdk.playAssetVideo({ id, key })).size;
seen.original = (await sdk.downloadAsset({ id, key })).size;
const main = await (await sdk.getMainPlaylist({ id, key })).text();
const [sessionId, variantIndex] = main.split("\n").find(line => line.includes("/")).split("/");
seen.variant = (await (await sdk.getMediaPlaylist({ id, key, sessionId, variantIndex })).text()).split("\n")[0];
seen.segment = (await sdk.getSegment({ id, key, sessionId, variantIndex, filename: "seg_0.m4s" })).size;
await sdk.endSession({ id, key, sessionId });
const sent = { assetData: new File(["a picture"], "x.jpg"), fileCreatedAt: "2026-01-01", fileModifiedAt: "2026-01-01" };
seen.uploaded = (await sdk.uploadAsset({ key, assetMediaCreateDto: sent })).status;
console.log(JSON.stringify(seen));
