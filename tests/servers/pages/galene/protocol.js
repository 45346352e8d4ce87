'use strict';
// The messages of galene-protocol.md between a page and its room, and a peer connection for each stream.

class Connection {
    constructor(url) {
        this.id = Array.from(crypto.getRandomValues(new Uint8Array(16)), one => one.toString(16).padStart(2, '0')).join('');
        this.streams = new Map();
        this.people = new Map();
        this.socket = new WebSocket(url);
        this.socket.onopen = () => {
            this.say({type: 'handshake', version: ['2'], id: this.id});
            this.onopen();
        };
        this.socket.onmessage = event => this.hear(JSON.parse(event.data));
        this.socket.onclose = () => {
            this.streams.forEach(pc => pc.close());
            this.onclose();
        };
    }

    say(message) {
        if (this.socket.readyState === 1)
            this.socket.send(JSON.stringify(message));
    }

    close() { this.socket.close(1000, 'close'); }

    join(group, credentials) { this.say({type: 'join', kind: 'join', group, ...credentials}); }

    request(what) { this.say({type: 'request', request: what}); }

    chat(value) {
        this.say({type: 'chat', source: this.id, dest: '', username: this.username, kind: '', value});
    }

    async hear(said) {
        switch (said.type) {
        case 'ping':
            this.say({type: 'pong'});
            break;
        case 'joined':
            this.username = said.username;
            await this.onjoined(said.kind, said.permissions || []);
            break;
        case 'user':
            if (said.kind === 'delete')
                this.people.delete(said.id);
            else
                this.people.set(said.id, said.username);
            this.onusers([...this.people.values()]);
            break;
        case 'chat':
            this.onchat(said.username, said.value);
            break;
        case 'offer':
            await this.watch(said);
            break;
        case 'answer':
            await this.streams.get(said.id)?.setRemoteDescription({type: 'answer', sdp: said.sdp});
            break;
        case 'close':
            this.streams.get(said.id)?.close();
            this.streams.delete(said.id);
            this.onstream(said.id, null);
            break;
        }
    }

    made(id) {
        const pc = new RTCPeerConnection();
        this.streams.set(id, pc);
        return pc;
    }

    async watch(said) {
        const pc = this.made(said.id);
        pc.ontrack = event => this.onstream(said.id, event.streams[0]);
        pc.onicecandidate = event => event.candidate && this.say({type: 'ice', id: said.id, candidate: event.candidate});
        await pc.setRemoteDescription({type: 'offer', sdp: said.sdp});
        await pc.setLocalDescription();
        this.say({type: 'answer', id: said.id, sdp: pc.localDescription.sdp});
    }

    async publish(stream, shows) {
        const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), one => one.toString(16).padStart(2, '0')).join('');
        const pc = this.made(id);
        stream.getTracks().forEach(track => pc.addTrack(track, stream));
        await pc.setLocalDescription();
        // All addresses at once: the stand-in's media end takes none later.
        while (pc.iceGatheringState !== 'complete')
            await new Promise(done => setTimeout(done, 20));
        this.say({type: 'offer', source: this.id, username: this.username, kind: '', id, replace: null, label: 'camera',
            sdp: pc.localDescription.sdp});
        shows(id, stream);
    }
}
