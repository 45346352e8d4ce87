// A small stand-in for the player bundle of a uiConf: asks what Kaltura's player asks, plays the progressive source.
// Which requests: kaltura/playkit-js-providers src/k-provider/ovp/ (session, baseEntry.list, getPlaybackContext,
// metadata, chained in one multirequest) and kaltura/playkit-js-kava. Written anew.
window.KalturaPlayer = {
  setup (config) {
    const box = document.getElementById(config.targetId)
    const { partnerId, env } = config.provider
    const player = { config, ready: false }
    async function ask (entryId) {
      const ks = config.provider.ks
      const first = ks ? [] : [{ service: 'session', action: 'startWidgetSession', widgetId: '_' + partnerId }]
      const said = ks ?? '{1:result:ks}'
      const listed = first.length + 1
      const chained = `{${listed}:result:objects:0:id}`
      const requests = [
        ...first,
        { service: 'baseEntry', action: 'list', ks: said, filter: { redirectFromEntryId: entryId } },
        { service: 'baseEntry', action: 'getPlaybackContext', ks: said, entryId: chained, contextDataParams: { objectType: 'KalturaContextDataParams', flavorTags: 'all' } },
        { service: 'metadata_metadata', action: 'list', ks: said, filter: { objectType: 'KalturaMetadataFilter', objectIdEqual: chained } }
      ]
      const body = { ...Object.fromEntries(requests.map((one, at) => [at + 1, one])), apiVersion: '3.3.0', format: 1, clientTag: 'html5:small', partnerId }
      const answer = await fetch(env.serviceUrl + '/service/multirequest', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body)
      })
      return (await answer.json()).slice(first.length)
    }
    async function loadMedia ({ entryId }) {
      const [list, context] = await ask(entryId)
      if (!list.objects?.length || !context.sources?.length) {
        box.textContent = 'This media cannot be played.'
        player.failed = true
        return
      }
      const entry = player.entry = list.objects[0]
      const video = document.createElement('video')
      Object.assign(video, { controls: true, muted: true, playsInline: true, crossOrigin: 'anonymous', poster: entry.thumbnailUrl + '/width/640' })
      for (const one of context.playbackCaptions) {
        const track = document.createElement('track')
        Object.assign(track, { kind: 'captions', srclang: one.languageCode, label: one.label, src: one.webVttUrl })
        video.append(track)
      }
      video.src = context.sources.find(one => one.format === 'url').url
      box.replaceChildren(video)
      player.video = video
      video.addEventListener('play', () => fetch(`${env.serviceUrl}/index.php?service=analytics&action=trackEvent&eventType=3&entryId=${entry.id}`))
      player.ready = true
    }
    function setMedia ({ sources }) {
      const video = document.createElement('video')
      video.src = sources.progressive[0].url
      box.replaceChildren(video)
    }
    return Object.assign(player, { loadMedia, setMedia, loadPlaylist: () => {} })
  }
}
