// A small player that asks for what PeerTube's embed asks for, in the same order and from the same places.
// Which requests: Chocobozzz/PeerTube client/src/standalone/videos/embed.ts, shared/video-fetcher.ts,
// shared/live-manager.ts, embed-api.ts. Written anew; only the addresses and the messages are theirs.

const config = JSON.parse(window.PeerTubeServerConfig)
const query = new URLSearchParams(location.search)
const wrapper = document.getElementById('video-wrapper')
const state = { ready: false, password: null, video: null, captions: [], wanted: null, passwordSaid: null }
window.embedState = state

// The id: from the query where the query BEGINS with it, else the last part of the path.
function resourceId () {
  if (location.search.startsWith('?videoId=')) return location.search.replace('?videoId=', '')
  const parts = location.pathname.split('/')
  return parts[parts.length - 1]
}

function ask (path, options = {}) {
  const headers = { ...options.headers }
  if (state.password) headers['x-peertube-video-password'] = state.password
  return fetch(path, { ...options, headers })
}

function fail (message) {
  document.getElementById('error-title').textContent = message
  document.getElementById('error-block').hidden = false
  ask('/api/v1/server/logs/client', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ level: 'error', message, url: location.href })
  }).catch(() => {})
}

async function load () {
  const id = resourceId()
  const base = '/api/v1/videos/' + id
  const answer = await ask(base)
  if (answer.status === 404) return fail('This video does not exist.')
  if (answer.status === 401 || answer.status === 403) {
    const problem = await answer.json()
    if (problem.code === 'video_requires_password' || problem.code === 'incorrect_video_password') {
      state.password = await askPassword()
      return load()
    }
    return fail(problem.detail)
  }
  if (!answer.ok) return fail('We cannot fetch the video. Please try again later.')

  const captions = ask(base + '/captions')
  const chapters = ask(base + '/chapters')
  const storyboards = ask(base + '/storyboards')
  const settings = ask('/api/v1/player-settings/videos/' + id)
  const video = state.video = await answer.json()
  let token
  if (video.isLive) await ask('/api/v1/videos/live/' + video.uuid)
  if ([3, 4, 5].includes(video.privacy.id)) {
    token = (await (await ask('/api/v1/videos/' + video.uuid + '/token', { method: 'POST' })).json()).files.token
  }
  await Promise.all([chapters, storyboards, settings])
  state.captions = (await (await captions).json()).data
  await play(video, token)
  if (query.get('p2p') !== '0' && config.tracker.enabled) joinTracker(video)
  if (video.isLive) listenForChanges(video)
}

function askPassword () {
  if (query.get('waitPasswordFromEmbedAPI') === '1') {
    if (state.passwordSaid) return Promise.resolve(state.passwordSaid)
    return new Promise(resolve => { state.wanted = resolve })
  }
  return new Promise(resolve => {
    const form = document.createElement('form')
    form.innerHTML = '<label>Password <input name="password" type="password"></label><button>Unlock</button>'
    form.onsubmit = event => { event.preventDefault(); form.remove(); resolve(form.password.value) }
    wrapper.append(form)
  })
}

async function play (video, token) {
  const element = document.createElement('video')
  element.controls = element.playsInline = element.muted = true
  element.crossOrigin = 'anonymous'
  element.poster = video.previewPath
  for (const caption of state.captions) {
    const track = document.createElement('track')
    Object.assign(track, { kind: 'captions', srclang: caption.language.id, label: caption.language.label, src: caption.captionPath })
    element.append(track)
  }
  wrapper.replaceChildren(element)
  state.element = element
  const add = url => token ? url + '?videoFileToken=' + token : url
  const hls = video.streamingPlaylists[0]
  if (video.isLive) await look(add(hls.playlistUrl))
  else if (hls) await stream(element, add, hls.playlistUrl)
  else element.src = add(video.files[0].fileUrl)
  element.addEventListener('play', () => watched(video, element))
  if (query.get('autoplay') === '1') element.play()
}

// Both playlists, then byte ranges of one file: PeerTube's HLS has one fragmented MP4 for each quality.
async function stream (element, add, master) {
  const first = await (await fetch(add(master))).text()
  const lines = first.split('\n')
  state.qualities = lines.filter(line => line.endsWith('.m3u8') && !line.startsWith('#'))
  const list = new URL(state.qualities[0], master)
  const text = await (await fetch(add(list.href))).text()
  const ranges = [...text.matchAll(/BYTERANGE[:=]"?(\d+)@(\d+)/g)].map(found => [Number(found[2]), Number(found[2]) + Number(found[1]) - 1])
  const name = text.split('\n').find(line => line && !line.startsWith('#'))
  const file = add(new URL(name, list).href)
  const source = new MediaSource()
  element.src = URL.createObjectURL(source)
  await new Promise(resolve => source.addEventListener('sourceopen', resolve, { once: true }))
  const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.42c00d,mp4a.40.2"')
  for (const [start, end] of ranges) {
    const part = await fetch(file, { headers: { Range: `bytes=${start}-${end}` } })
    if (part.status !== 206) return fail('A part of the video is missing')
    buffer.appendBuffer(await part.arrayBuffer())
    await new Promise(resolve => buffer.addEventListener('updateend', resolve, { once: true }))
  }
  source.endOfStream()
}

// A live one is asked for, not shown: MPEG-TS needs a demuxer that this page does without.
async function look (master) {
  const first = await (await fetch(master)).text()
  const list = new URL(first.split('\n').find(line => line.endsWith('.m3u8')), new URL(master, location))
  const text = await (await fetch(list)).text()
  for (const name of text.split('\n').filter(line => line.endsWith('.ts'))) await fetch(new URL(name, list))
}

function watched (video, element) {
  ask(`/api/v1/videos/${video.uuid}/views`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ currentTime: Math.floor(element.currentTime), viewEvent: 'seek', sessionId: 'fake-session', client: 'Chrome', device: 'desktop' })
  })
}

function joinTracker () {
  state.tracker = new WebSocket(location.origin.replace('http', 'ws') + '/tracker/socket')
}

function listenForChanges (video) {
  const socket = state.socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket.io/?EIO=4&transport=websocket')
  socket.onmessage = event => {
    if (event.data.startsWith('0')) socket.send('40/live-videos,')
    else if (event.data.startsWith('40/live-videos,')) socket.send(`42/live-videos,["subscribe",{"videoId":${video.id}}]`)
    else if (event.data.startsWith('42/live-videos,')) state.change = JSON.parse(event.data.slice('42/live-videos,'.length))
    else if (event.data === '2') socket.send('3')
  }
}

// The embed API: messages of jschannel (npm), as @peertube/embed-api sends them to this frame.
function openChannel () {
  const scope = query.get('scope') || 'peertube'
  const post = message => parent.postMessage(JSON.stringify(message), '*')
  const notify = (method, params) => post({ method: `${scope}::${method}`, params })
  const methods = {
    isReady: () => state.ready,
    isPlaying: () => !state.element.paused,
    play: () => { state.element.play() },
    pause: () => { state.element.pause() },
    seek: time => { state.element.currentTime = time },
    getCurrentTime: () => state.element.currentTime,
    getVolume: () => state.element.volume,
    setVolume: value => { state.element.volume = value },
    getPlaybackRate: () => state.element.playbackRate,
    setPlaybackRate: rate => { state.element.playbackRate = rate },
    getPlaybackRates: () => [0.5, 0.75, 1, 1.25, 1.5, 2],
    getResolutions: () => (state.qualities ?? []).map((name, id) => ({ id, label: name.match(/-(\d+)\.m3u8/)[1] + 'p', active: id === 0 })),
    getCaptions: () => [...state.element.textTracks].map(track => ({ id: track.language, label: track.label, mode: track.mode })),
    setCaption: id => { for (const track of state.element.textTracks) track.mode = track.language === id ? 'showing' : 'disabled' },
    setVideoPassword: value => { state.passwordSaid = value; state.wanted?.(value) }
  }
  addEventListener('message', event => {
    let message
    try { message = JSON.parse(event.data) } catch { return }
    const method = message.method?.split('::')[1]
    if (!message.method?.startsWith(scope + '::')) return
    if (method === '__ready') {
      if (message.params.type === 'publish-request') notify('__ready', { type: 'publish-reply', publish: [] })
      return
    }
    const done = methods[method]
    if (message.id === undefined) return
    if (done) post({ id: message.id, result: done(message.params) })
    else post({ id: message.id, error: 'invoke_error', message: 'no such method' })
  })
  notify('__ready', { type: 'publish-request', publish: [] })
  return notify
}

const notify = query.get('api') === '1' ? openChannel() : () => {}
load().then(() => {
  if (!state.element) return
  state.ready = true
  state.element.addEventListener('play', () => notify('playbackStatusChange', 'playing'))
  state.element.addEventListener('pause', () => notify('playbackStatusChange', 'paused'))
  setInterval(() => notify('playbackStatusUpdate', {
    position: state.element.currentTime, volume: state.element.volume, duration: state.element.duration,
    playbackState: state.element.paused ? 'paused' : 'playing'
  }), 500)
  notify('ready', true)
}).catch(error => fail(String(error)))
