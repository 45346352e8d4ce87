// What Owncast's own chat page asks for and says, in its order (web/components/stores/ClientConfigStore.tsx,
// web/services/websocket-service.ts), without its looks.
const KEY = 'accessToken';
const messages = document.getElementById('chat-container');
const input = document.getElementById('chat-input-content-editable');
let config = {};
let socket = null;
let wait = 0;

function show(text) {
  const line = document.createElement('div');
  line.textContent = text;
  messages.append(line);
}

function heard(message) {
  if (message.type === 'ERROR_NEEDS_REGISTRATION') {
    localStorage.removeItem(KEY);
    register().then(talk);
  } else if (message.type === 'CHAT') {
    const body = new DOMParser().parseFromString(message.body, 'text/html').body.textContent;
    show(`${message.user.displayName}: ${body}`);
  } else if (message.type === 'USER_JOINED') {
    show(`${message.user.displayName} joined the chat.`);
  } else if (message.type === 'ERROR_USER_DISABLED') {
    show('User has been disabled');
  }
}

async function register() {
  if (localStorage.getItem(KEY)) return;
  const answer = await fetch('/api/chat/register', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ displayName: undefined }),
  });
  localStorage.setItem(KEY, (await answer.json()).accessToken);
}

function talk() {
  const url = new URL(config.socketHostOverride || location.origin + location.pathname);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  url.pathname = '/ws';
  url.searchParams.append('accessToken', localStorage.getItem(KEY));
  socket = new WebSocket(url);
  socket.onopen = () => { wait = 0; };
  socket.onmessage = event => event.data.split('\n').forEach(one => heard(JSON.parse(one)));
  socket.onerror = () => {
    socket.close();
    setTimeout(talk, Math.min(wait, 10000));
    wait += 1000;
  };
}

input.addEventListener('keydown', event => {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  socket.send(JSON.stringify({ type: 'CHAT', body: input.textContent }));
  input.textContent = '';
});

async function start() {
  config = await (await fetch('/api/config')).json();
  document.getElementById('global-header-text').textContent = config.name;
  setInterval(() => fetch('/api/status'), 5000);
  await register();
  const token = localStorage.getItem(KEY);
  (await (await fetch(`/api/chat?accessToken=${token}`)).json()).forEach(heard);
  talk();
  await fetch('/api/emoji');
}

start();
