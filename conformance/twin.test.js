'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Hubsim, until } = require('./hubsim.js');
const { device, never, report } = require('./sdk.js');

let sim;
before(async () => { sim = await Hubsim.start(['contoso.azure-devices.net', 'localhost']); });
after(() => sim.stop());

// subscribed returns once a device has subscribed to answers and to changes.
function subscribed(deviceId) {
  return until('the SUBACK', async () => (await sim.packets(deviceId)).filter((p) => p.type === 'SUBACK').length === 2);
}

test('a new twin is empty, and both versions are 1 (H43)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('new'));
  const { properties } = await client.getTwin();
  assert.deepEqual(properties.desired, { $version: 1 });
  assert.equal(properties.reported.$version, 1);
});

test('what is desired and reported can be read (H43)', async (t) => {
  await sim.createDevice('elsewhere');
  const connectionString = await sim.createDevice('reading');
  await sim.updateTwin('reading', { relays: { 1: { power: 'ON' } }, list: [1, 'two', { three: 3.5 }], text: 'Grüße <&>' });
  await sim.updateTwin('elsewhere', { other: true });
  const client = await device(t, sim, connectionString);
  const twin = await client.getTwin();
  assert.deepEqual(twin.properties.desired, {
    $version: 2, relays: { 1: { power: 'ON' } }, list: [1, 'two', { three: 3.5 }], text: 'Grüße <&>',
  });
  await report(twin, { fw: '14.2' });
  const again = await client.getTwin();
  assert.equal(again.properties.reported.fw, '14.2');
  assert.equal(again.properties.reported.$version, 2);
});

test('reports merge, replace and delete (H44)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('reporting'));
  const twin = await client.getTwin();
  await report(twin, { relays: { 1: { power: 'ON', name: 'Pump' } }, list: [1, 2], gone: true });
  await report(twin, { relays: { 1: { power: 'OFF' }, 2: { power: 'ON' } }, list: [3], gone: null });
  assert.deepEqual((await sim.twin('reporting')).properties.reported, {
    $version: 3, relays: { 1: { power: 'OFF', name: 'Pump' }, 2: { power: 'ON' } }, list: [3],
  });
});

test('a report against the rules is refused (H44)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('wrong'));
  client.setRetryPolicy(never);
  const twin = await client.getTwin();
  let deep = {};
  for (let i = 0; i < 11; i++) deep = { deep };
  const patches = [{ 'a.b': 1 }, { 'a b': 1 }, deep, { n: 2 ** 52 }, { text: 'x'.repeat(4097) },
    Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(4096)]))];
  for (const patch of patches) await assert.rejects(report(twin, patch));
  assert.deepEqual((await sim.twin('wrong')).properties.reported, { $version: 1 });
});

test('a change of what is desired is told, with its version (H45, C01)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('told'));
  const twin = await client.getTwin();
  const patches = [];
  twin.on('properties.desired', (patch) => { patches.push(patch); });
  await subscribed('told');
  patches.length = 0; // the packages begin with the whole
  await sim.updateTwin('told', { relay1: { __t: 'c', on: true }, target: 21 });
  await sim.updateTwin('told', { target: null });
  await until('two patches', () => patches.length === 2);
  assert.deepEqual(patches, [
    { $version: 2, relay1: { __t: 'c', on: true }, target: 21 },
    { $version: 3, target: null },
  ]);
  assert.deepEqual(twin.properties.desired, { $version: 3, relay1: { __t: 'c', on: true } });
});

test('a change is not kept for a device that is away (H45)', async (t) => {
  const connectionString = await sim.createDevice('away');
  const client = await device(t, sim, connectionString);
  const twin = await client.getTwin();
  twin.on('properties.desired', () => {});
  await subscribed('away');
  await client.close();
  await sim.updateTwin('away', { missed: true });
  const again = await device(t, sim, connectionString);
  const patches = [];
  const late = await again.getTwin();
  assert.deepEqual(late.properties.desired, { $version: 2, missed: true }); // asked for, it is there
  late.on('properties.desired', (patch) => { patches.push(patch); });
  await until('the whole', () => patches.length > 0);
  await late.get();
  assert.ok(patches.every((patch) => patch.$version === 2 && patch.missed));
});

test('a throttled or failed request is an error, and one can try again (H46)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('throttled'));
  client.setRetryPolicy(never);
  const twin = await client.getTwin();
  for (const code of [429, 500]) {
    await sim.inject({ kind: 'refuse-twin', deviceId: 'throttled', code });
    await assert.rejects(report(twin, { n: code }));
  }
  await report(twin, { n: 1 });
  assert.deepEqual((await sim.twin('throttled')).properties.reported, { $version: 2, n: 1 });
});
