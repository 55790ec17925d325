'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Hubsim, until } = require('./hubsim.js');
const { device, persist, properties, received, roundTrip } = require('./sdk.js');

let sim;
before(async () => { sim = await Hubsim.start(['contoso.azure-devices.net', 'localhost']); });
after(() => sim.stop());

// bodies are the texts of messages.
function bodies(messages) { return messages.map(({ data }) => `${data}`); }

// gone connects a device, so that its subscription is kept, and leaves.
async function gone(t, connectionString) {
  const client = await device(t, sim, connectionString);
  received(client);
  await roundTrip(client);
  await client.close();
}

test('a message arrives decoded, and complete() completes it (H34, H35)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('obeying'));
  const messages = received(client);
  await roundTrip(client);
  const application = { Topic: '/power', 'a b': 'c+d', escaped: '%26%3D', unicode: 'Grüße 漢字', empty: '' };
  await sim.send('obeying', {
    messageId: 'm-1',
    correlationId: 'c/1',
    userId: 'u 1',
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    ack: 'full',
    ttl: '1m',
    properties: application,
    body: 'toggle',
  });
  await sim.completed('obeying');

  const [message, ...more] = messages;
  assert.deepEqual(more, []);
  assert.equal(`${message.data}`, 'toggle');
  assert.equal(message.messageId, 'm-1');
  assert.equal(message.correlationId, 'c/1');
  assert.equal(message.userId, 'u 1');
  assert.equal(message.contentType, 'application/json');
  assert.equal(message.contentEncoding, 'utf-8');
  assert.equal(message.to, '/devices/obeying/messages/devicebound');
  const life = Date.parse(message.expiryTimeUtc) - Date.now();
  assert.ok(life > 50_000 && life <= 60_000, `expires in ${life} ms`);
  assert.deepEqual(properties(message), { 'iothub-ack': 'full', ...application });
});

test('a name without a value is one (H35)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('reading'));
  const messages = received(client);
  await roundTrip(client);
  await sim.send('reading', { properties: { none: null } });
  await sim.completed('reading');
  assert.deepEqual(properties(messages[0]), { none: 'undefined' }); // a slip of the packages: they read "none" as none=undefined
  assert.match((await sim.packets('reading')).find((p) => p.type === 'PUBLISH' && !p.in).detail, /&none$/);
});

test('a message waits for its PUBACK (H34)', async (t) => {
  const connectionString = await sim.createDevice('slow');
  await gone(t, connectionString);
  await sim.send('slow', { body: 'x' });
  const [waiting] = await sim.queue('slow');
  assert.equal(waiting.deliveryCount, 0);
  const client = await device(t, sim, connectionString);
  received(client);
  await sim.completed('slow');
  const packets = await sim.packets('slow');
  const published = packets.findIndex((p) => p.type === 'PUBLISH' && !p.in);
  assert.equal(packets.find((p, i) => i > published && p.type === 'PUBACK' && p.in).id, packets[published].id);
});

test('what was sent while the device was away comes when it is back (H20)', async (t) => {
  const connectionString = await sim.createDevice('away');
  await gone(t, connectionString);
  const sent = Array.from({ length: 50 }, (_, i) => `${i}`);
  for (const body of sent) await sim.send('away', { body });
  await assert.rejects(sim.send('away', { body: '51' }), { status: 403 }); // H33

  const client = await device(t, sim, connectionString);
  const messages = received(client);
  await sim.completed('away');
  assert.deepEqual(bodies(messages), sent);
  assert.equal((await sim.logins('away'))[1].sessionPresent, true);
});

// A client without a listener does not subscribe, and yet the hub hands over
// what waits. The packages acknowledge it unread: a trap for applications, and
// for an honest stand-in.
test('what waits comes without a SUBSCRIBE (H20)', async (t) => {
  const connectionString = await sim.createDevice('careless');
  await gone(t, connectionString);
  await sim.send('careless', { body: 'x' });
  const client = await device(t, sim, connectionString);
  await client.open();
  await sim.completed('careless');
  const packets = await sim.packets('careless');
  assert.equal(packets.filter((p) => p.type === 'SUBSCRIBE').length, 1);
});

test('what was sent before a device ever subscribed does not come (H20b)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('new'));
  await client.open();
  await sim.send('new', { body: 'too early' });
  const messages = received(client);
  await roundTrip(client);
  await sim.send('new', { body: 'in time' });
  await until('the message', () => messages.length > 0);
  assert.deepEqual(bodies(messages), ['in time']);
});

test('after UNSUBSCRIBE nothing comes', async (t) => {
  const client = await device(t, sim, await sim.createDevice('deaf'));
  const messages = received(client);
  await until('the SUBACK', async () => (await sim.packets('deaf')).some((p) => p.type === 'SUBACK'));
  await roundTrip(client); // it may have overtaken the SUBACK, which the packages wait for
  client.removeAllListeners('message');
  await until('the end of the subscription', async () => !(await sim.get('devices/deaf')).subscribed);
  await sim.send('deaf', { body: 'x' });
  await roundTrip(client);
  assert.equal((await sim.queue('deaf'))[0].deliveryCount, 0);
  assert.deepEqual(messages, []);
});

test('a message lost on the way comes again (H34, T03)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('unlucky'));
  persist(client);
  const messages = received(client);
  await roundTrip(client);
  await sim.inject({ kind: 'cut-c2d', deviceId: 'unlucky' });
  await sim.send('unlucky', { body: 'persistent' });
  await sim.completed('unlucky');
  assert.deepEqual(bodies(messages), ['persistent']);
  const published = (await sim.packets('unlucky')).filter((p) => p.type === 'PUBLISH' && !p.in);
  assert.match(published.at(-1).detail, /dup true/);
  assert.equal((await sim.logins('unlucky')).length, 2);
});

test('no device hears another', async (t) => {
  const [one, other] = [
    await device(t, sim, await sim.createDevice('one')),
    await device(t, sim, await sim.createDevice('other')),
  ];
  const [mine, others] = [received(one), received(other)];
  await roundTrip(one);
  await roundTrip(other);
  await sim.send('one', { body: 'for one' });
  await sim.completed('one');
  await roundTrip(other);
  assert.deepEqual(bodies(mine), ['for one']);
  assert.deepEqual(others, []);
});
