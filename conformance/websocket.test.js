'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Hubsim } = require('./hubsim.js');
const { device, overWebSocket, persist, properties, received, roundTrip, Message } = require('./sdk.js');

let sim;
before(async () => { sim = await Hubsim.start(['contoso.azure-devices.net', 'localhost']); });
after(() => sim.stop());

test('all goes over WebSocket as over MQTT (W01)', async (t) => {
  const client = await overWebSocket(t, sim, await sim.createDevice('web'));
  const messages = received(client);
  await roundTrip(client);
  await sim.send('web', { messageId: 'm-1', properties: { Topic: '/power' }, body: 'toggle' });
  await sim.completed('web');
  assert.deepEqual(messages.map(({ data }) => `${data}`), ['toggle']);
  assert.deepEqual(properties(messages[0]), { Topic: '/power' });
  const body = Buffer.alloc(200_000, 'x'); // in many frames
  await client.sendEvent(new Message(body));
  assert.equal((await sim.events('web')).at(-1).body, `${body}`);
  const [login, ...more] = await sim.logins('web');
  assert.deepEqual(more, []);
  assert.deepEqual([login.transport, login.code, login.auth], ['websocket', 0, 'primary-key']);
  await client.close();
  assert.match((await sim.ended('web')).end, /DISCONNECT/);
});

test('a wrong key is refused over WebSocket (H05, W01)', async (t) => {
  const right = await sim.createDevice('wrong-key');
  const other = await sim.createDevice('other-key');
  const client = await overWebSocket(t, sim, right.replace(/SharedAccessKey=.*/, /SharedAccessKey=.*/.exec(other)[0]));
  await assert.rejects(client.open(), { name: 'UnauthorizedError' });
});

test('a message lost on the way over WebSocket comes again (H34, T03, W01)', async (t) => {
  const client = await overWebSocket(t, sim, await sim.createDevice('unlucky'));
  persist(client);
  const messages = received(client);
  await roundTrip(client);
  await sim.inject({ kind: 'cut-c2d', deviceId: 'unlucky' });
  await sim.send('unlucky', { body: 'persistent' });
  await sim.completed('unlucky');
  assert.deepEqual(messages.map(({ data }) => `${data}`), ['persistent']);
});

test('WebSocket gets through where 8883 is blocked (T03)', async (t) => {
  const connectionString = await sim.createDevice('walled');
  await sim.inject({ kind: 'refuse-tcp', transport: 'mqtt', count: -1 });
  t.after(() => sim.call('DELETE', 'faults'));
  await assert.rejects((await device(t, sim, connectionString)).open(), /ECONNRESET|before secure TLS connection/);
  const client = await overWebSocket(t, sim, connectionString);
  await client.open();
  assert.deepEqual((await sim.logins('walled')).map(({ transport }) => transport), ['websocket']);
});
