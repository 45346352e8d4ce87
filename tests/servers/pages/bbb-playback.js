// A small player for BigBlueButton's recordings that asks for what bbb-playback asks for, in the same way.
// Which files, and how their addresses are made: bigbluebutton/bbb-playback src/config.js, src/utils/data/index.js
// (buildFileURL: the query's `p` stands before the id), src/utils/data/storage.js (fetch, then HEAD for the media).
// Written anew.

const FILES = ['presentation_text.json', 'captions.json', 'slides_new.xml', 'cursor.xml', 'metadata.xml', 'notes.html',
  'panzooms.xml', 'polls.json', 'deskshare.xml', 'shapes.svg', 'tldraw.json', 'external_videos.json']
const root = document.getElementById('root')
const state = window.playback = { ready: false, data: {} }
const id = location.pathname.replace(/^\/playback\/presentation\/2\.3\//, '').replace(/\/$/, '')
const before = new URLSearchParams(location.search).get('p')
const address = file => `/presentation/${before ? before + '/' : ''}${id}/${file}`

function add (name, attributes, into = root) {
  const element = document.createElement(name)
  Object.assign(element, attributes)
  into.append(element)
  return element
}

async function load () {
  if (!/^[a-z0-9]{40}-[0-9]{13}$/.test(id)) return fail(404)
  await Promise.all(FILES.map(async file => {
    const answer = await fetch(address(file))
    state.data[file] = answer.ok ? await answer.text() : null
  }))
  if (!state.data['metadata.xml']?.includes('<recording')) return fail(404)
  const heads = await Promise.all(['mp4', 'webm'].map(type => fetch(address(`video/webcams.${type}`), { method: 'HEAD' })))
  const media = ['mp4', 'webm'].filter((type, at) => heads[at].ok)
  const spoken = !media.length && (await fetch(address('audio/audio.webm'), { method: 'HEAD' })).ok
  if (!media.length && !spoken) return fail(404)
  show(media, spoken)
}

function show (media, spoken) {
  const parse = name => new DOMParser().parseFromString(state.data[name], 'text/xml')
  document.title = add('h1', { textContent: parse('metadata.xml').querySelector('meetingName').textContent }).textContent
  const video = state.video = add('video', { controls: true, muted: true, playsInline: true, preload: 'auto' })
  for (const type of media) add('source', { src: address(`video/webcams.${type}`), type: `video/${type}` }, video)
  if (spoken) add('source', { src: address('audio/audio.webm'), type: 'audio/webm' }, video)
  for (const one of JSON.parse(state.data['captions.json'] ?? '[]')) {
    add('track', { kind: 'captions', src: address(`caption_${one.locale}.vtt`), srclang: one.locale, label: one.localeName }, video)
  }
  const slides = [...parse('shapes.svg').querySelectorAll('image')].map(one => ({
    src: one.getAttribute('xlink:href'), at: Number(one.getAttribute('in'))
  }))
  const slide = state.slide = add('img', { className: 'slide', alt: 'Slide', src: address(slides[0].src) })
  const strip = add('div', { className: 'thumbnails' })
  for (const one of slides) add('img', { alt: '', src: address(one.src.replace('slide-', 'thumbnails/thumb-')) }, strip)
  video.addEventListener('timeupdate', () => {
    const now = slides.filter(one => one.at <= video.currentTime).pop() ?? slides[0]
    if (!slide.src.endsWith(address(now.src))) slide.src = address(now.src)
  })
  if (state.data['deskshare.xml']?.includes('<event')) {
    const shared = state.shared = add('video', { muted: true, preload: 'auto' })
    for (const type of media) add('source', { src: address(`deskshare/deskshare.${type}`), type: `video/${type}` }, shared)
  }
  for (const one of parse('slides_new.xml').querySelectorAll('chattimeline')) {
    add('p', { textContent: `${one.getAttribute('name')}: ${one.getAttribute('message')}` })
  }
  add('section', { innerHTML: state.data['notes.html']?.match(/<body>\n([\s\S]*)\n<\/body>/)?.[1] ?? '' })
  state.ready = true
}

function fail (code) {
  state.failed = code
  add('h1', { textContent: code === 404 ? 'Recording not found' : 'Something went wrong' })
}

load().catch(() => fail(400))
