import {Player} from './video-rtc.js';

const said = new URLSearchParams(location.search);
for (const name of said.getAll('src')) {
    const video = document.createElement('video');
    video.controls = true;
    document.body.append(video);
    new Player(video, new URL('api/ws?src=' + encodeURIComponent(name), location.href.replace('http', 'ws'))).connect();
}
