'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Hubsim } = require('./hubsim.js');
const { device, overWebSocket, Message } = require('./sdk.js');

const hub = 'contoso.azure-devices.net';

let sim;
before(async () => { sim = await Hubsim.start([hub], { gateway: 'localhost' }); });
after(() => sim.stop());

// The certificate is for the gateway alone: a hub called localhost there is not.
for (const [name, connect] of [['MQTT', device], ['WebSocket', overWebSocket]]) {
  test(`a device behind a gateway names the hub over ${name} (G01)`, async (t) => {
    const client = await connect(t, sim, await sim.createDevice(`behind-${name}`));
    await client.sendEvent(new Message('x'));
    const [login] = await sim.logins(`behind-${name}`);
    assert.deepEqual([login.code, login.host, login.serverName], [0, hub, 'localhost']);
  });
}
