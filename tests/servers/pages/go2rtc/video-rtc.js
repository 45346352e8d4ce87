// What go2rtc's own player does where the page asks for `mse`: one socket, one message, and then bytes.

export class Player {
    constructor(video, address) {
        Object.assign(this, {video, address, waiting: [], buffer: null});
    }

    connect() {
        const media = new MediaSource();
        this.video.src = URL.createObjectURL(media);
        const socket = new WebSocket(this.address);
        socket.binaryType = 'arraybuffer';
        const ask = () => socket.send(JSON.stringify({type: 'mse', value: 'avc1.640029,mp4a.40.2'}));
        Promise.all([
            new Promise(done => media.addEventListener('sourceopen', done, {once: true})),
            new Promise(done => socket.addEventListener('open', done, {once: true})),
        ]).then(ask);
        socket.addEventListener('message', event => {
            if (typeof event.data !== 'string') {
                this.waiting.push(event.data);
                this.append();
                return;
            }
            const said = JSON.parse(event.data);
            if (said.type === 'mse') {
                this.buffer = media.addSourceBuffer(said.value);
                this.buffer.addEventListener('updateend', () => this.append());
            }
        });
        socket.addEventListener('close', () => setTimeout(() => this.connect(), 15000));
        this.video.play().catch(() => { this.video.muted = true; this.video.play(); });
    }

    append() {
        if (this.buffer && !this.buffer.updating && this.waiting.length)
            this.buffer.appendBuffer(this.waiting.shift());
    }
}
