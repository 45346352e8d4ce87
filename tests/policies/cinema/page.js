// A media server's page as they are: it plays one item, lists others, and counts.
const id = location.pathname.split("/").pop();
const video = document.querySelector("video");
video.poster = `/hls/${id}/poster.jpg`;
const player = new Hls({ enableWorker: false });
player.loadSource(`/hls/${id}/master.m3u8`);
player.attachMedia(video);
fetch("/site/items.json?page=1")
  .then((answer) => answer.json())
  .then((items) => {
    for (const item of items) {
      const picture = document.createElement("img");
      picture.src = `/hls/${item}/poster.jpg`;
      document.querySelector("ul").append(picture);
    }
  })
  .catch(() => undefined);
fetch("/stats", { method: "POST", body: "{}" }).catch(() => undefined);
