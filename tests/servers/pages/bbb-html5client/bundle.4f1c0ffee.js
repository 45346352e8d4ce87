/**
 * What the client of BigBlueButton 3.0 does to come in, in the order in which it does it, and little besides
 * (bigbluebutton-html5: settings-loader, connection-manager, presence-manager). The token is kept for the tab, and the
 * addresses are those that the server names.
 */
const show = (id, text) => { document.getElementById(id).textContent = text }
const token = new URLSearchParams(location.search).get('sessionToken') ?? sessionStorage.getItem('sessionToken')
sessionStorage.setItem('sessionToken', token)
const uuid = crypto.randomUUID?.() ?? String(Math.random())
const asked = new Map()
let number = 0
let joined = false
let socket

function send(type, more = {}) { socket.send(JSON.stringify({ type, ...more })) }

function ask(query, variables = {}, hear = () => {}) {
  number += 1
  const operationName = /^\w+ (\w+)/.exec(query)[1]
  asked.set(String(number), hear)
  send('subscribe', { id: String(number), payload: { variables, extensions: {}, operationName, query } })
}

function current({ user_current: [me] }) {
  show('me', me.name)
  show('room', me.meeting.name)
  document.body.dataset.user = me.userId
  document.body.dataset.auth = me.authToken
  if (me.meeting.ended || me.ejected || me.loggedOut) return show('state', 'out of the meeting')
  if (me.guestStatus !== 'ALLOW') return show('state', 'waiting for a moderator')
  if (me.joined) show('state', 'is in')
  if (!joined) {
    joined = true
    ask('mutation UserJoin($authToken: String!, $clientType: String!, $clientIsMobile: Boolean!) {\n'
      + '  userJoinMeeting(\n    authToken: $authToken\n    clientType: $clientType\n    clientIsMobile: $clientIsMobile\n  )\n}',
    { authToken: me.authToken, clientType: 'HTML5', clientIsMobile: false })
  }
}

function list(id, texts) {
  const items = texts.map((text) => Object.assign(document.createElement('li'), { textContent: text }))
  document.getElementById(id).replaceChildren(...items)
}

function talk(url) {
  socket = new WebSocket(url, 'graphql-transport-ws')
  socket.onopen = () => send('connection_init', { payload: { headers: {
    'X-Session-Token': token, 'X-ClientSessionUUID': uuid, 'X-ClientType': 'HTML5', 'X-ClientIsMobile': 'false',
  } } })
  socket.onclose = (event) => {
    show('state', `closed ${event.code}`)
    joined = false
    document.body.dataset.closed = String(Number(document.body.dataset.closed ?? 0) + 1)
    if (Number(document.body.dataset.closed) < 5) setTimeout(talk, 300, url)
  }
  socket.onmessage = ({ data }) => {
    const said = JSON.parse(data)
    if (said.type === 'ping') send('pong')
    if (said.type === 'next') asked.get(said.id)?.(said.payload.data)
    if (said.type === 'connection_ack') {
      ask('subscription getUserCurrent {\n  user_current {\n    userId\n    authToken\n    joined\n    guestStatus\n    meeting {\n      ended\n      __typename\n    }\n    __typename\n  }\n}', {}, current)
      ask('subscription Users {\n  user(order_by: [{name: asc}]) {\n    userId\n    name\n    __typename\n  }\n}', {},
        ({ user }) => list('people', user.map((one) => `${one.name}${one.raiseHand ? ' ✋' : ''}`)))
      ask('subscription getChatMessageHistory($limit: Int = 50) {\n  chat_message_public(limit: $limit) {\n    message\n    senderName\n    __typename\n  }\n}', {},
        ({ chat_message_public: all }) => list('chat', all.map((one) => `${one.senderName}: ${one.message}`)))
    }
  }
}

document.getElementById('say').onsubmit = (event) => {
  event.preventDefault()
  ask('mutation ChatSendMessage($chatId: String!, $chatMessageInMarkdownFormat: String!, $replyToMessageId: String) {\n'
    + '  chatSendMessage(\n    chatId: $chatId\n    chatMessageInMarkdownFormat: $chatMessageInMarkdownFormat\n    replyToMessageId: $replyToMessageId\n  )\n}',
  { chatId: 'MAIN-PUBLIC-GROUP-CHAT', chatMessageInMarkdownFormat: document.getElementById('text').value })
}
document.getElementById('hand').onclick = () => ask(
  'mutation SetRaiseHand($userId: String!, $raiseHand: Boolean!) {\n  userSetRaiseHand(userId: $userId, raiseHand: $raiseHand)\n}',
  { userId: document.body.dataset.user, raiseHand: true })
document.getElementById('leave').onclick = () => ask('mutation UserLeaveMeeting {\n  userLeaveMeeting\n}')

async function start() {
  const json = { 'Content-Type': 'application/json' }
  const index = await (await fetch(`${location.origin}/bigbluebutton/api`, { headers: json })).json()
  const { graphqlApiUrl, graphqlWebsocketUrl } = index.response
  const own = { credentials: 'include', headers: { 'x-session-token': token } }
  const { meeting: [meeting] } = await (await fetch(`${graphqlApiUrl}/meetingStaticData`, own)).json()
  await fetch(`${graphqlApiUrl}/userMetadata`, own)
  await fetch('locales/')
  await fetch('locales/en.json')
  const stuns = await (await fetch(`/bigbluebutton/api/stuns?sessionToken=${token}`)).json()
  document.body.dataset.turn = String(stuns.turnServers.length)
  document.body.dataset.sfu = meeting.clientSettings.clientSettingsJson.public.kurento.wsUrl
  document.getElementById('slide').src = `/bigbluebutton/presentation/${meeting.meetingId}/${meeting.meetingId}/d2d9a672-1/svg/1`
  talk(graphqlWebsocketUrl)
}
start().catch((error) => show('state', `failed: ${error}`))
