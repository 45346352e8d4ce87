'use strict';
// The page of a room, as far as a guest sees it: the steps of Galene's own, in the order it takes them.
// With a token it joins once to see whether it may, leaves, and asks for a click, since sound needs one.

let token = null;
let room, status_, connection, probing = false;
const at = name => document.getElementById(name);
const show = (name, on) => { at(name).hidden = !on; };

function shown(where, text) {
    const line = document.createElement('p');
    line.textContent = text;
    at(where).append(line);
}

function connect() {
    const wanted = at('presentboth').checked;
    connection = new Connection(status_.endpoint || `${location.origin.replace('http', 'ws')}/ws`);
    connection.onopen = () => connection.join(room, token
        ? {token} : {username: at('username').value, password: at('password').value});
    connection.onclose = () => {
        at('peers').replaceChildren();
        at('users').replaceChildren();
        show('inputform', false);
        show('presentbutton', false);
        show('loginform', true);
    };
    connection.onjoined = async (kind, permissions) => {
        if (kind !== 'join') {
            token = null;
            connection.close();
            return;
        }
        if (token && !probing) {
            probing = true;
            show('userform', false);
            show('passwordform', false);
            connection.close();
            return;
        }
        token = null;
        show('loginform', false);
        show('inputform', true);
        show('presentbutton', permissions.includes('present'));
        connection.request({'': ['audio', 'video']});
        if (wanted && permissions.includes('present'))
            await connection.publish(await navigator.mediaDevices.getUserMedia(
                {audio: true, video: {width: 160, height: 120, frameRate: 10}}), picture);
    };
    connection.onusers = people => {
        at('users').replaceChildren();
        people.forEach(name => shown('users', name));
    };
    connection.onchat = (name, text) => shown('box', `${name}: ${text}`);
    connection.onstream = picture;
}

function picture(id, stream) {
    document.getElementById(`peer-${id}`)?.remove();
    if (!stream)
        return;
    const video = document.createElement('video');
    Object.assign(video, {id: `peer-${id}`, autoplay: true, muted: true, srcObject: stream});
    at('peers').append(video);
}

at('loginform').addEventListener('submit', event => { event.preventDefault(); connect(); });
at('inputform').addEventListener('submit', event => {
    event.preventDefault();
    connection.chat(at('input').value);
    at('input').value = '';
});

async function start() {
    status_ = await (await fetch('.status')).json();
    room = status_.name;
    document.title = status_.displayName || room;
    const said = new URLSearchParams(location.search);
    if (said.has('token'))
        token = said.get('token');
    if (token)
        connect();
    else
        show('loginform', true);
}
start();
